"""The boot record: which slot's application runs, and which one is being tried (ota-and-boot 4.2).

It is replaced by a rename, in one step: after a power cut it is the old one or the new one. Here
is what the boot stage needs of it, in bootrecord.py the rest.
"""

import binascii
import os
import struct

from micropython import const

_TRIAL = const(1)
_ROLLED_BACK = const(1)  # flag
_NONE = const(0xFF)
_BYTES = const(64)
_SUMMED = const(60)
_FORMAT = const("<BBBBBHIIII32s")  # behind the magic and the number of the format
_MAGIC = const(b"PTB1\1")


class Record:
    """The boot record of the folder `root`; found: whether there was a good one.

    active, trial: number of a slot; tries: boots left to the trial; reason: of the last rollback;
    floor: oldest version that is taken; version, trial_version; digest: SHA-256 of the manifest
    of what is tried, else of what runs; None when it is not known.
    """

    def __init__(self, root):
        self._path = root + "/boot.rec"
        # the second is what a write left that did not come to its end
        data = self._read("") or self._read(".new")
        self.found = data is not None
        (
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
            digest,
        ) = struct.unpack(_FORMAT, data or b"\0\0\xff" + bytes(52))
        self.digest = digest if any(digest) else None

    def _read(self, end):
        try:
            with open(self._path + end, "rb") as f:
                data = f.read(_BYTES + 1)
        except OSError:
            return None
        if len(data) != _BYTES or data[:5] != _MAGIC or data[_SUMMED:] != _sum(data):
            return None
        state = data[5]
        if state > _TRIAL or data[6] > 1 or (state and data[7] > 1):
            return None
        return data[5:_SUMMED]

    def save(self):
        """Replace what is stored. Raises OSError; then the old record is intact."""
        self.sequence += 1
        data = _MAGIC + struct.pack(
            _FORMAT,
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
            self.digest or bytes(32),
        )
        with open(self._path + ".new", "wb") as f:
            f.write(data + _sum(data))
        os.rename(self._path + ".new", self._path)
        self.found = True

    # What may become of it (4.3); each is one write.

    def spend(self):
        """Count a boot of the trial, before it begins."""
        self.tries -= 1
        self.save()

    def roll_back(self, reason):
        """Give the trial up."""
        self.flags |= _ROLLED_BACK
        self.reason = reason
        self._settle()

    def _settle(self, digest=None):
        self.state = self.tries = 0
        self.trial = _NONE
        self.digest = digest  # it was the one of the trial, or of what is damaged
        self.save()


def _sum(data):
    return struct.pack("<I", binascii.crc32(data[:_SUMMED]))
