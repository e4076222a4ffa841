"""What the boot ROM of an RP2350 does with two firmwares in flash (RP2350 datasheet, 5.1 and 5.9;
numbers of picobin.h of the pico-sdk): the table of partitions as it stands in flash, which of two
linked partitions starts, "try before you buy".

No firmware of ours uses it: MicroPython gives no way to the functions of the ROM, nor to the flash
below its own storage. It shows what would be there.

Imitated: blocks and their loops of one, the items PARTITION_TABLE, IMAGE_DEF and VERSION; the
choice between A and B by version; FLASH_UPDATE, which chooses what was just written whatever its
version is, and erases the first sector of the other one; a trial that is over when nobody buys it
in 16.7 s, or when the board is reset. Not imitated: signatures, hashes, slots for the table,
owners of partitions, RISC-V, rollback versions, families of UF2.
"""

import struct
from dataclasses import dataclass

SECTOR = 4096
TRIAL_S = 16.7

_START, _END = 0xFFFFDED3, 0xAB123579
_TABLE_ITEM, _IMAGE_ITEM, _VERSION_ITEM, _LAST_ITEM = 0x0A, 0x42, 0x48, 0xFF
_ALL = 0xFC000000  # may be read and written by everybody
_HAS_NAME = 0x1000
_LINK_A = 1 << 1
_MOST_BYTES = 640  # of a block with a table
_EXECUTABLE = 0x1021  # secure, Arm, RP2350
_TBYB = 0x8000


class Bad(Exception):
    """What the boot ROM would ignore."""


@dataclass(frozen=True)
class Partition:
    """One partition; bytes. a: number of the partition A, of which this is B."""

    name: str
    first: int
    size: int
    a: int | None = None


def table(partitions, free=_ALL):
    """Return the block with a table, as it stands at the beginning of the flash."""
    words = [free]
    for each in partitions:
        if each.first % SECTOR or each.size % SECTOR or not each.size:
            raise Bad(f"{each.name}: whole sectors only")
        first = each.first // SECTOR
        last = first + each.size // SECTOR - 1
        flags = _ALL | (_HAS_NAME if each.name else 0)
        if each.a is not None:
            flags |= _LINK_A | each.a << 3
        words += [_ALL | last << 13 | first, flags]
        if each.name:
            name = bytes([len(each.name)]) + each.name.encode()
            name += bytes(-len(name) % 4)
            words += struct.unpack(f"<{len(name) // 4}I", name)
    head = _TABLE_ITEM | (len(words) + 1) << 8 | len(partitions) << 24
    found = _block(struct.pack(f"<{len(words) + 1}I", head, *words))
    if len(found) > _MOST_BYTES:
        raise Bad("a block of more than 640 bytes")
    return found


def partitions(flash):
    """Return the partitions of a table."""
    kind, flags, body = list(_items(flash))[0]  # noqa: RUF015 - all of the block has to be right
    if kind != _TABLE_ITEM:
        raise Bad("no table of partitions")
    return _partitions(flags >> 8 & 15, struct.unpack(f"<{len(body) // 4}I", body))


def _partitions(count, words):
    found = []
    at = 1
    for _ in range(count):
        location, flags = words[at : at + 2]
        at += 2 + 2 * (flags & 1) + (flags >> 7 & 3)
        name = ""
        if flags & _HAS_NAME:
            raw = struct.pack(f"<{len(words) - at}I", *words[at:])
            name = raw[1 : 1 + (raw[0] & 127)].decode()
            at += (1 + len(name) + 3) // 4
        first = location & 0x1FFF
        size = (location >> 13 & 0x1FFF) - first + 1
        a = flags >> 3 & 15 if flags & 6 == _LINK_A else None
        found.append(Partition(name, first * SECTOR, size * SECTOR, a))
    return found


def image(major, minor, tbyb=False):
    """Return the block that makes what begins with it an image of this version."""
    flags = _EXECUTABLE | (_TBYB if tbyb else 0)
    version = struct.pack("<BBBBHH", _VERSION_ITEM, 2, 0, 0, minor, major)
    return _block(struct.pack("<BBH", _IMAGE_ITEM, 1, flags) + version)


def version(data):
    """Return ((major, minor), whether it has to be bought) of an image."""
    found = (0, 0)
    tbyb = None
    for kind, flags, body in _items(data):
        if kind == _IMAGE_ITEM:
            tbyb = bool(flags & _TBYB)
        elif kind == _VERSION_ITEM and tbyb is not None:
            minor, major = struct.unpack_from("<HH", body)
            found = (major, minor)
    if tbyb is None:
        raise Bad("no image")
    return found, tbyb


def _block(items):
    last = struct.pack("<BHB", _LAST_ITEM, len(items) // 4, 0)
    return struct.pack("<I", _START) + items + last + struct.pack("<II", 0, _END)


def _items(data):
    # (kind, the upper half of its first word, its other words)
    if data[:4] != struct.pack("<I", _START):
        raise Bad("no block")
    at = 4
    while at + 4 <= min(len(data), _MOST_BYTES):
        kind, low, flags = struct.unpack_from("<BBH", data, at)
        if kind == _LAST_ITEM:
            size = low | (flags & 0xFF) << 8
            link, end = struct.unpack_from("<II", data, at + 4)
            if 4 + 4 * size != at or link or end != _END:
                raise Bad("a block that does not end")
            return
        size = low | (flags & 0xFF) << 8 if kind & 0x80 else low
        if not size:
            raise Bad("an item of no size")
        yield kind, flags, bytes(data[at + 4 : at + 4 * size])
        at += 4 * size
    raise Bad("a block that does not end")


class BootRom:
    """The boot ROM over a flash, which is a bytearray."""

    def __init__(self, flash):
        self._flash = flash
        self._trial = None

    def boot(self, updated=None):
        """Start; return the partition that runs, None for the boot loader on USB.

        updated: where the flash was written, in a reboot of the type FLASH_UPDATE.
        """
        self._trial = None
        try:
            found = partitions(self._flash)
        except Bad:
            return None
        for number, a in enumerate(found):
            if a.a is not None:
                continue
            both = [a] + [each for each in found if each.a == number]
            good = [each for each in both if self._image(each)]
            if updated is None:
                # what has to be bought starts in the boot after it was written, and never again
                good = [each for each in good if not self._image(each)[1]]
            wanted = [each for each in good if each.first == updated]
            if not good:
                continue
            runs = wanted[0] if wanted else max(good, key=lambda each: self._image(each)[0])
            others = [each for each in both if each != runs]
            if wanted and self._image(runs)[1]:
                self._trial = runs, others
            elif wanted:
                self._erase(others)
            return runs
        return None

    def buy(self, seconds):
        """Keep what is tried, so many seconds after it was started; else it is over."""
        runs, others = self._trial
        self._trial = None
        if seconds > TRIAL_S:
            return False
        at = runs.first
        data = self._flash[at : at + SECTOR]
        whole = version(data)[0]
        block = image(*whole)
        self._flash[at : at + len(block)] = block
        self._erase(others)
        return True

    def _image(self, partition):
        try:
            return version(self._flash[partition.first : partition.first + SECTOR])
        except Bad:
            return None

    def _erase(self, others):
        for each in others:
            self._flash[each.first : each.first + SECTOR] = b"\xff" * SECTOR
