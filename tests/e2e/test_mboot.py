"""New firmware through mboot over the air, from the upload to the version that is kept or given up
(ota-and-boot 3.5), in processes of their own. What of mboot is imitated is said in
boards/UNIX_SIM/modules/_mboot.py.
"""

import pytest

from e2e.firmwares import CRASHING, HANGING, packed, start_mboot
from e2e.test_firmware import rolled_back, runs
from e2e.test_hand_off import LIMIT, ended, last
from e2e.updates import OTHER
from particle_tools.local import wait_for

GIVEN_UP = "update_rollback, firmware version %d: it was not well in three boots"


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.soak)])
def test_firmware_comes_and_goes(desk, api, events, transport):
    board = start_mboot(desk, transport)
    device, folder = board.device_id, desk.folder
    runs(api, board, 0)
    api.flash(device, packed(folder, 2))
    assert ended(events) == "success"
    runs(api, board, 2)
    api.call(device, "well", "")
    board.said("update: firmware 2 is kept")
    # what is right but not well has three boots
    api.flash(device, packed(folder, 3, CRASHING))
    assert rolled_back(events) == GIVEN_UP % 3
    assert sum("ValueError: on purpose" in line for line in board.lines()) == 3
    assert wait_for(lambda: last(api, device)["state"] == "failed", LIMIT)
    runs(api, board, 2)
    board.kill()
    # the power has failed while mboot wrote: the first words are missing, and the registers empty
    flash = desk.folder / "board" / "stm32.img"
    content = flash.read_bytes()
    flash.write_bytes(b"\xff" * 8 + content[8:])
    board = desk.board(None, transport=None)
    runs(api, board, 2)
    assert flash.read_bytes() == content


@pytest.mark.soak
def test_what_is_not_taken_changes_nothing(desk, api, events):
    board = start_mboot(desk, "udp")
    device, folder = board.device_id, desk.folder
    runs(api, board, 0)
    api.flash(device, packed(folder, 4, key=OTHER))
    assert ended(events) == "failed"
    # signed, and mboot finds it damaged
    api.flash(device, packed(folder, 4, damage=True))
    assert rolled_back(events) == "update_rollback, firmware version 4: it was damaged"
    assert wait_for(lambda: last(api, device)["state"] == "failed", LIMIT)
    runs(api, board, 0)


@pytest.mark.soak
def test_firmware_that_hangs_is_given_up(desk, api, events):
    board = start_mboot(desk, "udp", scale=20)
    runs(api, board, 0)
    api.flash(board.device_id, packed(desk.folder, 3, HANGING))
    assert rolled_back(events) == GIVEN_UP % 3
    runs(api, board, 0)
    # before its boot stage runs, too
    (desk.folder / "frozen" / "particle_boot.py").write_text(HANGING)
    api.flash(board.device_id, packed(desk.folder, 4))
    assert rolled_back(events) == GIVEN_UP % 4
    runs(api, board, 0)
