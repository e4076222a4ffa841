"""The board's flash: a part of the PSRAM, which is a file of the host's, as a block device."""

import uctypes
from micropython import const

_AT = const(0x21800000)
_BLOCK = const(4096)
_BLOCKS = const(256)
_EINVAL = const(22)


class Flash:
    """256 blocks of 4 KiB that need no erasing; `at` is their address."""

    def __init__(self, at=_AT):
        self._at = at

    def _bytes(self, block, offset, n):
        return uctypes.bytearray_at(self._at + block * _BLOCK + offset, n)

    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from byte `offset` of `block`."""
        buf[:] = self._bytes(block, offset, len(buf))

    def writeblocks(self, block, buf, offset=0):
        """Write `buf` to byte `offset` of `block`."""
        self._bytes(block, offset, len(buf))[:] = buf

    def ioctl(self, op, arg):
        """Answer the questions of the file system."""
        if op == 4:
            return _BLOCKS
        if op == 5:
            return _BLOCK
        return 0 if op in (1, 2, 3, 6) else -_EINVAL
