"""Two firmwares on an ESP32, one of which runs: where a whole image goes (ota-and-boot 3.2).

A signed bundle with one file, `firmware.bin`, in a module of function 7. It is written into the
partition that is not in use while it arrives; then the bootloader is asked to try it.
"""

import struct

from esp32 import Partition
from micropython import const

from ..wire.module import Refused
from .firmware import Firmware, pending, running
from .layers import Whole
from .sink import Arriving, Reader
from .slots import content, put, remove

# Error numbers of Device OS (errors.py)
_UNSUPPORTED = const(-1310)
_PLATFORM = const(-1360)

_NAME = const("firmware.bin")
_BLOCK = const(4096)
_STEPS = const(16)  # blocks between two notes of how far it is, at most
_DIGEST_BYTES = const(32)
_COUNT = const("<I")
_COUNT_BYTES = const(4)

# Of an image (esp-idf, app image format)
_HEAD_BYTES = const(16)
_MAGIC = const(0xE9)
_CHIP_AT = const(12)


class Esp32Ab(Whole):
    """The target of a whole firmware."""

    def __init__(self, *args):
        super().__init__(*args)
        self.part = Partition(Partition.RUNNING).get_next_update()

    def tried(self):
        """Tell whether a firmware is being tried, or will be with the next start."""
        # also one that somebody else has handed over: MicroPython would let it be overwritten
        return super().tried() or pending()

    def _running(self):
        return Firmware(self._root)

    def _fresh(self):
        # it is overwritten when something good comes, not before
        return iter(())

    def _sink(self):
        return Region(self.part, self._root + "/stage.fw")

    def finish(self):
        """Have the bootloader try it; return its partition. Raises OSError."""
        self._running().hand_off(self.part, *self._numbers)
        self._leave()
        remove(self._root + "/stage.fw")
        return self.part.info()[4]


class Region:
    """A partition as the place of one file; `Folder` of ota/sink.py says what the methods do.

    note: path of a file that tells after a reset of which bundle the partition holds how much.
    """

    def __init__(self, part, note):
        self._part = part
        self._note = note
        self._size = 0

    def capacity(self):
        """Return the bytes there are for a file; a generator."""
        yield
        return self._part.info()[3]

    def begin(self, head, _):
        """Make ready for the file behind `head`; a generator."""
        digest = yield from head.digest()
        if content(self._note)[:_DIGEST_BYTES] == digest:
            return None
        put(self._note, digest)
        return self._part.info()[3]

    def there(self, name, size):
        """Return how many bytes are stored: what a note was made of."""
        note = content(self._note)[_DIGEST_BYTES:]
        n = 0
        for at in range(0, len(note) - _COUNT_BYTES + 1, _COUNT_BYTES):
            n = max(n, struct.unpack_from(_COUNT, note, at)[0])
        return n if n <= size else 0

    def open(self, name, size):
        """Open the file, from its beginning. Raises `Refused` for any other."""
        if name != _NAME:
            raise Refused(_UNSUPPORTED, "%s, and not %s as it is, alone" % (name, _NAME))
        self._size = size
        return _Writer(self._part, self._note, self.there(name, size), size)

    def read(self, name):
        """Open the file for `readinto`."""
        return Reader(self._size, self._get)

    def _get(self, at, view):
        self._part.readblocks(at // _BLOCK, view, at % _BLOCK)

    def remove(self, name):
        """Nothing else is ever there."""

    def forget(self):
        """Forget how much of it is there."""
        remove(self._note)

    def complete(self):
        """Nothing counts before the bootloader is asked."""


class _Writer(Arriving):
    # a block is erased when its first byte comes, and noted when it is full
    def __init__(self, part, note, there, size):
        super().__init__(there)
        self._part = part
        self._note = note
        self._size = size
        self._head = b""  # until it is known to be an image for this chip
        self._step = 1
        self._next = there + _BLOCK

    def _put(self, data):
        head = self._head
        if self._at < _HEAD_BYTES:
            n = len(data)
            data = head + bytes(data)
            if len(data) < min(_HEAD_BYTES, self._size):
                self._head = data
                return n
            _check(data)
            self._head = b""
        block = self._at // _BLOCK
        begun = self._at % _BLOCK
        if not begun:
            self._part.ioctl(6, block)
        data = data[: _BLOCK - begun]
        self._part.writeblocks(block, data, begun)
        self._at += len(data)
        if self._at == self._next:
            put(self._note, struct.pack(_COUNT, self._at), "ab")
            self._next += self._step * _BLOCK
            self._step = min(2 * self._step, _STEPS)
        return len(data) - len(head)


def _check(head):
    # what runs tells which chip this is
    own = bytearray(_HEAD_BYTES)
    Partition(Partition.RUNNING).readblocks(0, own)
    if len(head) < _HEAD_BYTES or head[0] != _MAGIC:
        raise Refused(_UNSUPPORTED, "no firmware image of an ESP32")
    ours, its = (struct.unpack_from("<H", each, _CHIP_AT)[0] for each in (own, head))
    if its != ours:
        raise Refused(_PLATFORM, "a firmware for chip %d, this is chip %d" % (its, ours))


def unusable():
    """Give the reason why this board's firmware cannot be replaced, None when it can."""
    own = running()
    if own[5]:
        return "the flash is encrypted"
    if not Partition.find(Partition.TYPE_DATA, 0):
        return "its table of partitions has no otadata: use a build with two slots"
    try:
        other = Partition(Partition.RUNNING).get_next_update().info()
    except OSError:
        other = own
    if other[2] == own[2]:
        return "its table of partitions has no second slot"
    return None
