"""The two records that say which firmware an ESP32 starts (esp-idf, esp_ota_ops and bootloader).

Each is 32 bytes at the beginning of a sector of its own: sequence, label, state, CRC-32 of the
sequence. The one with the higher sequence counts, its firmware is in slot (sequence - 1) modulo
the number of slots. To write a record is to erase its sector and then to program it: what a loss
of power between the two leaves is no record.
"""

import binascii
import struct

from micropython import const

SECTOR = const(4096)

NEW = const(0)  # written by set_boot
PENDING_VERIFY = const(1)  # started once by the bootloader
VALID = const(2)  # confirmed
INVALID = const(3)
ABORTED = const(4)  # was not confirmed before the next start

_ENTRY = "<I20sII"
_ENTRY_BYTES = const(32)
_ERASED = 0xFFFFFFFF


def _crc(sequence):
    return binascii.crc32(struct.pack("<I", sequence), _ERASED) & 0xFFFFFFFF


class Record:
    """One of the records, as it is read from 32 bytes."""

    def __init__(self, data):
        self.sequence, self._label, self.state, self._sum = struct.unpack(_ENTRY, data)

    def void(self):
        """Return whether it was never written, or its firmware was given up."""
        return self.sequence == _ERASED or self.state in (INVALID, ABORTED)

    def whole(self):
        """Return whether it was written and its checksum is right."""
        return self.sequence != _ERASED and self._sum == _crc(self.sequence)

    def counts(self):
        """Return whether it may say what is started."""
        return not self.void() and self.whole()

    def change(self, chip, at, sequence, state):
        """Write a new one to the sector at address `at`."""
        self.sequence = sequence
        self._sum = _crc(sequence)
        self.mark(chip, at, state)

    def mark(self, chip, at, state):
        """Write it with another state."""
        self.state = state
        sequence = self.sequence
        chip.erase(at)
        chip.program(at, struct.pack(_ENTRY, sequence, self._label, state, self._sum))


def read(chip, at):
    """Return both records of the partition at address `at`."""
    found = []
    for sector in range(2):
        data = bytearray(_ENTRY_BYTES)
        chip.read(at + sector * SECTOR, data)
        found.append(Record(data))
    return found


def active(records):
    """Return the number of the record that counts, -1 when none does."""
    a, b = records
    if a.counts() and (not b.counts() or a.sequence >= b.sequence):
        return 0
    return 1 if b.counts() else -1
