"""Two applications as ROMFS images in regions of the flash, one of which runs in place
(ota-and-boot 3.10, 4.8).

A bundle has one file, `app.romfs`, which is written into the region that is not in use while it
arrives. Its manifest is in the folder of the slot, as that of an application of files.
"""

import struct

from micropython import const

from ..errors import UpdateError
from .app_slots import AppSlots
from .region import Region
from .sink import Arriving, Folder, Reader
from .slots import content, put

# Error numbers of Device OS (ota-and-boot 1.9)
_UNSUPPORTED = const(-1310)
_BAD = const(-1370)

_IMAGE = const("app.romfs")
_CONTENT = const("content")  # of a bundle that has to be inflated: a file, as ever
_MAGIC = const(b"\xd2\xcd1")
_PAGE = const(512)  # written at once
_STEPS = const(16)  # sectors between two notes, at most
_RESERVE = const(16)  # blocks of the file system that are left to others


class RomfsSlots(AppSlots):
    """The target of a board whose profile has ROMFS; the rest as of `AppSlots`."""

    def __init__(self, board, *args):
        super().__init__(*args)
        self._board = board

    def _sink(self):
        number = 1 - self._active()
        return RomfsSlot(self._slot(number), Region(self._board, number))


class RomfsSlot(Folder):
    """The sink of one: the manifest into a folder, the image into its region."""

    def __init__(self, path, region):
        super().__init__(path, _RESERVE)
        self._region = region
        self._size = 0  # of the image

    def capacity(self):
        """As of `Folder`: the manifest will tell."""
        yield

    def begin(self, head, lines):
        """As of `Folder`."""
        room = yield from super().begin(head, lines)
        return None if room is None else self._region.size

    def there(self, name, size):
        """As of `Folder`: as much as was noted."""
        if name != _IMAGE:
            return super().there(name, size)
        self._size = size
        noted = content(self.path + "/there")
        n = struct.unpack("<I", noted)[0] if len(noted) == 4 else 0
        return n if n <= size else 0

    def note(self, n):
        """Take note that the first `n` bytes of the image are in the region."""
        put(self.path + "/there", struct.pack("<I", n))

    def open(self, name, size):
        """As of `Folder`; a bundle has one image."""
        if name == _CONTENT:
            return super().open(name, size)
        if name != _IMAGE:
            raise UpdateError(_UNSUPPORTED, "this board runs one file %s" % _IMAGE, "update")
        return _Image(self, self._region, size, self.there(name, size))

    def read(self, name):
        """As of `Folder`."""
        if name != _IMAGE:
            return super().read(name)
        return Reader(self._size, self._region.read)

    def complete(self):
        """As of `Folder`; what is no ROMFS is refused."""
        if _length(self._region.view()) != self._size:
            raise UpdateError(_BAD, "%s is no ROMFS" % _IMAGE, "update")
        super().complete()


class _Image(Arriving):
    # what writes the region, whole pages in order
    def __init__(self, slot, region, size, there):
        super().__init__(there)
        self._slot = slot
        self._region = region
        self._size = size
        self._noted = there
        self._step = region.sector
        self._page = bytearray(_PAGE)
        self._n = 0

    def _put(self, data):
        n = min(len(data), _PAGE - self._n)
        self._page[self._n : self._n + n] = data[:n]
        self._n += n
        if self._n == _PAGE:
            self._program()
        return n

    def _program(self):
        sector = self._region.sector
        if not self._at % sector:
            if self._at >= self._noted + self._step:
                self._noted = self._at
                self._slot.note(self._at)
                self._step = min(2 * self._step, _STEPS * sector)
            self._region.erase(self._at)
        self._region.program(self._at, self._page)
        self._at += self._n
        self._n = 0

    def close(self):
        # an image that is not complete goes on behind the last note
        if self._n and self._at + self._n == self._size:
            for i in range(self._n, _PAGE):
                self._page[i] = 0xFF
            self._program()
        if self._at == self._size > self._noted:
            self._noted = self._size
            self._slot.note(self._size)


def _length(view):
    # bytes of a ROMFS with its header, 0 when there is none
    if bytes(view[:3]) != _MAGIC:
        return 0
    n = 0
    for at in range(3, 8):
        n = n << 7 | view[at] & 0x7F
        if view[at] < 0x80:
            return n + at + 1
    return 0
