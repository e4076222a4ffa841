"""The desk of the guide to the first ten minutes: its cloud, its board, what is typed there."""

import json
import os
import re
import subprocess

from particle_tools import ROOT
from particle_tools.local import LocalCloud
from sim.boards import Bench

GUIDE = (ROOT / "docs" / "first-device.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
USER = "me@example.com:secret"

# A board has no profile until a step of the guide installs one: the simulated board hides its own.
_PROFILE = """
raise ImportError("no module named 'particle_board'")
"""
_AIR = {"networks": [{"ssid": "MyNetwork", "password": "correct-horse"}]}


def blocks(kind):
    """Return the guide's blocks of a kind."""
    return [text for name, text in BLOCKS if name == kind]


def statements(text):
    """Give (lines of a statement, what is to appear) of a session at the prompt."""
    found = []
    for line in text.splitlines():
        if line.startswith(">>> "):
            found.append(([line[4:]], []))
        elif line.startswith("..."):
            found[-1][0].append(line[4:])
        else:
            found[-1][1].append(line)
    return [(lines, "\n".join(said)) for lines, said in found]


class Desk:
    """The cloud and the board of the guide; what is typed meets them instead of its own."""

    def __init__(self, folder, stack):
        bench = Bench(folder)
        stack.callback(bench.close)
        board = bench.board({"/particle_board.py": _PROFILE})
        (board.path / "radio.json").write_text(json.dumps(_AIR))
        self.pins = board.path / "pins.json"
        self.port = bench.start(board, None, "--pty").wait_for("serial ").split()[1]
        self.cloud = LocalCloud(folder, user=USER)
        stack.callback(self.cloud.stop)
        self.folder = folder

    def shell(self, text):
        """Run commands of the guide; return what they print."""
        for old, new in (
            ("/dev/ttyUSB0", self.port),
            ("http://127.0.0.1:8080", self.cloud.url),
            ("--server 192.168.1.20", ""),  # the cloud says where it is
            # nothing is written to a board that has no bootloader
            ("--firmware ESP32_GENERIC.bin", "--dry-run"),
        ):
            text = text.replace(old, new)
        path = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", text],
            cwd=self.folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
