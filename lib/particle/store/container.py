"""Small files that are either old or new after a power cut, never half (DESIGN 5, store).

Binary files are a container: "PT", kind u8, version u8, length u16le, payload,
CRC-32 u32le over everything before it. A replacement is written beside the file
and renamed over it, which littlefs and POSIX do in one step.
"""

import binascii
import os
import struct

from micropython import const

from ..errors import Error

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)
_FILE = const(-225)
_ENOSPC = const(28)

_VERSION = const(1)
_HEAD = const(4)  # bytes up to the version
# by kind; also the names of the files
_NAMES = (None, "session", "wifi", "cell", "claim", "usage", "queue", "retained")


def pack(kind, payload):
    """Return `payload` (at most 65535 bytes) as a container of this `kind`."""
    body = struct.pack("<2sBBH", b"PT", kind, _VERSION, len(payload)) + payload
    return body + struct.pack("<I", binascii.crc32(body))


def unpack(kind, data):
    """Return the payload of a container.

    Raises `ConfigError` when a newer version wrote it, `Error(BAD_DATA)` when it is damaged.
    """
    _refuse_newer(kind, data)
    payload = data[6:-4]
    if data != pack(kind, payload):
        raise Error(_BAD_DATA, "%s is damaged" % _NAMES[kind], "store")
    return payload


def _refuse_newer(kind, data):
    if data[:2] == b"PT" and len(data) > 3 and data[3] > _VERSION:
        from ..errors import ConfigError

        raise ConfigError(
            _BAD_DATA, "%s is of a newer version: update, or erase it" % _NAMES[kind], "store"
        )


class Store:
    """Keep files below `root`, a directory on a file system with atomic rename."""

    def __init__(self, root):
        self.root = root
        self._writes = 0

    def read(self, name, n=-1):
        """Return file `name`, at least its first `n` bytes, or None; raise `Error(FILE)`."""
        try:
            with open(self.root + "/" + name, "rb") as f:
                return f.read(n)
        except OSError as e:
            self._failed("read", name, e)

    def write(self, name, data):
        """Replace file `name` in one step; raise `Error(FILE)`, then the old one is intact."""
        path = self.root + "/" + name
        self._writes += 1
        try:
            try:
                os.stat(self.root)
            except OSError:
                os.mkdir(self.root)
            with open(path + ".new", "wb") as f:
                if f.write(data) != len(data):  # a full POSIX file system may take a part only
                    raise OSError(_ENOSPC)
            os.rename(path + ".new", path)
        except OSError as e:
            self._failed("write", name, e, ())

    def _failed(self, verb, name, e, absent=(2, 20)):
        # ENOENT, ENOTDIR: nothing was ever stored
        if not e.args:
            raise MemoryError  # there was none for the number
        number = e.args[0]
        if number not in absent:
            why = "no room, remove files" if number == _ENOSPC else e
            raise Error(_FILE, "cannot %s %s: %s" % (verb, name, why), "store")

    def remove(self, name):
        """Delete file `name`; nothing happens when there is none."""
        try:
            os.remove(self.root + "/" + name)
            self._writes += 1
        except OSError as e:
            self._failed("remove", name, e)

    def get(self, kind):
        """Return the payload stored under `kind` or None; raises as `unpack`."""
        data = self.read(_NAMES[kind])
        return None if data is None else unpack(kind, data)

    def put(self, kind, payload):
        """Replace what is stored under `kind`; raise `ConfigError` if a newer version wrote it."""
        data = pack(kind, payload)  # first: then both files find the same gap in a small heap
        _refuse_newer(kind, self.read(_NAMES[kind], _HEAD) or b"")
        self.write(_NAMES[kind], data)

    def erase(self, kind):
        """Forget what is stored under `kind`."""
        self.remove(_NAMES[kind])

    def wear(self):
        """Return how many files were written or removed since boot."""
        return self._writes
