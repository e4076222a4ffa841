"""The program in the README runs as it stands there."""

import re

import pytest

from particle_tools import ROOT
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

README = (ROOT / "README.md").read_text()


def program():
    """Return the first Python block of the README."""
    return re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]


@pytest.fixture
def cloud(tmp_path):
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.stop()


def test_first_program(cloud, tmp_path):
    text = program()
    assert len(text.splitlines()) <= 15
    assert len([line for line in text.splitlines() if line.strip()]) <= 12
    script = tmp_path / "led.py"
    script.write_text(text)
    api = cloud.api()
    events = api.events()
    board = SimulatedBoard(tmp_path / "board", cloud, script=script)
    try:
        event = events.wait("hello")
        assert (event["data"], event["coreid"]) == ("world", board.device_id)
        assert wait_for(lambda: api.device(board.device_id)["functions"] == ["led"], 10)
        assert api.call(board.device_id, "led", "on") == 1
        assert api.call(board.device_id, "led", "off") == 0
        assert api.read(board.device_id, "temp") == 21.5
        api.publish("alarm", "fire")
        assert wait_for(lambda: "alarm fire" in board.output(), 10), board.output()
    finally:
        events.close()
        board.stop()


def test_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
