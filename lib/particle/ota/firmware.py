"""Which firmware of an ESP32 runs, which one is being tried, and what became of it (ota-and-boot
3.2, 4.3).

The choice is the bootloader's, in two records of its own (otadata): a new firmware has one start,
and is given up at the next one unless it was confirmed. What that cannot tell - which version it
is, the oldest that is taken, whether the cloud knows - is in `firmware.rec`, written before the
bootloader is asked and after it was told.
"""

import os
import struct
from binascii import crc32

from esp32 import Partition
from micropython import const

from .bootrecord import forgive

# states and flag, as of the boot record (bootrecord.py)
_CONFIRMED = const(0)
_TRIAL = const(1)
_ROLLED_BACK = const(1)

# Reasons of a rollback (ota/trial.py)
_DAMAGED = const(2)
_NOT_WELL = const(6)
_NOT_STARTED = const(7)

_ASKED = const(2)  # flag of the record: the bootloader knows of what is tried

_BYTES = const(32)
_FORMAT = const("<4sBBBBIIIIII")  # magic, state, slot, flags, reason, numbers, CRC-32 as the last
_MAGIC = const(b"PTF1")

# of otadata
_FIRST = const(0x10)  # subtype of the first slot
_RECORD = const("<I20xII")  # sequence, state, CRC-32 of the sequence
_RECORD_BYTES = const(32)
_NEW = const(0)
_PENDING = const(1)


class Firmware:
    """The firmware of a board whose files are in the folder `root`, as this boot has found it.

    trial: whether it is being tried. version: of what was kept last, 0 of what came with the
    board; trial_version: of what is tried, or was given up. floor: oldest version that is taken.
    """

    def __init__(self, root):
        self._root = root
        self._path = root + "/firmware.rec"
        self.state = self.slot = self.flags = self.reason = 0
        self.version = self.floor = self.trial_version = self._least = self._sequence = 0
        self.trial = False
        self._load()
        try:
            self._judge()
        except OSError as e:
            print("firmware:", e)  # what cannot be written down is judged again

    def _load(self):
        # the second is what a write left that did not come to its end
        return self._read("") or self._read(".new")

    def _judge(self):
        # what the bootloader has made of it
        slot = running()[1] - _FIRST
        if self.state != _TRIAL:
            if _state(slot) != _PENDING:
                return
            # handed over by somebody else, or the record is lost: it is watched all the same
            self.state = _TRIAL
            self.slot = slot
            self.trial_version = self._least = 0
        state = _state(self.slot)
        if slot == self.slot and state == _PENDING:
            self.trial = True
            forgive(self._root)
            if not self.flags & _ASKED:
                self._asked()  # the power failed when this was not written yet
        elif slot == self.slot:
            self._keep()  # nor was this
        elif state != _NEW:  # that one is still to be started
            # the bootloader's record may be that of what was in the slot before
            asked = self.flags & _ASKED and state is not None
            self._give_up(_NOT_WELL if asked else _NOT_STARTED)

    def runs(self):
        """Return the version of what runs."""
        return self.trial_version if self.trial else self.version

    def hand_off(self, partition, version, floor):
        """Have the next start try what is in `partition`. Raises OSError."""
        self.slot = partition.info()[1] - _FIRST
        self.state = _TRIAL
        self.flags = 0
        self.trial_version = version
        self._least = floor
        self._save()
        try:
            partition.set_boot()
        except OSError:
            self._give_up(_DAMAGED)
            raise
        try:
            self._asked()
        except OSError as e:
            print("firmware:", e)  # the start of what is tried notes it

    def confirm(self):
        """Keep the firmware that is being tried. Raises OSError."""
        # this confirms what the bootloader would start next, which is this one only while it is
        # being tried
        Partition.mark_app_valid_cancel_rollback()
        self.trial = False
        self._keep()

    def told(self):
        """Take note that the cloud knows of the rollback. Raises OSError."""
        self._load()  # an update may have come since this boot
        self.flags &= ~_ROLLED_BACK
        self._save()

    def _asked(self):
        self.flags |= _ASKED
        self._save()

    def _give_up(self, reason):
        self.state = _CONFIRMED
        self.flags = _ROLLED_BACK
        self.reason = reason
        self._save()
        forgive(self._root)

    def _keep(self):
        self.state = _CONFIRMED
        self.flags &= _ROLLED_BACK
        self.version = self.trial_version
        self.floor = max(self.floor, self._least)
        self._save()

    def _read(self, end):
        try:
            with open(self._path + end, "rb") as f:
                data = f.read(_BYTES + 1)
        except OSError:
            return False
        if len(data) != _BYTES or data[:4] != _MAGIC:
            return False
        fields = struct.unpack(_FORMAT, data)
        if fields[-1] != _sum(data) or fields[1] > _TRIAL:
            return False
        self.state, self.slot, self.flags, self.reason = fields[1:5]
        self._sequence, self.version, self.floor, self.trial_version, self._least = fields[5:10]
        return True

    def _save(self):
        self._sequence += 1
        data = struct.pack(
            _FORMAT,
            _MAGIC,
            self.state,
            self.slot,
            self.flags,
            self.reason,
            self._sequence,
            self.version,
            self.floor,
            self.trial_version,
            self._least,
            0,
        )
        with open(self._path + ".new", "wb") as f:
            f.write(data[:-4] + struct.pack("<I", _sum(data)))
        os.rename(self._path + ".new", self._path)


def running():
    """Give (type, subtype, address, size, label, encrypted) of the partition that runs."""
    return Partition(Partition.RUNNING).info()


def pending():
    """Tell whether the bootloader has something to decide: nothing may be overwritten then.

    MicroPython lets one write over the only good image while a new one is being tried.
    """
    return _state(None) in (_NEW, _PENDING)


def _state(slot):
    # the state of the newest record, or of that which names a slot; None without one
    count = 0
    for partition in Partition.find(Partition.TYPE_APP):
        count += 0 <= partition.info()[1] - _FIRST < 16
    newest = state = None
    data = bytearray(_RECORD_BYTES)
    for partition in Partition.find(Partition.TYPE_DATA, 0):
        for sector in range(2):
            partition.readblocks(sector, data)
            sequence, its, sum_ = struct.unpack(_RECORD, data)
            if sequence == 0xFFFFFFFF or crc32(data[:4], 0xFFFFFFFF) != sum_:
                continue
            if slot is not None and (sequence - 1) % count != slot:
                continue
            if newest is None or sequence > newest:
                newest = sequence
                state = its
    return state


def _sum(data):
    return crc32(data[: _BYTES - 4])
