"""The boot record: which slot's application runs, and which one is being tried (ota-and-boot 4.2).

It is replaced by a rename, in one step: after a power cut it is the old one or the new one.
"""

import os
import struct
from binascii import crc32

from micropython import const

CONFIRMED = const(0)
TRIAL = const(1)

# Flags
ROLLED_BACK = const(1)  # the last update was; cleared when the cloud has been told

# Reasons of that
TRIES = const(1)
DAMAGED = const(2)
ASKED = const(5)

_NONE = const(0xFF)
_TRIES = const(3)  # a power cut in a trial must not count as a failure
_BYTES = const(64)
_SUMMED = const(60)
_FORM = const(1)
_FORMAT = "<4sBBBBBBHIIII32s"
_MAGIC = b"PTB1"
_UNKNOWN = bytes(32)


class BootRecord:
    """The boot record of the folder `root`; found: whether there was a good one.

    active, trial: number of a slot; tries: boots left to the trial; reason: of the last rollback;
    floor: oldest version that is taken; version, trial_version; digest: SHA-256 of the manifest
    of the newer of both, None when it is not known.
    """

    def __init__(self, root):
        self._path = root + "/boot.rec"
        self.state = self.active = self.tries = self.flags = self.reason = 0
        self.sequence = self.floor = self.version = self.trial_version = 0
        self.trial = _NONE
        self.digest = None
        # the second is what a write left that did not come to its end
        self.found = self._read("") or self._read(".new")

    def _read(self, end):
        try:
            with open(self._path + end, "rb") as f:
                data = f.read(_BYTES + 1)
        except OSError:
            return False
        if len(data) != _BYTES or data[:5] != b"%s%c" % (_MAGIC, _FORM):
            return False
        if crc32(data[:_SUMMED]) & 0xFFFFFFFF != struct.unpack_from("<I", data, _SUMMED)[0]:
            return False
        fields = struct.unpack_from(_FORMAT, data)
        state, active, trial = fields[2:5]
        if active > 1 or state not in (CONFIRMED, TRIAL) or (state == TRIAL and trial > 1):
            return False
        self.state, self.active, self.trial, self.tries, self.flags, self.reason = fields[2:8]
        self.sequence, self.floor, self.version, self.trial_version, digest = fields[8:]
        self.digest = None if digest == _UNKNOWN else digest
        return True

    def save(self):
        """Replace what is stored. Raises OSError; then the old record is intact."""
        self.sequence += 1
        data = struct.pack(
            _FORMAT,
            _MAGIC,
            _FORM,
            self.state,
            self.active,
            self.trial,
            self.tries,
            self.flags,
            self.reason,
            self.sequence,
            self.floor,
            self.version,
            self.trial_version,
            self.digest or _UNKNOWN,
        )
        with open(self._path + ".new", "wb") as f:
            f.write(data + struct.pack("<I", crc32(data) & 0xFFFFFFFF))
        os.rename(self._path + ".new", self._path)
        self.found = True

    # What may become of it (4.3); each is one write.

    def hand_off(self, slot, version, digest):
        """Have the next boots try what is in `slot`, whose manifest has this SHA-256."""
        self.state = TRIAL
        self.trial = slot
        self.tries = _TRIES
        self.trial_version = version
        self.digest = digest
        self.flags &= ~ROLLED_BACK
        self.save()

    def spend(self):
        """Count a boot of the trial, before it begins."""
        self.tries -= 1
        self.save()

    def confirm(self, floor):
        """Keep what was tried; floor: the one its manifest asks for."""
        self.state = CONFIRMED
        self.active = self.trial
        self.version = self.trial_version
        self.floor = max(self.floor, floor)
        self.trial = _NONE
        self.tries = 0
        self.save()

    def roll_back(self, reason):
        """Give the trial up."""
        self.state = CONFIRMED
        self.trial = _NONE
        self.tries = 0
        self.flags |= ROLLED_BACK
        self.reason = reason
        self.digest = None  # that was the one of the trial
        self.save()

    def use(self, slot, version, floor):
        """Go on with the application in `slot`: the other one, or the record, was damaged."""
        self.state = CONFIRMED
        self.active = slot
        self.trial = _NONE
        self.version = version
        self.floor = max(self.floor, floor)
        self.digest = None
        self.save()
