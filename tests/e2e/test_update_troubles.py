"""Updates that a board has no room for, those that come while another one does, and applications
that are given up, over both transports and in processes of their own.
"""

import os
import signal

import pytest

from e2e.desk import store
from e2e.test_hand_off import HANGING, HUNGRY, LIMIT, LOST, last, runs
from e2e.updates import GOOD, image, start
from particle_tools.local import wait_for
from process_sockets import family

FASTER = 4  # the trial takes 5 s of the board's time
LARGE = GOOD + "\n# " + "".join(chr(97 + i * i % 26) for i in range(100_000))
BALLAST = 900_000  # bytes of a flash of 1 MiB

TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture
def stop():
    """Give what stops the processes of a board; they go on at the end at the latest."""
    stopped = []

    def stop(board):
        for pid in family(board.process.pid):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

    def go_on():
        while stopped:
            os.kill(stopped.pop(), signal.SIGCONT)

    stop.over = go_on
    yield stop
    go_on()


@TRANSPORTS
def test_another_one_comes_and_one_that_has_no_room(desk, api, stop, transport):
    board = start(desk, transport, FASTER)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    # it cannot have taken the first one before the second is there
    stop(board)
    api.flash(device, image(1, LARGE))
    assert wait_for(lambda: last(api, device)["phase"] == "sending", LIMIT)
    api.flash(device, image(2))
    stop.over()
    board.said("update: version 2 is kept", LIMIT)
    assert wait_for(lambda: states(api, device) == ["success", "replaced"], LIMIT)
    board.kill()
    # where there is no room nothing changes
    store(desk.folder / "board", "ballast", bytes(BALLAST))
    board = desk.board(None, transport=None, options=("--time-scale", str(FASTER)))
    runs(api, board, 2)
    large = image(3, LARGE)
    api.flash(device, large)
    assert wait_for(lambda: last(api, device)["state"] not in ("waiting", "started"), LIMIT)
    failed = last(api, device)
    assert failed["state"] == "failed", failed
    assert f'"no room for {len(large)} bytes"' in failed["error"], failed
    assert failed["error"].endswith("error -1351"), failed
    runs(api, board, 2)


def states(api, device):
    """Return what became of the updates of a device, the last one first."""
    return [each["state"] for each in api.get(f"/local/v1/devices/{device}/updates")]


@pytest.mark.soak
@pytest.mark.parametrize("source", [HUNGRY, HANGING, LOST], ids=["hungry", "hanging", "lost"])
def test_bad_applications_are_given_up_over_tcp(desk, api, events, source):
    board = start(desk, "tcp", scale=60)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, image(2, source))
    while not events.wait("spark/device/last_reset", LIMIT)["data"].startswith("update_rollback"):
        pass
    assert wait_for(lambda: api.device(device)["functions"] == ["echo"], LIMIT)
    assert wait_for(lambda: last(api, device)["state"] == "failed", LIMIT)
