"""The program of the guide to listening mode runs as it stands, up to the cloud."""

import contextlib
import json
import re

from particle_tools import ROOT
from particle_tools.local import LocalCloud, SimulatedBoard
from sim.terminal import Terminal

GUIDE = (ROOT / "docs" / "listening.md").read_text()


def test_a_board_is_set_up_at_its_serial_port(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    script = tmp_path / "program.py"
    script.write_text(program)
    board = tmp_path / "board"
    board.mkdir()
    home = {"ssid": "Home", "password": "correct horse"}
    # a button that nobody presses
    (board / "radio.json").write_text(json.dumps({"networks": [home], "pins": {"0": 1}}))
    with contextlib.ExitStack() as stack:
        cloud = LocalCloud(tmp_path / "cloud")
        stack.callback(cloud.stop)
        events = stack.enter_context(contextlib.closing(cloud.api().events()))
        sim = SimulatedBoard(board, cloud, script=script, transport="udp", pty=True)
        stack.callback(sim.stop)
        t = stack.enter_context(contextlib.closing(Terminal(sim.serial)))
        t.finds(rb"listening for 0 ms\r\n")
        t.listens()
        t.type(b"w")
        t.finds(rb"SSID: ")
        t.type(b"Home\n")
        t.finds(rb"Password: ")
        t.type(b"correct horse\n")
        t.finds(rb"Awesome")
        assert events.wait("set up", 60)["data"] == "Home"
