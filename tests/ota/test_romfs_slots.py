"""Applications as ROMFS images: regions of the flash, what is written there, what is refused."""

import hashlib
import sys

import ram_rom
from bundles import ABOUT, bundle, packed, public, tree, wrapped
from particle.errors import UpdateError
from particle.ota.bootrecord import TRIAL, BootRecord
from particle.ota.region import Region
from particle.ota.romfs_slots import RomfsSlots
from particle.wire.module import user_slots
from ram_flash import BLOCK, RamFlash
from slot_files import install
from support import drive, folder, raises

REGION = 8 * BLOCK
IMAGE = ram_rom.image(bytes(range(250)) * 61)


def _target():
    root = folder("romfs_slots")
    install(root + "/a", 1)
    ram_rom.chip = RamFlash()
    return _again(root), root


def _again(root):
    # what a boot begins with
    return RomfsSlots(ram_rom.Board, root, None, dict(ABOUT), [public()], 12, user_slots(12))


def _file(**options):
    return wrapped(bundle(files={"app.romfs": IMAGE}, **options))


def _send(target, data, step=512, until=None):
    stored = drive(target.begin(len(data), hashlib.sha256(data).digest(), 5))
    for at in range(stored, until or len(data), step):
        work = target.write(data[at : at + step])
        if work:
            drive(work)
    if not until:
        drive(target.verify())
    return stored


def _region(number):
    return bytes(Region(ram_rom.Board, number).view())


def test_the_image_is_in_the_region_that_does_not_run():
    target, root = _target()
    for data in (_file(), packed(_file())):
        _send(target, data)
        assert target.finish() == root + "/b"
        record = BootRecord(root)
        assert (record.state, record.trial, record.trial_version) == (TRIAL, 1, 7)
        found = tree(root + "/b")
        assert record.digest == hashlib.sha256(found["manifest"]).digest()
        assert "app.romfs" not in found
        assert _region(1)[: len(IMAGE)] == IMAGE
        assert _region(0) == b"\xff" * REGION
        record.use(0, 1, 0, None)


def test_it_goes_on_after_a_reset():
    _, root = _target()
    data = _file()
    begun = [_send(_again(root), data, until=at) for at in range(1024, len(data), 2048)]
    assert begun == sorted(begun) and begun[-1] > 8192
    target = _again(root)
    assert _send(target, data) > 8192
    target.finish()
    assert _region(1)[: len(IMAGE)] == IMAGE
    # what a power cut may leave there is not taken for what came
    BootRecord(root).use(0, 1, 0, None)
    target = _again(root)
    _send(target, data, until=len(data) - 2048)
    ram_rom.chip.data[ram_rom.FIRST + 8][100] ^= 1
    target = _again(root)
    assert _send(target, data) == 0
    target.finish()
    assert _region(1)[: len(IMAGE)] == IMAGE


def test_what_is_no_application_here():
    target, root = _target()
    for files, code in (
        ({"app.romfs": b"\xd2\xcd1" + b"\x80" * 9}, -1370),
        ({"app.romfs": IMAGE + b"more"}, -1370),
        ({"app.romfs": b"no romfs"}, -1370),
        ({"app.py": b"print(1)"}, -1310),
        ({"app.romfs": IMAGE, "boot.json": b"{}"}, -1310),
        ({"app.romfs": ram_rom.image(bytes(REGION))}, -1351),
    ):
        error = raises(UpdateError, _send, target, wrapped(bundle(files=files)))
        assert error.errno == code, (error.errno, error.text)
        assert "manifest" not in tree(root + "/b")
        assert not BootRecord(root).found


def test_a_region_ends_where_it_ends():
    ram_rom.chip = RamFlash()
    region = Region(ram_rom.Board, 1)
    assert (region.size, region.sector) == (REGION, BLOCK)
    for at in (-BLOCK, REGION, REGION + BLOCK):
        raises(OSError, region.erase, at)
        raises(OSError, region.program, at, bytes(512))
    raises(OSError, region.program, REGION - 256, bytes(512))
    assert not ram_rom.chip.operations
    region.program(REGION - 512, b"end" * 128 + bytes(128))
    assert _region(1)[-512:-509] == b"end" and _region(0) == b"\xff" * REGION


class Partition(bytearray):
    """What rom_ioctl(2, 0) gives on an ESP32: a block device with its bytes."""

    def writeblocks(self, block, buf, offset):
        at = block * BLOCK + offset
        self[at : at + len(buf)] = buf

    def ioctl(self, op, arg):
        if op == 6:
            self.writeblocks(arg, b"\xff" * BLOCK, 0)
        return BLOCK


class Vfs:
    """The module `vfs` of a port with a ROMFS; device: its object, else it takes all requests."""

    def __init__(self, device=None):
        self.bytes = device or bytearray(4 * BLOCK)
        self._device = device

    def rom_ioctl(self, op, number, *args):
        assert number == 0
        if op == 2:
            return self._device or memoryview(self.bytes)
        assert not self._device
        if op == 3:
            at, n = args
            self.bytes[at : at + n] = b"\xff" * n
        elif op == 4:
            at, data = args
            self.bytes[at : at + len(data)] = data
        return BLOCK


class Whole:
    """A profile that uses the ROMFS of the port."""

    ROMFS = ("vfs", 0, 2 * BLOCK)


def test_the_romfs_of_the_port_in_two_halves():
    known = sys.modules.get("vfs")
    try:
        for vfs in (Vfs(), Vfs(Partition(4 * BLOCK))):
            sys.modules["vfs"] = vfs
            region = Region(Whole, 1)
            region.erase(BLOCK)
            region.program(BLOCK + 512, b"there" * 100)
            at = 3 * BLOCK + 512
            assert vfs.bytes[at : at + 500] == b"there" * 100
            assert bytes(region.view()[BLOCK : BLOCK + 512]) == b"\xff" * 512
            assert vfs.bytes[: 3 * BLOCK] == bytes(3 * BLOCK)
    finally:
        del sys.modules["vfs"]
        if known:
            sys.modules["vfs"] = known
