"""What an ESP32 does before MicroPython starts: table of partitions, check of an image, and
the choice of the second stage bootloader, with rollback enabled as in all builds of MicroPython
(esp-idf, bootloader_support: bootloader_utility, esp_image_format, flash_partitions).

Imitated: a firmware that was tried and not confirmed is given up, a new one is marked before it
is started, an image that is damaged or for another chip is passed over for the ones before it and
those behind it, a table without `factory` gets its first record at the first start. Not imitated:
encryption, secure boot, versions in eFuses, the test partition, RTC memory of a deep sleep.

chip: read(at, buffer), erase(at) of 4 KiB, program(at, data), which clears bits; chip_id, as
images have it.
"""

import hashlib
import struct

import _otadata
from micropython import const

APP = const(0)  # types
DATA = const(1)
FACTORY = const(0x00)  # subtypes of APP
OTA_0 = const(0x10)
_OTA_LAST = const(0x1F)
OTADATA = const(0x00)  # subtype of DATA

_TABLE = const(0x8000)
_TABLE_ENTRIES = const(95)
_TABLE_ENTRY = "<HBBII16sI"
_TABLE_ENTRY_BYTES = const(32)
_TABLE_MAGIC = const(0x50AA)

_IMAGE_MAGIC = const(0xE9)
_IMAGE = "<BB10xH9xB"  # magic, segments, chip, whether a SHA-256 is appended
_IMAGE_BYTES = const(24)
_SEGMENT = "<II"  # load address, bytes
_SEGMENT_BYTES = const(8)
_SEGMENTS = const(16)
_SUM = const(0xEF)
_PIECE = const(4096)


def table(chip):
    """Return the partitions: (type, subtype, address, size, label, encrypted), in their order."""
    found = []
    data = bytearray(_TABLE_ENTRY_BYTES)
    for number in range(_TABLE_ENTRIES):
        chip.read(_TABLE + number * _TABLE_ENTRY_BYTES, data)
        magic, kind, subtype, at, size, label, flags = struct.unpack(_TABLE_ENTRY, data)
        if magic != _TABLE_MAGIC:
            break
        label = label.split(b"\0", 1)[0].decode()
        found.append((kind, subtype, at, size, label, bool(flags & 1)))
    return found


def slots(partitions):
    """Return the partitions for firmware that otadata numbers, in the order of their numbers."""
    found = [p for p in partitions if p[0] == APP and OTA_0 <= p[1] <= _OTA_LAST]
    return sorted(found, key=lambda p: p[1])


def first(partitions, kind, subtype):
    """Return the first partition of a kind, None without one."""
    for partition in partitions:
        if partition[:2] == (kind, subtype):
            return partition
    return None


def segments(chip, partition):
    """Return (address, size) of the segments of the image in a partition, and where they end.

    Raises ValueError for what is no image for this chip, with the reason.
    """
    at, size = partition[2:4]
    head = bytearray(_IMAGE_BYTES)
    chip.read(at, head)
    magic, count, chip_id, hashed = struct.unpack(_IMAGE, head)
    if magic != _IMAGE_MAGIC:
        raise ValueError("invalid magic byte")
    if chip_id != chip.chip_id:
        raise ValueError("for chip %d, not %d" % (chip_id, chip.chip_id))
    if count > _SEGMENTS:
        raise ValueError("too many segments")
    found = []
    end = _IMAGE_BYTES
    head = bytearray(_SEGMENT_BYTES)
    for _ in range(count):
        if end + _SEGMENT_BYTES > size:
            raise ValueError("larger than its partition")
        chip.read(at + end, head)
        _, n = struct.unpack(_SEGMENT, head)
        end += _SEGMENT_BYTES
        if n % 4 or end + n > size:
            raise ValueError("a segment of %d bytes" % n)
        found.append((at + end, n))
        end += n
    # the checksum is the last byte of 16
    end = (end + 16) & ~15
    if end + (32 if hashed else 0) > size:
        raise ValueError("larger than its partition")
    return found, end, hashed


def check(chip, partition):
    """Read a whole image; raise ValueError when it must not be started."""
    at = partition[2]
    found, end, hashed = segments(chip, partition)
    total = 0
    for where, n in found:
        for data in _pieces(chip, where, n):
            # many bytes at once, folded below
            total ^= int.from_bytes(data, "little")
    n = _PIECE
    while n > 1:
        n //= 2
        total = total >> 8 * n ^ total & (1 << 8 * n) - 1
    data = bytearray(1)
    chip.read(at + end - 1, data)
    if data[0] != _SUM ^ total:
        raise ValueError("checksum failed")
    if hashed:
        digest = hashlib.sha256()
        for data in _pieces(chip, at, end):
            digest.update(data)
        data = bytearray(32)
        chip.read(at + end, data)
        if digest.digest() != data:
            raise ValueError("image hash failed")


def _pieces(chip, at, n):
    while n:
        data = bytearray(min(n, _PIECE))
        chip.read(at, data)
        yield data
        at += len(data)
        n -= len(data)


def _selected(chip, partitions, apps):
    # -> number of the slot to begin with, -1 factory; whether otadata has never been written
    where = first(partitions, DATA, OTADATA)
    if where is None:
        return -1, False
    where = where[2]
    records = _otadata.read(chip, where)
    for i in range(2):
        if records[i].state == _otadata.PENDING_VERIFY:
            records[i].mark(chip, where + i * _otadata.SECTOR, _otadata.ABORTED)
    if not apps or records[0].void() and records[1].void():
        if first(partitions, APP, FACTORY):
            return -1, False
        return 0, not records[0].whole() and not records[1].whole()
    i = _otadata.active(records)
    if i < 0:
        return -1, False
    record = records[i]
    number = (record.sequence - 1) % len(apps)
    if record.state == _otadata.NEW:
        record.mark(chip, where + i * _otadata.SECTOR, _otadata.PENDING_VERIFY)
    return number, False


def start(chip):
    """Choose the firmware to start; return its partition, None when nothing can be started."""
    partitions = table(chip)
    apps = slots(partitions)
    number, initial = _selected(chip, partitions, apps)
    order = list(range(number, -2, -1)) + list(range(number + 1, len(apps)))
    for i in order:
        partition = first(partitions, APP, FACTORY) if i < 0 else apps[i]
        if not partition:
            continue
        try:
            check(chip, partition)
        except ValueError as e:
            print("boot: %s is not bootable: %s" % (partition[4], e))
            continue
        if i >= 0 and initial:
            at = first(partitions, DATA, OTADATA)[2]
            record = _otadata.Record(b"\xff" * 32)
            record.change(chip, at, i + 1, _otadata.VALID)
        return partition
    print("boot: No bootable app partitions in the partition table")
    return None
