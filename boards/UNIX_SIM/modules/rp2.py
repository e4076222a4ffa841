"""`rp2` of the simulated board: `Flash` on one with regions for a ROMFS (MicroPython docs, library
rp2; what it does not say as ports/rp2/rp2_flash.c).

Imitated: a part of the storage by `start` and `len`, whole blocks of 4 KiB; its bytes by the
buffer protocol, where they are; pages of 256 bytes, that erasing sets bits and programming clears
them; errors. Every page and every erased block is an operation for the supervisor's --cut. Not
imitated: that interrupts wait meanwhile.

The storage is DIR/rom.img; `particle-mp sim --romfs` makes it.
"""

import _sim
from micropython import const

FILE = "rom.img"

_BLOCK = const(4096)
_PAGE = const(256)
_EINVAL = const(22)


class Flash(bytearray):
    """Flash(*, start=0, len=all): a part of the storage as a block device."""

    def __init__(self, *, start=0, len=None):
        self._file = _sim.open_host(FILE, "r+b")
        size = self._file.seek(0, 2)
        if len is None:
            len = size - start
        if start % _BLOCK or len % _BLOCK or not 0 <= start <= start + len <= size:
            raise ValueError
        self._start = start
        self._blocks = len // _BLOCK
        self._file.seek(start)
        super().__init__(self._file.read(len))

    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from byte `offset` of `block`."""
        at = self._at(block, offset, len(buf), 1)
        buf[:] = memoryview(self)[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=None):
        """Program `buf`; without `offset` whole blocks, which are erased first."""
        if offset is None:
            for i in range(len(buf) // _BLOCK):
                self.ioctl(6, block + i)
            offset = 0
        at = self._at(block, offset, len(buf), _PAGE)
        for i in range(0, len(buf), _PAGE):
            old = memoryview(self)[at + i : at + i + _PAGE]
            self._change(at + i, bytes([a & b for a, b in zip(old, buf[i : i + _PAGE])]))

    def ioctl(self, op, arg):
        """Answer 4 block count, 5 block size; 6 erases block `arg`; 1, 2, 3 have nothing to do."""
        if op == 4:
            return self._blocks
        if op == 5:
            return _BLOCK
        if op == 6:
            self._change(self._at(arg, 0, _BLOCK, _PAGE), b"\xff" * _BLOCK)
        return 0

    def _at(self, block, offset, n, unit):
        at = block * _BLOCK + offset
        if offset % unit or n % unit or not 0 <= at <= self._blocks * _BLOCK - n:
            raise OSError(_EINVAL)
        return at

    def _change(self, at, data):
        # half of what a power cut interrupts, or as much as it says
        tear = _sim.chip.other()
        n = len(data) if tear is None else (0, len(data) // 2, len(data) - 1, len(data))[tear]
        self[at : at + n] = data[:n]
        self._file.seek(self._start + at)
        self._file.write(data[:n])
        if tear is not None:
            _sim.die(_sim.POWER_CUT)
