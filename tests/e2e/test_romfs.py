"""Applications that are ROMFS images in regions of the flash, over the air: taken, cut off by a
power cut, given up (ota-and-boot 4.8).
"""

import pytest
from mpremote.romfs import VfsRomWriter

from e2e.test_hand_off import CRASHING, LIMIT, runs
from e2e.updates import GOOD, KEY, store
from particle_tools.images import bundles, files, signing
from particle_tools.local import wait_for

FASTER = ("--time-scale", "4")  # the trial takes 5 s of the board's time
USES = "import valve\n" + GOOD.replace("** 2", "** 2 + valve.OPEN")


def romfs(version, source=USES):
    """Return a signed file to flash with an application as a ROMFS."""
    writer = VfsRomWriter()
    writer.mkfile("app.py", source.replace("{version}", str(version)).encode())
    writer.opendir("lib")
    writer.mkfile("valve.py", b"OPEN = %d\n" % version)
    writer.mkfile("large.bin", bytes(range(256)) * 80)
    writer.closedir()
    facts = bundles.Facts(
        board="UNIX_SIM", platform=3, product=3, version=version, floor=0, abi=6, client=0x10000
    )
    made = bundles.make(facts, {"app.romfs": bytes(writer.finalise())})
    return files.pack(made.signed(KEY))


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.soak)])
def test_applications_as_romfs_images(desk, api, events, transport):
    folder = desk.made(transport=transport)
    store(folder, "update.0.der", signing.der(KEY.public_key()))
    (folder / "rom.img").write_bytes(b"\xff" * 0x40000)
    # the power fails while the first one is written into its region
    board = desk.board(None, options=("--cut", "60:half", *FASTER))
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, romfs(1))
    assert board.ended() == 80
    board = desk.board(None, transport=None, options=FASTER)
    board.said("update: version 1 is kept", LIMIT)
    runs(api, board, 1)
    assert api.call(device, "square", "12") == 145
    # the other region, and from there back
    api.flash(device, romfs(2, CRASHING))
    told = ""
    while not told.startswith("update_rollback"):
        told = events.wait("spark/device/last_reset", LIMIT)["data"]
    assert "not well in three boots" in told
    runs(api, board, 1)
    api.flash(device, romfs(3))
    board.said("update: version 3 is kept")
    runs(api, board, 3)
    assert api.call(device, "square", "12") == 147
    board.kill()
    # a bit of the image that runs is another one: that costs the new version, not the board
    content = bytearray((folder / "rom.img").read_bytes())
    at = content.index(b"OPEN = 3")
    content[at + 7] ^= 1
    (folder / "rom.img").write_bytes(content)
    board = desk.board(None, transport=None, options=FASTER)
    runs(api, board, 1)
