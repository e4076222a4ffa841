"""Which firmware of an STM32 with mboot runs, which one is tried, and what became of it
(ota-and-boot 3.5).

mboot writes a firmware over the one that runs, from a file on littlefs. Our hook in it
(firmware/ports/stm32/particle_mboot.c) does so again until it is done, counts the starts of a new
one, and goes back to the file of the old one. It is told in two backup registers, which a power
cut may clear; what is to be is in `firmware.rec`.
"""

import binascii
import os
import struct

from micropython import const

from .bootrecord import forgive
from .slots import clear, there

# What the first register says, behind a magic: a state, and how often yet
_MAGIC = const(0x50540000)
_PROGRAM = const(1)  # fw.run
_TRIAL = const(2)
_PROGRAM_OLD = const(3)  # fw.old
_ROLLED_BACK = const(5)  # 4: mboot has refused it; 1 and 3 are seen here without the hook only
_TRIES = const(3)

# states and flags of the record
_CONFIRMED = const(0)
_TRIED = const(1)
_GIVEN_UP = const(1)  # as of the boot record
_RESTORE = const(8)  # fw.old is to be fw.run again

_WAITS = const(1)  # in the second register, until mboot writes 0 or an error there

# Reasons of a rollback (ota/trial.py)
_NOT_WELL = const(1)
_DAMAGED = const(2)

_FORMAT = const("<4sBBBBIIIII")  # magic, state, tries, flags, reason, numbers, CRC-32 as the last
_BYTES = const(28)
_NAME = const(b"PTM1")

_RUN = const("/fw.run")  # what mboot is to write, with its manifest
_OLD = const("/fw.old")
_NEW = const("/fw.new")


class Firmware:
    """The firmware of `board`, as this boot has found it; mem: `machine.mem32`.

    trial: whether it is being tried. version: of what was kept last, 0 of what came with the
    board; trial_version: of what is tried, or was given up. floor: oldest version that is taken.
    reset: function to be called when mboot has something to do.
    """

    def __init__(self, board, mem, reset):
        self._root = board.STORE_ROOT
        self._order = board.MBOOT[3]
        self._status = self._order + 4
        self._mem = mem
        self.state = self._tries = self.flags = self.reason = 0
        self.version = self.floor = self.trial_version = self._least = 0
        # the second is what a write left that did not come to its end
        if not self._read(""):
            self._read(".new")
        self.trial = False
        try:
            self._judge(reset)
        except OSError as e:
            # what cannot be written down is judged again: the board starts, and nothing is asked
            # for that could not be counted
            print("firmware:", e)

    def _judge(self, reset):
        # what the hook has made of it
        order = self._mem[self._order] & 0xFFFFFFFF
        state = order >> 8 & 0xFF if order & 0xFFFF0000 == _MAGIC else 0
        if self.state == _TRIED:
            if state == _TRIAL:
                self.trial = True
                forgive(self._root)
                return
            if not state and self._tries >= 0:
                # the power has failed, so nobody knows what is there: it is written once more
                self._tries -= 1
                self._save()
                self._ask(_PROGRAM if self._tries >= 0 else _PROGRAM_OLD)
                reset()
                return
            self.state = _CONFIRMED
            self.flags |= _GIVEN_UP | _RESTORE
            self.reason = _NOT_WELL if state == _ROLLED_BACK else _DAMAGED
            self._save()
            forgive(self._root)
        if self.flags & _RESTORE:
            self._restore()
        self._mem[self._order] = 0
        if state == _TRIAL:
            reset()  # the hook has repaired the flash, and its watchdog runs, which nobody feeds

    def _restore(self):
        root = self._root
        if there(root + _OLD):
            _remove(root + _RUN)
            os.rename(root + _OLD, root + _RUN)
        self.flags &= ~_RESTORE
        self._save()

    def runs(self):
        """Return the version of what runs."""
        return self.trial_version if self.trial else self.version

    def hand_off(self, version, floor):
        """Have mboot write what is in fw.new after the next reset. Raises OSError."""
        self.state = _TRIED
        self.flags &= ~_GIVEN_UP
        self.trial_version = version
        self._least = floor
        self._tries = _TRIES
        self._save()
        self._ask(_PROGRAM)

    def confirm(self):
        """Keep the firmware that is being tried. Raises OSError."""
        self.trial = False
        self.state = _CONFIRMED
        self.version = self.trial_version
        self.floor = max(self.floor, self._least)
        self._save()
        self._mem[self._order] = 0
        _remove(self._root + _OLD)

    def told(self):
        """Take note that the cloud knows of the rollback. Raises OSError."""
        self.flags &= ~_GIVEN_UP
        self._save()

    def _ask(self, state):
        # the folders first: what is in fw.run is what mboot writes when it knows nothing else
        root = self._root
        if there(root + _NEW):
            if there(root + _RUN):
                _remove(root + _OLD)
                os.rename(root + _RUN, root + _OLD)
            os.rename(root + _NEW, root + _RUN)
        self._mem[self._status] = _WAITS
        self._mem[self._order] = _MAGIC | state << 8 | _TRIES

    def _read(self, end):
        try:
            with open(self._root + "/firmware.rec" + end, "rb") as f:
                data = f.read(_BYTES + 4)
        except OSError:
            return False
        if len(data) != _BYTES or data[:4] != _NAME or data[_BYTES - 4 :] != _sum(data):
            return False
        fields = struct.unpack(_FORMAT, data)
        self.state, self._tries, self.flags, self.reason = fields[1:5]
        self._tries -= 1
        self.version, self.floor, self.trial_version, self._least = fields[5:9]
        return True

    def _save(self):
        data = struct.pack(
            _FORMAT,
            _NAME,
            self.state,
            self._tries + 1,  # one below nothing is over
            self.flags,
            self.reason,
            self.version,
            self.floor,
            self.trial_version,
            self._least,
            0,
        )
        path = self._root + "/firmware.rec"
        with open(path + ".new", "wb") as f:
            f.write(data[: _BYTES - 4] + _sum(data))
        os.rename(path + ".new", path)


def _sum(data):
    return struct.pack("<I", binascii.crc32(data[: _BYTES - 4]))


def _remove(path):
    # a folder, its manifest first
    for _ in clear(path):
        pass
    try:
        os.rmdir(path)
    except OSError:
        pass
