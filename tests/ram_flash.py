"""A NOR flash in memory whose power fails in the Nth operation, for tests under MicroPython."""

BLOCK = 4096
_BLOCKS = 24
PROG = 256
_BLANK = b"\xff" * BLOCK
_IO = -5  # littlefs must not take for data what was never read


class Cut(BaseException):
    """The power failed: nothing in the device may catch it."""


class RamFlash:
    """Erasing sets bits, programming clears them. cut: operation that fails, 0 = none.

    data: block number -> content of the blocks that are not erased; it is changed.
    tear: how much of that operation happened: 0 nothing, 1 half, 2 all but one byte (when erasing:
    some bits of each byte), 3 all. blocks: how many there are.
    """

    def __init__(self, data=None, cut=0, tear=0, blocks=_BLOCKS):
        self._blocks = blocks
        self.data = {} if data is None else data
        self.operations = 0
        self._cut = cut
        self._tear = tear
        self._dead = False

    def _part(self, n):
        # how much of an operation on n bytes happens
        self.operations += 1
        if self.operations != self._cut:
            return n
        self._dead = True
        return (0, n // 2, n - 1, n)[self._tear]

    def _end(self):
        if self._dead:
            raise Cut

    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from byte `offset` of `block`."""
        if self._dead:
            return _IO  # a file is collected that was open: the heap is locked
        found = self.data.get(block)
        buf[:] = memoryview(found or _BLANK)[offset : offset + len(buf)]
        return 0

    def writeblocks(self, block, buf, offset=0):
        """Program `buf`."""
        if self._dead:
            return _IO  # what closes files behind the failure does nothing any more
        n = self._part(len(buf))
        if n and block not in self.data:
            self.data[block] = bytearray(b"\xff" * BLOCK)
        cells = self.data.get(block)
        if n and cells[offset : offset + n] == _BLANK[:n]:
            cells[offset : offset + n] = memoryview(buf)[:n]
        else:
            for i in range(n):
                cells[offset + i] &= buf[i]
        self._end()
        return 0

    def ioctl(self, op, arg):
        """Answer 4 block count, 5 block size; 6 erases block `arg`."""
        if op == 4:
            return self._blocks
        if op == 5:
            return BLOCK
        if op == 6:
            if self._dead:
                return _IO
            n = self._part(BLOCK)
            if n == BLOCK:
                self.data.pop(arg, None)
            elif arg in self.data and self._tear == 2 and n:
                cells = self.data[arg]
                for i in range(BLOCK):
                    cells[i] |= i * 37 & 0xFF
            elif arg in self.data:
                self.data[arg][:n] = b"\xff" * n
            self._end()
        return 0


class Counted(RamFlash):
    """A flash that counts the bytes it programs."""

    written = 0

    def writeblocks(self, block, buf, offset=0):
        """Program `buf`."""
        self.written += len(buf)
        return super().writeblocks(block, buf, offset)


def mount(flash, at="/cut"):
    """Mount a flash, which is formatted when it is new."""
    import vfs

    if not flash.data:
        vfs.VfsLfs2.mkfs(flash, progsize=PROG)
    vfs.mount(vfs.VfsLfs2(flash, progsize=PROG), at)


def umount(at="/cut"):
    """Take the flash off, whatever state it is in."""
    import vfs

    try:
        vfs.umount(at)
    except OSError:
        pass
