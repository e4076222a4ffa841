"""All files of the store in two areas of raw flash, written by turns (ota-and-boot 6.4): for
boards whose file system loses files on a power cut. The old area is whole until the new one is.

An area: a page with "PTpair", version u8, 0, sequence u32le, length u32le, CRC-32 of the rest,
CRC-32 of these 20 bytes, which is written last; then file by file length of name u8, name,
length u16le, content.
"""

import struct
from binascii import crc32

from micropython import const

from ..errors import ConfigError, Error
from .container import Store

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_PAGE = const(256)  # the largest unit that any flash programs
_HEAD = const("<6sBBIII")
_MAGIC = const(b"PTpair")
_VERSION = const(1)
_EIO = const(5)
_ENOSPC = const(28)


class Pair(Store):
    """A `Store` in blocks of `device` (the extended protocol of MicroPython's block devices).

    first: number of its first block; blocks: how many each of the two areas has.
    Raises `Error(FILE)` when the flash cannot be read, `ConfigError` for a newer version's.
    """

    root = ""  # no file system

    def __init__(self, device, first=0, blocks=1):
        super().__init__(self.root)
        self._device = device
        self._size = device.ioctl(5, 0)
        self._first = first
        self._blocks = blocks
        self._buf = bytearray(_PAGE)
        try:
            found = [self._look(0), self._look(1)]
        except OSError as e:
            if isinstance(e, Error):
                raise
            self._failed("read", "the store", e, ())
        # which area counts, how often it was written, how much is in it
        self._area = 1 if found[1] > found[0] else 0
        self._sequence, self._length = found[self._area]

    def _at(self, area, at):
        block = self._first + area * self._blocks + at // self._size
        return block, at % self._size

    def _page(self, area, number):
        block, offset = self._at(area, number * _PAGE)
        self._device.readblocks(block, self._buf, offset)

    def _look(self, area):
        # -> (sequence, length) of an area; (0, 0) unless it is whole
        self._page(area, 0)
        magic, version, _, sequence, length, crc = struct.unpack_from(_HEAD, self._buf)
        good = struct.unpack_from("<I", self._buf, 20)[0] == crc32(bytes(self._buf[:20]))
        if not good or magic != _MAGIC or length > self._blocks * self._size - _PAGE:
            return 0, 0
        if version > _VERSION:
            text = "the store is of a newer version: update, or erase it"
            raise ConfigError(_BAD_DATA, text, "store")
        check = 0
        for at in range(0, length, _PAGE):
            self._page(area, 1 + at // _PAGE)
            check = crc32(bytes(self._buf[: length - at]), check)
        return (sequence, length) if check == crc else (0, 0)

    def _bytes(self, at, n):
        # content from `at`, page by page
        at += _PAGE
        out = b""
        while len(out) < n:
            self._page(self._area, at // _PAGE)
            part = self._buf[at % _PAGE : at % _PAGE + n - len(out)]
            out += part
            at += len(part)
        return out

    def _files(self):
        # -> (name, where its record begins, where its content begins, length)
        at = 0
        while at < self._length:
            n = self._bytes(at, 1)[0]
            head = self._bytes(at + 1, n + 2)
            size = head[n] | head[n + 1] << 8
            start = at + 3 + n
            yield head[:n].decode(), at, start, size
            at = start + size

    def read(self, name, n=-1):
        """Return the bytes of file `name`, None when there is none; raise `Error(FILE)`."""
        try:
            for found, _, start, size in self._files():
                if found == name:
                    return self._bytes(start, size)
        except OSError as e:
            self._failed("read", name, e, ())
        return None

    def write(self, name, data):
        """Replace file `name` in one step; raise `Error(FILE)`, then the old one is intact."""
        if self.read(name) != data:
            self._replace(name, data)

    def remove(self, name):
        """Delete file `name`; nothing happens when there is none."""
        if self.read(name) is not None:
            self._replace(name, None)

    def _replace(self, name, data):
        try:
            new = _Area(self, 1 - self._area)
            for found, at, start, size in self._files():
                if found != name:
                    for i in range(at, start + size, 64):
                        new.add(self._bytes(i, min(64, start + size - i)))
            if data is not None:
                new.add(bytes((len(name),)) + name.encode() + struct.pack("<H", len(data)))
                new.add(data)
            self._length = new.end(self._sequence + 1)
        except OSError as e:
            self._failed("write", name, e, ())
        self._area = 1 - self._area
        self._sequence += 1
        self._writes += 1


class _Area:
    # the area that does not count, while it is written
    def __init__(self, pair, area):
        self._pair = pair
        self._area = area
        self._buf = bytearray(_PAGE)
        self._n = 0  # bytes of content
        self._crc = 0
        for at in range(0, pair._blocks * pair._size, pair._size):
            pair._device.ioctl(6, pair._at(area, at)[0])

    def add(self, data):
        if self._n + len(data) > self._pair._blocks * self._pair._size - _PAGE:
            raise OSError(_ENOSPC)
        self._crc = crc32(data, self._crc)
        done = 0
        while done < len(data):
            at = self._n % _PAGE
            part = data[done : done + _PAGE - at]
            self._buf[at : at + len(part)] = part
            done += len(part)
            self._n += len(part)
            if not self._n % _PAGE:
                self._program(self._n // _PAGE)

    def _program(self, number):
        block, offset = self._pair._at(self._area, number * _PAGE)
        self._pair._device.writeblocks(block, self._buf, offset)

    def end(self, sequence):
        if self._n % _PAGE:
            self._program(self._n // _PAGE + 1)
        head = struct.pack(_HEAD, _MAGIC, _VERSION, 0, sequence, self._n, self._crc)
        self._buf[:] = b"\xff" * _PAGE
        self._buf[:24] = head + struct.pack("<I", crc32(head))
        self._program(0)
        if self._pair._look(self._area) != (sequence, self._n):
            raise OSError(_EIO)  # worn out
        return self._n
