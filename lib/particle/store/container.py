"""Small files that are either old or new after a power cut, never half (DESIGN 5, store).

Binary files are a container: "PT", kind u8, version u8, length u16le, payload,
CRC-32 u32le over everything before it. A replacement is written beside the file
and renamed over it, which littlefs and POSIX do in one step.
"""

import binascii
import os

from ..errors import BAD_DATA, FILE, TOO_LARGE, ConfigError, Error

SESSION = 1
WIFI = 2
CELL = 3
CLAIM = 4
USAGE = 5

_VERSION = 1
_NAMES = (None, "session", "wifi", "cell", "claim", "usage")


def pack(kind, payload):
    """Return `payload` (at most 65535 bytes) as a container of this `kind`."""
    n = len(payload)
    head = bytes((80, 84, kind, _VERSION, n & 255, n >> 8))
    body = head + payload
    crc = binascii.crc32(body) & 0xFFFFFFFF
    return body + crc.to_bytes(4, "little")


def unpack(kind, data):
    """Return the payload of a container; raise `Error(BAD_DATA)` when damaged or newer."""
    text = None
    if len(data) < 10 or data[0] != 80 or data[1] != 84 or data[2] != kind:
        text = "is not a container of this kind"
    elif data[3] > _VERSION:
        text = "was written by a newer version; it is kept, update the library"
    elif data[4] | data[5] << 8 != len(data) - 10:
        text = "is truncated"
    elif binascii.crc32(data[:-4]) & 0xFFFFFFFF != int.from_bytes(data[-4:], "little"):
        text = "is damaged"
    if text:
        raise Error(BAD_DATA, text, "store")
    return data[6:-4]


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
            if e.args[0] in (2, 20):  # ENOENT, ENOTDIR: nothing was ever stored
                return None
            raise Error(FILE, "cannot read %s: %s" % (name, e), "store") from None

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
            raise Error(FILE, "cannot write %s: %s" % (name, e), "store") from None

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
            if e.args[0] not in (2, 20):
                raise Error(FILE, "cannot remove %s: %s" % (name, e), "store") from None

    def get(self, kind):
        """Return the payload stored under `kind` or None; raise `Error(BAD_DATA)` if damaged."""
        data = self.read(_NAMES[kind])
        if data is None:
            return None
        try:
            return unpack(kind, data)
        except Error as e:
            raise Error(
                BAD_DATA, "%s/%s %s" % (self.root, _NAMES[kind], e.text), "store"
            ) from None

    def put(self, kind, payload):
        """Replace what is stored under `kind`; refuse to overwrite a newer version's file."""
        if len(payload) > 65535:
            raise Error(TOO_LARGE, "more than 65535 bytes", "store")
        old = self.read(_NAMES[kind])
        if old is not None and len(old) > 3 and old[:2] == b"PT" and old[3] > _VERSION:
            raise ConfigError(
                FILE, "%s is of a newer version; erase it first" % _NAMES[kind], "store"
            )
        self.write(_NAMES[kind], pack(kind, payload))

    def erase(self, kind):
        """Forget what is stored under `kind`."""
        self.remove(_NAMES[kind])

    def wear(self):
        """Return how many files were written or removed since boot."""
        return self._writes
