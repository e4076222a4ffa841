"""Regions of the flash for a ROMFS in memory, as `rp2.Flash` has them: a profile with
ROMFS = ("ram_rom", first byte, bytes) uses them. They are blocks of the flash `chip` behind its
file system, so the power fails in both alike.
"""

from ram_flash import BLOCK

FIRST = 1000  # block of the flash

chip = None


class Flash(bytearray):
    """A part of the flash; its bytes are read where they are."""

    def __init__(self, *, start, len):
        self._block = FIRST + start // BLOCK
        super().__init__(len)
        for at in range(0, len, BLOCK):
            self._look(at // BLOCK)

    def _look(self, block):
        chip.readblocks(self._block + block, memoryview(self)[block * BLOCK : (block + 1) * BLOCK])

    def writeblocks(self, block, buf, offset):
        """Program `buf`."""
        chip.writeblocks(self._block + block, buf, offset)
        self._look(block)

    def ioctl(self, op, arg):
        """Answer 5 block size; 6 erases block `arg`."""
        if op == 5:
            return BLOCK
        chip.ioctl(op, self._block + arg)
        self._look(arg)
        return 0


def image(data):
    """Return what has the head and the length of a ROMFS."""
    n = len(data)
    return b"\xd2\xcd1" + bytes((0x80 | n >> 14, 0x80 | n >> 7 & 0x7F, n & 0x7F)) + data


class Board:
    """A profile."""

    ROMFS = ("ram_rom", 0, 8 * BLOCK)
