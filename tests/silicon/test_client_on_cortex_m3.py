"""The frozen client on the emulated Cortex-M3 against the real local cloud, boot after boot."""

import random
import threading
import time

import pytest

from particle_tools import ROOT
from particle_tools.firmware import natmod
from particle_tools.local import LocalCloud
from silicon import cortex_m3
from silicon.m3_board import M3Board

_APPLICATION = ROOT / "tests" / "silicon" / "m3_client_app.py"
_TALKATIVE = ROOT / "tests" / "silicon" / "m3_cut_app.py"
_ID = "3a" * 12
_ASKS = """
import sys
print("native" if "particle.crypto.native" in sys.modules else "Python")
"""


@pytest.fixture
def cloud(need, tmp_path):
    """Give a running cloud."""
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.stop()


def boot(board, api, application=_APPLICATION, **options):
    """Boot once, use the device while it is there, and return (console, variable, result)."""
    events = api.events()
    seen = {}

    def use():
        events.wait("m3/here", 100)
        seen["level"] = api.read(_ID, "level")
        seen["result"] = api.call(_ID, "answer", "four")

    user = threading.Thread(target=use, daemon=True)
    user.start()
    console = board.run(application, seconds=110, **options)
    user.join(40)
    events.close()
    return console, seen.get("level"), seen.get("result")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_two_boots(cloud, tmp_path, transport):
    board = M3Board(tmp_path / "board", cloud, _ID, transport)
    api = cloud.api()
    for resumes in (0, 1):
        console, level, result = boot(board, api)
        assert (level, result) == (42, 4), console
        assert console.endswith("called with four\n")
        assert "Traceback" not in console
        if transport == "udp":
            usage = api.usage(_ID)
            assert (usage["handshakes"], usage["resumes"]) == (1, resumes)


def test_with_the_c_module(cloud, tmp_path):
    application = tmp_path / "app.py"
    application.write_text(_APPLICATION.read_text() + _ASKS)
    board = M3Board(tmp_path / "board", cloud, _ID, "udp")
    api = cloud.api()
    there = {f"{natmod.NAME}.mpy": natmod.build("armv7m")}
    # the session that Python has saved goes on with C and the other way round
    for files, resumes, how in (({}, 0, "Python"), (there, 1, "native"), ({}, 2, "Python")):
        console, level, result = boot(board, api, application, files=files)
        assert (level, result) == (42, 4), console
        assert console.endswith(f"called with four\n{how}\n")
        usage = api.usage(_ID)
        assert (usage["handshakes"], usage["resumes"]) == (1, resumes)
    board.forget_session()
    console, level, result = boot(board, api, application, files=there)
    assert (level, result) == (42, 4) and console.endswith("native\n"), console
    assert api.usage(_ID)["handshakes"] == 2


def test_power_cuts(cloud, tmp_path):
    """Off at any time, without a word: every boot goes on with the session of the first."""
    board = M3Board(tmp_path / "board", cloud, _ID, "udp")
    api = cloud.api()
    source = random.Random(9)
    for cuts in (1, 2):
        events = api.events()
        with board.on(_TALKATIVE):
            for _ in range(3):
                events.wait("m3/again", 100)
            time.sleep(source.uniform(0, 0.5))
        events.close()
        usage = api.usage(_ID)
        assert (usage["handshakes"], usage["resumes"]) == (1, cuts - 1)
    console, level, result = boot(board, api)
    assert (level, result) == (42, 4), console
    usage = api.usage(_ID)
    assert (usage["handshakes"], usage["resumes"]) == (1, 2)
