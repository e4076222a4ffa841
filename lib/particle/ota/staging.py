"""Where an image waits until it is handed over: a file on littlefs, written while it arrives
(ota-and-boot 4.7, 4.8).

A record beside it tells whose bytes they are, so that the transfer goes on after a reset. The file
is flushed when a block of the flash is full, at first every block and then more and more seldom:
an interruption costs half of what came, at most 64 KiB, and flash is hardly written for it.
"""

import binascii
import hashlib
import os
import struct

from micropython import const

from ..errors import UpdateError
from ..wire.module import Refused
from .sink import edge
from .slots import content, put, remove, through

# Error numbers of Device OS (errors.py)
_INTEGRITY = const(-1330)
_RESUMED = const(-1331)
_INVALID_SIZE = const(-1351)

_HEAD = const("<4s32sI")  # of the record: magic, SHA-256 of the file, its size
_HEAD_BYTES = const(40)
_ENTRY = const("<II")  # bytes that are stored, CRC-32 of them
_ENTRY_BYTES = const(8)
_MAGIC = const(b"PTS1")
_BLOCKS = const(16)  # between two entries, at most; and left free for others
_SHORT = const(2)  # blocks


class Staging:
    """One image in the folder `root`.

    image: function (size, function of the module or None) -> what checks an image (`Image` of
    wire/module.py), None when only the SHA-256 is to be checked.
    """

    stored = 0  # bytes
    resets = True  # what was verified begins with a reset

    def __init__(self, root, image=None):
        self.path = root + "/update.img"  # a whole image that was handed over
        self._part = root + "/stage.img"
        self._record = root + "/stage.rec"
        self._image = image
        self._file = self._sha = None
        self.size = -1

    def begin(self, size, sha, function):
        """Make ready for a file; a generator that returns how many bytes of it are there already.

        sha: its SHA-256; without one it cannot go on after an interruption. function: of the
        module, when that is known. Raises `UpdateError` when there is no room, OSError.
        """
        if not (sha and self._file and (self._sha, self.size) == (sha, size)):
            self._close()
            self.stored = self._crc = 0
            if sha:
                yield from self._resume(size, sha)
            if not self.stored:
                self.discard()
        self._note(size, sha, function)
        self._make_ready()
        return self.stored

    def _note(self, size, sha, function):
        self.resumed = self.stored > 0
        self._sha = sha
        self.size = size
        self._function = function

    def _make_ready(self):
        size = self.size
        found = self._space()
        block = found[0]
        if size - self.stored + _BLOCKS * block > found[4] * found[1]:
            self.discard()
            raise UpdateError(_INVALID_SIZE, "no room for %d bytes" % size)
        if not self._file:
            if self._sha and not self.stored:
                put(self._record, struct.pack(_HEAD, _MAGIC, self._sha, size))
            mode = "ab" if self.stored else "wb"
            self._file = open(self._part, mode)  # noqa: SIM115  it stays open
        self._block = block
        self._step = 1
        self._next = 1
        while edge(self._next, block) <= self.stored:
            self._next += 1

    def _space(self):
        folder = self._part.rpartition("/")[0]
        try:
            os.stat(folder)
        except OSError:
            os.mkdir(folder)
        return os.statvfs(folder)

    def _resume(self, size, sha):
        # what an earlier transfer of the same file has left
        record = content(self._record)
        try:
            there = os.stat(self._part)[6]
        except OSError:
            return
        head = struct.pack(_HEAD, _MAGIC, sha, size)
        if record[:_HEAD_BYTES] != head or there > size:
            return
        sure = crc = 0  # the longest part with an entry; more may have come to the flash
        for at in range(_HEAD_BYTES, len(record) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            n, sum_ = struct.unpack_from(_ENTRY, record, at)
            if sure < n <= there:
                sure = n
                crc = sum_
        with open(self._part, "rb") as f:
            missing = yield from through(f.readinto, sure, self._count)
            if missing or self._crc != crc:
                return
            if not (yield from through(f.readinto, there - sure, self._count)):
                self.stored = there

    def _count(self, data):
        self._crc = binascii.crc32(data, self._crc)

    def write(self, data):
        """Append to the file; raises OSError."""
        data = memoryview(data)
        while data:
            n = edge(self._next, self._block) - self.stored if self._sha else len(data)
            part = data[:n]
            if self._file.write(part) != len(part):
                raise OSError(28)
            self._count(part)
            self.stored += len(part)
            if n == len(part) and self._sha:
                self._keep()
                self._next += self._step
                self._step = min(2 * self._step, _BLOCKS)
            data = data[n:]

    def _keep(self):
        # first the entry: what it speaks of is not in the file before it is flushed; a short
        # part has none, what is wrong with it is found at the end
        if self._step > _SHORT:
            put(self._record, struct.pack(_ENTRY, self.stored, self._crc), "ab")
        self._file.flush()

    def pause(self):
        """Take note that no more comes for now."""
        if not self._sha:
            self.discard()

    def verify(self):
        """Read the whole file and check it; a generator. Raises `UpdateError`, OSError."""
        self._close()
        image = self._image and self._image(self.size, self._function)
        sha = hashlib.sha256()

        def take(view):
            sha.update(view)
            if image:
                image.feed(view)

        try:
            with open(self._part, "rb") as f:
                missing = yield from through(f.readinto, self.size, take)
                missing = missing or f.read(1)
            if missing or self._sha and sha.digest() != self._sha:
                code = _RESUMED if self.resumed else _INTEGRITY
                raise UpdateError(code, "the SHA-256 of the file is another")
            error = image.finish() if image else 0
            if error:
                raise UpdateError(error, image.text)
        except Refused as e:
            self.discard()
            raise UpdateError(e.code, str(e)) from None
        except UpdateError:
            self.discard()  # the same bytes would be refused again
            raise

    def finish(self):
        """Hand over a file that was verified; return its path. Raises OSError."""
        self._close()
        os.rename(self._part, self.path)
        remove(self._record)
        self.size = -1
        self.stored = 0
        return self.path

    def discard(self):
        """Forget the file."""
        self._close()
        remove(self._record)
        remove(self._part)
        self.stored = self._crc = 0
        self.size = -1

    def _close(self):
        if self._file:
            f = self._file
            self._file = None
            f.close()
