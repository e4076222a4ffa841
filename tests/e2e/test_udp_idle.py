"""A board that waits over UDP is reached by a cloud that was killed and is back (decision 3)."""

import time

import pytest

import ports
from e2e.desk import LIMIT, REMOTE, Board
from particle_tools.local import LocalCloud, wait_for

SETUP = """
particle.variable("temp", 21.5)
particle.subscribe("order", lambda name, data: heard.append(data))
"""


@pytest.fixture
def clouds(tmp_path):
    """Start clouds on the same data and ports, one after the other."""
    options = ports.options("udp")
    running = []

    def start():
        user = running[0].user if running else None
        running.append(LocalCloud(tmp_path / "cloud", user=user, options=options))
        return running[-1]

    yield start
    for cloud in running:
        cloud.stop()
    assert "Traceback" not in running[0].output()


def test_a_board_that_waits_is_called(tmp_path, clouds):
    cloud = clouds()
    script = tmp_path / "board.py"
    script.write_text(REMOTE.format(setup=SETUP))
    board = Board(tmp_path / "board", cloud, script=script, transport="udp")
    try:
        device, api = board.device_id, cloud.api()
        board.said("connected")
        assert wait_for(lambda: api.device(device)["variables"], LIMIT)
        assert board.did(api, "1 + 1") == "= 2"
        for turn in range(2):
            cloud.kill()
            cloud = clouds()
            api = cloud.api()
            began = time.monotonic()
            assert api.device(device)["online"]
            assert api.read(device, "temp") == 21.5
            # Its next ping is up to 25 s away.
            assert time.monotonic() - began < 15
            cloud.kill()
            cloud = clouds()
            api = cloud.api()
            api.publish("order", f"tea {turn}")
            cloud.kill()  # at any moment: the board may or may not have heard it
            cloud = clouds()
            api = cloud.api()
            assert board.did(api, f"'turn {turn}'") == f"= 'turn {turn}'"
            api.publish("order", f"milk {turn}")
            assert wait_for(lambda n=turn, a=api: f"milk {n}" in board.did(a, "heard"), LIMIT)
        usage = api.usage(device)  # of the last seconds only: it is stored now and then
        assert usage["handshakes"] <= 1 and usage["resumes"] == 0
    finally:
        board.stop()
