"""Two firmwares on an ESP32, one of which runs: where a whole image goes (ota-and-boot 3.2).

A signed bundle with one file, `firmware.bin`, in a module of function 7. It is written into the
partition that is not in use while it arrives; then the bootloader is asked to try it.
"""

import hashlib
import os
import struct

from esp32 import Partition
from micropython import const

from ..errors import UpdateError
from ..wire.module import Refused
from .bootrecord import TRIAL
from .bundle import Bundle
from .direct import Direct, _Stream
from .firmware import Firmware, pending, running
from .slots import PIECE
from .unpack import complete

# Error numbers of Device OS (errors.py)
_UNSUPPORTED = const(-1310)
_FAILED = const(-1320)
_PLATFORM = const(-1360)

#: Function, index and processor of the module: "firmware for another processor", of nobody else's
#: kind (ota-and-boot 4.7).
NCP = const(7)
PLACE = (NCP, 1, 0xFF)

_NAME = "firmware.bin"
_BLOCK = const(4096)
_STEPS = const(16)  # blocks between two notes of how far it is, at most
_DIGEST_BYTES = const(32)
_COUNT = "<I"
_COUNT_BYTES = const(4)

# Of an image (esp-idf, app image format)
_HEAD_BYTES = const(16)
_MAGIC = const(0xE9)
_CHIP_AT = const(12)


class Esp32Ab(Direct):
    """The target of a whole firmware; root, image, about, keys, platform_id: as of `AppSlots`."""

    functions = (NCP,)

    def __init__(self, root, image, about, keys, platform_id):
        super().__init__(root, image, platform_id, {PLACE: (0, 0xFFFFFFFF)})
        self._root = root
        self._about = about
        self._keys = keys
        self._facts = None
        self.part = Partition(Partition.RUNNING).get_next_update()

    def tried(self):
        """Tell whether a firmware is being tried, or will be with the next start."""
        # also one that somebody else has handed over: MicroPython would let it be overwritten
        return Firmware(self._root).state == TRIAL or pending()

    def _fresh(self):
        # it is overwritten when something good comes, not before
        return iter(())

    def _sink(self):
        return Region(self.part, self._root + "/stage.fw")

    def _bundle(self, head, sink):
        return Bundle(head, sink, self._about, self._keys, Firmware(self._root).floor)

    def _staged(self):
        # what came by the older protocol, as if it came now
        stream = _Stream(self, self.size, b"")
        try:
            with open(self._part, "rb") as f:
                yield from stream.through(f, self.size)
            module = stream.image.modules[0]
            yield from complete(module, stream.bundle)
        finally:
            stream.close()
        return module, stream.bundle

    def _installed(self, module, bundle):
        facts = bundle.manifest.facts
        if facts["version"] != module.version:
            raise UpdateError(_FAILED, "the module has another version than its bundle", "update")
        self._facts = facts
        return iter(())

    def finish(self):
        """Have the bootloader try it; return its partition. Raises OSError."""
        Firmware(self._root).hand_off(self.part, self._facts["version"], self._facts["floor"])
        self._leave()
        self._remove(self._root + "/stage.fw")
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

    def begin(self, head):
        """Make ready for the file behind `head`; a generator."""
        digest = hashlib.sha256()
        with head.read() as f:
            while True:
                data = f.read(PIECE)
                if not data:
                    break
                digest.update(data)
                yield
        digest = digest.digest()
        if self._read()[:_DIGEST_BYTES] == digest:
            return None
        with open(self._note, "wb") as f:
            f.write(digest)
        return self._part.info()[3]

    def there(self, name, size):
        """Return how many bytes are stored: what a note was made of."""
        note = self._read()[_DIGEST_BYTES:]
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
        return _Reader(self._part, self._size)

    def remove(self, name):
        """Nothing else is ever there."""

    def forget(self):
        """Forget how much of it is there."""
        try:
            os.remove(self._note)
        except OSError:
            pass

    def complete(self):
        """Nothing counts before the bootloader is asked."""

    def _read(self):
        try:
            with open(self._note, "rb") as f:
                return f.read()
        except OSError:
            return b""


class _Writer:
    # a block is erased when its first byte comes, and noted when it is full
    def __init__(self, part, note, there, size):
        self._part = part
        self._note = note
        self._at = self._skip = there
        self._size = size
        self._head = b""  # until it is known to be an image for this chip
        self._step = 1
        self._next = there + _BLOCK

    def write(self, data):
        taken = len(data)
        n = min(taken, self._skip)
        self._skip -= n
        data = data[n:]
        if data and self._at < _HEAD_BYTES:
            data = self._head + bytes(data)
            if len(data) < min(_HEAD_BYTES, self._size):
                self._head = data
                return taken
            _check(data)
        while data:
            n = _BLOCK - self._at % _BLOCK
            block = self._at // _BLOCK
            if n == _BLOCK:
                self._part.ioctl(6, block)
            part = data[:n]
            self._part.writeblocks(block, part, self._at % _BLOCK)
            self._at += len(part)
            if self._at == self._next:
                self._keep()
            data = data[n:]
        return taken

    def _keep(self):
        with open(self._note, "ab") as f:
            f.write(struct.pack(_COUNT, self._at))
        self._next += self._step * _BLOCK
        self._step = min(2 * self._step, _STEPS)

    def close(self):
        pass


class _Reader:
    def __init__(self, part, size):
        self._part = part
        self._at = 0
        self._size = size

    def readinto(self, view):
        n = min(len(view), self._size - self._at)
        if n:
            self._part.readblocks(self._at // _BLOCK, view[:n], self._at % _BLOCK)
            self._at += n
        return n

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


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
