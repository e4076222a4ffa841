"""The programs of the guides run as they stand, and the guides name what the code knows."""

import re

import pytest

from e2e import updates
from e2e.updates import KEY
from particle.runtime.remedy import TEXTS
from particle_tools import ROOT
from particle_tools.errors import UserError
from particle_tools.images import signing
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for
from particle_tools.sim import image
from slot_files import manifest, record

DOCS = ROOT / "docs"


def programs(name):
    """Return the Python blocks of a guide."""
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


@pytest.fixture
def start(tmp_path):
    """Run a program on a board of its own; returns the cloud's view of it and the events."""
    cloud = LocalCloud(tmp_path)
    api = cloud.api()
    events = api.events()
    boards = []

    def run(text):
        script = tmp_path / "program.py"
        script.write_text(text)
        boards.append(SimulatedBoard(tmp_path / "board", cloud, script=script))
        return api, events, boards[-1]

    def install(text):
        # the boot stage finds it as the application that was kept
        _, _, board = run("")
        assert board.process.wait(30) == 0
        app = {"app.py": text.encode()}
        about = manifest(1, app)
        kept = {"/pt/a/app.py": app["app.py"], "/pt/a/manifest": about}
        kept["/pt/boot.rec"] = record(1, about)
        key = {"/pt/update.0.der": signing.der(KEY.public_key())}
        image.write(tmp_path / "board" / "flash.img", kept | key)
        boards.append(SimulatedBoard(tmp_path / "board", cloud, transport=None))
        return api, events, boards[-1]

    run.install = install

    yield run
    events.close()
    for board in boards:
        board.stop()
    cloud.stop()


def test_script(start):
    api, events, board = start(programs("device.md")[0])
    assert events.wait("ready")["data"].startswith("board-")
    assert api.call(board.device_id, "add", "5") == 5
    assert api.call(board.device_id, "add", "") == 6
    assert api.read(board.device_id, "count") == 6


def answers(api, events, board):
    """The board answers an order it is sent; it may not have subscribed yet."""

    def once():
        api.publish("order", "tea")
        try:
            return events.wait("done", 1)["data"] == "tea"
        except UserError:
            return False

    assert wait_for(once, 30), board.output()


def test_loop(start):
    api, events, board = start(programs("device.md")[1])
    answers(api, events, board)
    assert api.read(board.device_id, "uptime") >= 0


def test_asyncio(start):
    api, events, board = start(programs("device.md")[2])
    assert events.wait("ready")["data"] == "go"
    answers(api, events, board)
    assert api.call(board.device_id, "blink", "7") == 7


def test_what_outlives_a_reset(start):
    api, events, board = start(programs("device.md")[3])
    assert events.wait("boots")["data"] == "1"
    assert wait_for(lambda: "acknowledged 1" in board.output(), 30), board.output()


def test_a_start_up_that_looks_for_safe_mode_goes_on(start):
    api, events, board = start(programs("device.md")[4])
    assert board.process.wait(30) == 0, board.output()


def test_updates(start):
    api, events, board = start.install(programs("device.md")[5])
    assert wait_for(lambda: api.device(board.device_id)["online"], 30), board.output()
    api.flash(board.device_id, updates.image(2))
    assert wait_for(lambda: "off to the new application" in board.lines(), 60), board.output()
    told = [line for line in board.lines() if line.startswith("update ")]
    assert told[0] == "update 0 3" and "update 1 2" in told, told
    assert wait_for(lambda: "update: version 2 is kept" in board.lines(), 60), board.output()


def test_every_stage_has_a_row():
    text = (DOCS / "troubleshooting.md").read_text()
    rows = set(re.findall(r"^\| ([\w ]+?) \|", text, re.MULTILINE))
    assert set(dict(TEXTS)) | {"id", "store"} <= rows
