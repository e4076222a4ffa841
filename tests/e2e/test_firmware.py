"""New firmware over the air, from the upload to the version that is kept or given up (ota-and-boot
3.2), in processes of their own.
"""

import pytest

from e2e.firmwares import CRASHING, HANGING, start, tampered, update
from e2e.test_hand_off import LIMIT, ended, last
from e2e.updates import OTHER
from e2e.updates import image as application
from particle_tools.errors import UserError
from particle_tools.local import wait_for

GIVEN_UP = "update_rollback, firmware version %d: it was not well in its only boot"


def runs(api, board, version):
    """Wait until the cloud can read on which firmware the application runs."""

    def found():
        try:
            return api.read(board.device_id, "firmware")
        except UserError:
            return None  # it is being reset, or describes itself just now

    assert wait_for(lambda: found() == version, LIMIT)


def rolled_back(events):
    """Return what the cloud is told of the next rollback."""
    while True:
        told = events.wait("spark/device/last_reset", LIMIT)["data"]
        if told.startswith("update_rollback"):
            return told


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_firmware_comes_and_goes(desk, api, events, transport):
    board = start(desk, transport)
    device, folder = board.device_id, desk.folder
    runs(api, board, 0)
    api.flash(device, update(folder, 2))
    assert ended(events) == "success"
    # it is kept when the application says that it is well, not before
    runs(api, board, 2)
    api.call(device, "well", "")
    board.said("update: firmware 2 is kept")
    # what is right but not well has one boot
    api.flash(device, update(folder, 3, CRASHING))
    board.said("ValueError: on purpose", LIMIT)
    assert rolled_back(events) == GIVEN_UP % 3
    assert wait_for(lambda: last(api, device)["state"] == "failed", LIMIT)
    runs(api, board, 2)
    board.kill()
    # a power cut makes no difference
    board = desk.board(None, transport=None)
    runs(api, board, 2)


@pytest.mark.soak
def test_what_is_not_taken_changes_nothing(desk, api, events):
    board = start(desk, "udp")
    device, folder = board.device_id, desk.folder
    runs(api, board, 0)
    for number, bad in enumerate(
        (
            tampered(folder, 4),
            update(folder, 4, key=OTHER),
            update(folder, 4, board="OTHER"),
            update(folder, 4, chip=9),
        )
    ):
        api.flash(device, bad)
        assert ended(events) == "failed", number
    api.flash(device, update(folder, 2, floor=2))
    assert ended(events) == "success"
    runs(api, board, 2)
    # while it is tried the next one waits, and then it is below the floor of what was kept
    api.flash(device, update(folder, 1))
    assert wait_for(lambda: last(api, device)["error"], LIMIT)
    api.call(device, "well", "")
    board.said("update: firmware 2 is kept")
    assert ended(events) == "failed"
    assert "-1320" in last(api, device)["error"]
    # an application is what it always was
    api.flash(device, application(1))
    assert ended(events) == "success"
    board.said("application 1 is connected")


@pytest.mark.soak
def test_firmware_that_hangs_is_given_up(desk, api, events):
    board = start(desk, "udp", scale=20)
    runs(api, board, 0)
    api.flash(board.device_id, update(desk.folder, 3, HANGING))
    assert rolled_back(events) == GIVEN_UP % 3
    runs(api, board, 0)


@pytest.mark.soak
def test_firmware_that_does_not_reach_the_cloud_is_given_up(desk, api, events):
    board = start(desk, "udp", scale=20)
    runs(api, board, 0)
    api.flash(board.device_id, update(desk.folder, 4))
    board.said("update: not well after 600 s: reset", 180)
    assert rolled_back(events) == GIVEN_UP % 4
    runs(api, board, 0)
