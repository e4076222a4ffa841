"""`esp32.Partition` of the simulated board (MicroPython docs, library esp32; its ports/esp32 and
esp-idf's esp_partition and esp_ota_ops).

Imitated: who is found and how, reading and writing with and without erasing, bits that a write
can only clear, numbers of the errors; `set_boot`, which reads the whole image and writes the
other record of otadata; `mark_app_valid_cancel_rollback`, which confirms the record that counts -
not the firmware that runs, so that in between `set_boot` and the reset it confirms one that was
never started; a write into the firmware that runs, which ends in a panic. As there, nothing
refuses an update while the running firmware is not confirmed. Not imitated: blocks that are not
of 4096 bytes, encryption, security versions in eFuses.
"""

import _bootloader
import _otadata
from micropython import const

chip = None  # as of `_bootloader`, and panic(text); `esp32` puts the board's here
running = None  # address of the firmware that the bootloader has started

_BLOCK = const(4096)
_ENOENT = const(2)
_ANY = const(0xFF)

_FAIL = const(-1)
_INVALID_ARG = const(0x102)
_INVALID_SIZE = const(0x104)
_NOT_FOUND = const(0x105)
_VALIDATE_FAILED = const(0x1503)
_NAMES = {
    _FAIL: "ESP_FAIL",
    _INVALID_ARG: "ESP_ERR_INVALID_ARG",
    _INVALID_SIZE: "ESP_ERR_INVALID_SIZE",
    _NOT_FOUND: "ESP_ERR_NOT_FOUND",
    _VALIDATE_FAILED: "ESP_ERR_OTA_VALIDATE_FAILED",
}


def _raise(code):
    raise OSError(-code, _NAMES[code])


def _otadata_at(partitions):
    found = _bootloader.first(partitions, _bootloader.DATA, _bootloader.OTADATA)
    if found is None:
        _raise(_NOT_FOUND)
    return found[2]


def _default(partitions):
    # what the bootloader takes when otadata says nothing
    return _bootloader.first(partitions, _bootloader.APP, _bootloader.FACTORY) or next(
        iter(_bootloader.slots(partitions)), None
    )


def _to_boot(partitions):
    found = _bootloader.first(partitions, _bootloader.DATA, _bootloader.OTADATA)
    if found is None:
        return None
    records = _otadata.read(chip, found[2])
    apps = _bootloader.slots(partitions)
    i = _otadata.active(records)
    if i < 0 or not apps:
        return _default(partitions)
    return apps[(records[i].sequence - 1) % len(apps)]


class Partition:
    """Partition(id): of a label, or BOOT or RUNNING; OSError 2 when there is none."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=4096):
        if block_size != _BLOCK:
            raise ValueError("blocks of %d bytes are not imitated" % block_size)
        all_ = _table()
        if isinstance(id, tuple):  # as `find` makes them
            found = id
        elif isinstance(id, int):
            if id not in (0, 1):
                raise ValueError
            found = _to_boot(all_) if id == 0 else _at(all_, running)
        else:
            same = [p for p in all_ if p[4] == id]
            found = next(iter(sorted(same)), None)  # applications first
        if found is None:
            raise OSError(_ENOENT)
        self._found = found

    def __repr__(self):
        return "<Partition type=%d, subtype=%d, address=%d, size=%d, label=%s, encrypted=%d>" % (
            self._found
        )

    @staticmethod
    def find(type=0, subtype=0xFF, label=None, block_size=4096):
        """Return all partitions of a type, with this subtype and label if they are given."""
        return [
            Partition(p, block_size)
            for p in _table()
            if p[0] == type and subtype in (_ANY, p[1]) and label in (None, p[4])
        ]

    def info(self):
        """Return (type, subtype, address, size, label, encrypted)."""
        return self._found

    def _range(self, block, n, offset):
        at = block * _BLOCK + offset
        size = self._found[3]
        if not 0 <= at <= size:
            _raise(_INVALID_ARG)
        if at + n > size:
            _raise(_INVALID_SIZE)
        return self._found[2] + at

    def _own(self):
        # writing over the code that runs is caught by the flash driver
        if self._found[2] == running:
            chip.panic("abort() was called: a write into the firmware that runs")

    def readblocks(self, block_num, buf, offset=0):
        """Read into `buf`; any length."""
        chip.read(self._range(block_num, len(buf), offset), buf)

    def writeblocks(self, block_num, buf, offset=None):
        """Write `buf`; without `offset` what it takes is erased first: whole blocks."""
        n = len(buf)
        at = self._range(block_num, n, offset or 0)
        self._own()
        if offset is None:
            self._erase(at, n)
        chip.program(at, buf)

    def _erase(self, at, n):
        if n % _BLOCK:
            _raise(_INVALID_SIZE)
        for each in range(at, at + n, _BLOCK):
            chip.erase(each)

    def ioctl(self, op, arg):
        """Answer 4 block count, 5 block size; 6 erases block `arg`; 1, 2, 3 have nothing to do."""
        if op in (1, 2, 3):
            return 0
        if op == 4:
            return self._found[3] // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            at = self._range(arg, _BLOCK, 0)
            self._own()
            self._erase(at, _BLOCK)
            return 0
        return None

    def set_boot(self):
        """Check the image and have the next start try it; OSError -5379 when it is not good."""
        partitions = _table()
        kind, subtype = self._found[:2]
        try:
            _bootloader.check(chip, self._found)
        except ValueError:
            _raise(_VALIDATE_FAILED)
        if kind != _bootloader.APP:
            _raise(_INVALID_ARG)
        where = _otadata_at(partitions)
        if subtype == _bootloader.FACTORY:
            self._erase(where, 2 * _otadata.SECTOR)
            return
        count = len(_bootloader.slots(partitions))
        number = subtype - _bootloader.OTA_0
        if not 0 <= number < count:
            _raise(_INVALID_ARG)
        records = _otadata.read(chip, where)
        i = _otadata.active(records)
        sequence = number + 1
        if i >= 0:
            sequence %= count
            while sequence < records[i].sequence:
                sequence += count
            i = 1 - i
        else:
            i = 0
        records[i].change(chip, where + i * _otadata.SECTOR, sequence, _otadata.NEW)

    def get_next_update(self):
        """Return the slot behind this one, the first slot behind the last."""
        apps = _bootloader.slots(_table())
        if not apps:
            raise OSError(_ENOENT)
        numbers = [p[2] for p in apps]
        i = numbers.index(self._found[2]) + 1 if self._found[2] in numbers else 0
        return Partition(apps[i % len(apps)])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        """Confirm what otadata says; OSError -261 without otadata, when it says nothing 1."""
        partitions = _table()
        where = _otadata_at(partitions)
        records = _otadata.read(chip, where)
        i = _otadata.active(records)
        if i < 0 or not _bootloader.slots(partitions):
            _raise(_FAIL)
        if records[i].state != _otadata.VALID:
            at = where + i * _otadata.SECTOR
            records[i].change(chip, at, records[i].sequence, _otadata.VALID)


def _table():
    return _bootloader.table(chip) if chip else []


def _at(partitions, address):
    for partition in partitions:
        if partition[2] == address:
            return partition
    return None
