"""Which library this is: version, files, one hash over them; the host's tools tell it too."""

import os
from binascii import hexlify
from hashlib import sha256

from micropython import const

from .. import __file__ as _init
from .. import version

_DIGITS = const(16)
_PIECE = const(256)
_FOLDER = const(0x4000)  # a bit of the mode of a folder
_KINDS = const((".mpy", ".py", ".gz"))


def files():
    """Yield (path, hash) of each file of the library, folder by folder, names in order.

    hash: the first 16 hex digits of its SHA-256. A library that is frozen has no files.
    """
    folder = _init.rpartition("/")[0]
    try:
        os.stat(folder)
    except OSError:
        return
    yield from _below(folder, "particle")


def _below(folder, path):
    buf = bytearray(_PIECE)
    for name in sorted(os.listdir(folder)):
        full = folder + "/" + name
        if os.stat(full)[0] & _FOLDER:
            yield from _below(full, path + "/" + name)
        elif name[name.rfind(".") :] in _KINDS:
            total = sha256()
            with open(full, "rb") as f:
                n = f.readinto(buf)
                while n:
                    total.update(memoryview(buf)[:n])
                    n = f.readinto(buf)
            yield path + "/" + name, hexlify(total.digest()).decode()[:_DIGITS]


def text():
    """Return one line: version, number of files, one hash over their paths and hashes."""
    total = sha256()
    count = 0
    for path, digits in files():
        total.update(("%s %s\n" % (path, digits)).encode())
        count += 1
    if not count:
        return version + ", frozen"
    digits = hexlify(total.digest()).decode()[:_DIGITS]
    return "%s, %d files, hash %s" % (version, count, digits)
