"""Small files that are either old or new after a power cut, never half (DESIGN 5, store).

Binary files are a container: "PT", kind u8, version u8, length u16le, payload,
CRC-32 u32le over everything before it. A replacement is written beside the file
and renamed over it, which littlefs and POSIX do in one step.
"""

import binascii
import os
import struct

from micropython import const

from ..errors import ConfigError, Error

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)
_FILE = const(-225)

SESSION = 1
WIFI = 2
CELL = 3
CLAIM = 4
USAGE = 5

_VERSION = 1
_NAMES = (None, "session", "wifi", "cell", "claim", "usage")


def pack(kind, payload):
    """Return `payload` (at most 65535 bytes) as a container of this `kind`."""
    body = struct.pack("<2sBBH", b"PT", kind, _VERSION, len(payload)) + payload
    return body + struct.pack("<I", binascii.crc32(body))


def unpack(kind, data):
    """Return the payload of a container; raise `Error(BAD_DATA)` when damaged or newer."""
    if len(data) > 3 and data[:2] == b"PT" and data[3] > _VERSION:
        raise Error(_BAD_DATA, "is of a newer version: it is kept, update the library", "store")
    payload = data[6:-4]
    if data != pack(kind, payload):
        raise Error(_BAD_DATA, "is damaged", "store")
    return payload


class Store:
    """Keep files below `root`, a directory on a file system with atomic rename."""

    def __init__(self, root):
        self.root = root
        self._writes = 0

    def read(self, name):
        """Return the bytes of file `name`, None when there is none; raise `Error(FILE)`."""
        try:
            with open(self.root + "/" + name, "rb") as f:
                return f.read()
        except OSError as e:
            self._failed("read", name, e)
            return None

    def write(self, name, data):
        """Replace file `name` in one step; raise `Error(FILE)`, then the old one is intact."""
        path = self.root + "/" + name
        self._writes += 1
        try:
            try:
                self._fill(path + ".new", data)
            except OSError as e:
                if e.args[0] != 2:
                    raise
                os.mkdir(self.root)
                self._fill(path + ".new", data)
            os.rename(path + ".new", path)
        except OSError as e:
            self._failed("write", name, e, ())

    def _failed(self, verb, name, e, absent=(2, 20)):
        # ENOENT, ENOTDIR: nothing was ever stored
        if e.args[0] not in absent:
            raise Error(_FILE, "cannot %s %s: %s" % (verb, name, e), "store")

    def _fill(self, path, data):
        with open(path, "wb") as f:
            if f.write(data) != len(data):  # a full POSIX file system may take a part only
                raise OSError(28)

    def remove(self, name):
        """Delete file `name`; nothing happens when there is none."""
        try:
            os.remove(self.root + "/" + name)
            self._writes += 1
        except OSError as e:
            self._failed("remove", name, e)

    def get(self, kind):
        """Return the payload stored under `kind` or None; raise `Error(BAD_DATA)` if damaged."""
        name = _NAMES[kind]
        data = self.read(name)
        try:
            return None if data is None else unpack(kind, data)
        except Error as e:
            raise Error(_BAD_DATA, "%s %s" % (name, e.text), "store") from None

    def put(self, kind, payload):
        """Replace what is stored under `kind`; refuse to overwrite a newer version's file."""
        name = _NAMES[kind]
        old = self.read(name)
        if old and old[:2] == b"PT" and len(old) > 3 and old[3] > _VERSION:
            raise ConfigError(_FILE, name + " is of a newer version: erase it first", "store")
        self.write(name, pack(kind, payload))

    def erase(self, kind):
        """Forget what is stored under `kind`."""
        self.remove(_NAMES[kind])

    def wear(self):
        """Return how many files were written or removed since boot."""
        return self._writes
