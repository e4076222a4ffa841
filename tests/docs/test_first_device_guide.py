"""The first ten minutes, as they stand in the guide: on a board as from the shop, by mpremote."""

import contextlib
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from e2e.mpremote import mpremote
from e2e.remote_prompt import RemotePrompt, matches
from particle_tools import ROOT, packing
from particle_tools.cli import build_parser
from particle_tools.local import LocalCloud, wait_for
from sim.boards import Bench

GUIDE = (ROOT / "docs" / "first-device.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
USER = "me@example.com:secret"

# The simulated board's own profile, on a network of the air.
_PROFILE = """
with open("/sim/particle_board.py") as f:
    exec(f.read())
NET = "wifi"
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

    def prompt(self, text):
        """Type a session of the guide at the prompt and compare what appears."""
        with RemotePrompt(self.port) as prompt:
            for lines, expected in statements(text):
                said = prompt.lines(lines)
                assert matches(said, expected), (lines, said)


@pytest.fixture
def desk(tmp_path):
    """Give the desk."""
    with contextlib.ExitStack() as stack:
        yield Desk(tmp_path, stack)


def test_the_story(desk):
    serve, make, repl, laptop, keep, less, doctor, remove = blocks("sh")
    build_parser(["cloud"]).parse_args(shlex.split(serve.splitlines()[1])[1:])
    assert repl.split()[-1] == "repl" and "particle call first led on" in laptop
    printed = desk.shell(make)
    assert "esptool --chip esp32" in printed
    report = printed[printed.index("device id") :]
    rows = [line.split()[0] for line in blocks("text")[0].splitlines()]
    assert [line.split()[0] for line in report.splitlines()] == rows
    assert report.splitlines()[-2:] == blocks("text")[0].splitlines()[-2:]

    api = desk.cloud.api()
    events = api.events()
    first, looked, again = blocks("pycon")
    with RemotePrompt(desk.port) as prompt:
        for lines, expected in statements(first + looked):
            said = prompt.lines(lines)
            assert matches(said, expected), (lines, said)
        assert events.wait("hello")["data"] == "world"
        prompt.begin("particle.run()\r")  # there is no machine.Timer
        (device,) = api.get("/v1/devices")
        assert wait_for(lambda: api.device(device["id"])["functions"] == ["led"], 30)
        assert api.call("first", "led", "on") == 1
        assert json.loads(desk.pins.read_text())["2"]["value"] == 1
        assert api.read("first", "temp") == 21.5
        assert "KeyboardInterrupt" in prompt.type("\x03")
        for lines, expected in statements(again):
            said = prompt.lines(lines)
            assert matches(said, expected), (lines, said)
    events.close()

    (desk.folder / "main.py").write_text(blocks("python")[0])
    desk.shell(keep)
    assert wait_for(lambda: calls(api, "off") == 1, 30)
    seen = set()
    assert wait_for(lambda: seen.add(desk.pins.read_text()) or len(seen) > 1, 30)
    assert api.usage(device["id"])["handshakes"] == 1

    # version and hash, asked on the board and from the host; what differs, and what is upgraded
    hashes = {path: digits for path, digits in packing.known_files().items() if path[-3:] != ".py"}
    known = f"{packing.__version__}, {len(hashes)} files, hash {packing.library_hash(hashes)}"
    asked = "import particle; print(particle.diagnose()[0])"
    assert mpremote(desk.port, "exec", asked) == f"('library', True, '{known}')\n"
    damage = "with open('/flash/lib/particle/client.mpy', 'ab') as f: f.write(b'x')"
    mpremote(desk.port, "exec", damage)
    rows = re.findall(r"^(.{4}) library: (.*)$", desk.shell(doctor), re.MULTILINE)
    assert [row[0] for row in rows] == ["ok  ", "-   "]
    assert f"library {packing.__version__}, {len(hashes)} files, hash " in rows[0][1]
    assert rows[1][1].endswith(": particle/client.mpy")
    said = desk.shell(less)
    assert re.findall(r"Installing: .*/particle/(.*)", said) == ["client.mpy"]
    assert said.count("Exists:") > len(hashes)
    desk.shell(remove)
    shown = desk.shell("mpremote connect /dev/ttyUSB0 fs ls :lib + fs ls :pt")
    assert "particle" not in shown and "device.ec.der" in shown


def calls(api, argument):
    """Call the function of the guide; None while the board is not there."""
    from particle_tools.errors import UserError

    try:
        return api.call("first", "led", argument)
    except UserError:
        return None


def test_every_link_leads_somewhere():
    for name in re.findall(r"\]\(([\w.-]+)\)", GUIDE):
        assert (Path(ROOT) / "docs" / name).is_file(), name
