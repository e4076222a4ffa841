"""NOR flash in a file of the host: erase sets bits, programming clears them, power can fail.

The file is DIR/flash.img. Geometry and rules are those of the flash chips on
small boards: 4 KiB erase blocks, 256-byte pages. It speaks the extended block
device protocol (MicroPython docs, vfs.AbstractBlockDev).
"""

import struct

import _sim
from micropython import const

BLOCK = 4096
PAGE = 256
READ = 32

_COUNTS = "ram/flash"  # operations, programs, erases since power-on: 3 x u64le
_EINVAL = const(22)
_TEARS = ("none", "half", "most", "all")  # how much of the cut operation happened


class Flash:
    """The chip. cut: "N" or "N:TEAR", power fails in the Nth program or erase since power-on."""

    def __init__(self, cut):
        self._file = f = _sim.open_host("flash.img", "r+b")
        self._blocks = f.seek(0, 2) // BLOCK
        self._blank = b"\xff" * (4 * PAGE)
        self._counts = bytearray(24)
        self._counts_file = _sim.open_cell(_COUNTS, 24)
        self._counts_file.readinto(self._counts)
        self._ops, self._progs, self._erases = struct.unpack("<QQQ", self._counts)
        number, _, tear = cut.partition(":")
        self._cut = int(number or 0)
        self._tear = _TEARS.index(tear or "half")
        _sim.chip = self

    def other(self):
        """Count an operation on other non-volatile storage; None, or how it is cut.

        0 not at all done, 1 half, 2 all but a part, 3 done: then the power is to fail.
        """
        return self._tear if self._count(1, 0) else None

    def _count(self, progs, erases):
        self._ops += progs + erases
        self._progs += progs
        self._erases += erases
        struct.pack_into("<QQQ", self._counts, 0, self._ops, self._progs, self._erases)
        self._counts_file.seek(0)
        self._counts_file.write(self._counts)
        return self._ops == self._cut

    def _part(self, n):
        return (0, n // 2, n - 1, n)[self._tear]

    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from byte `offset` of `block`."""
        self._file.seek(self._check(block, offset, len(buf), READ))
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        """Program `buf`; without `offset` whole blocks, which are erased first."""
        if offset is None:
            for i in range(len(buf) // BLOCK):
                self.ioctl(6, block + i)
            offset = 0
        at = self._check(block, offset, len(buf), PAGE)
        cut = self._count(1, 0)
        n = self._part(len(buf)) if cut else len(buf)
        self._program(at, memoryview(buf)[:n])
        if cut:
            _sim.die(_sim.POWER_CUT)

    def _program(self, at, data):
        f = self._file
        for i in range(0, len(data), len(self._blank)):
            part = data[i : i + len(self._blank)]
            f.seek(at + i)
            old = f.read(len(part))
            if old != self._blank[: len(part)]:
                # a bit that is 0 stays 0 until the block is erased
                part = bytes([a & b for a, b in zip(old, part)])
            f.seek(at + i)
            f.write(part)

    def ioctl(self, op, arg):
        """Answer 4 block count, 5 block size; 6 erases block `arg`; 1, 2, 3 have nothing to do."""
        if op == 4:
            return self._blocks
        if op == 5:
            return BLOCK
        if op == 6:
            at = self._check(arg, 0, BLOCK, PAGE)
            cut = self._count(0, 1)
            f = self._file
            f.seek(at)
            for _ in range((self._part(BLOCK) if cut else BLOCK) // PAGE):
                f.write(self._blank[:PAGE])
            if cut:
                _sim.die(_sim.POWER_CUT)
        return 0

    def _check(self, block, offset, n, unit):
        at = block * BLOCK + offset
        if offset % unit or n % unit or not 0 <= at <= self._blocks * BLOCK - n:
            raise OSError(_EINVAL)
        return at
