"""Applications that are folders, for the boot stage (particle_boot.py)."""

import os
import sys
from hashlib import sha256

from micropython import const

_PIECE = const(512)


def same(path, name, size, digest, contents):
    """Tell whether a file of a slot is as its manifest says; contents: not its size alone."""
    path += "/" + name
    if os.stat(path)[6] != size:
        return False
    if not contents:
        return True
    h = sha256()
    buffer = memoryview(bytearray(_PIECE))
    with open(path, "rb") as f:
        while size > 0:
            n = f.readinto(buffer)
            h.update(buffer[:n])
            size -= n or size
    return h.digest() == bytes.fromhex(digest)


def load(path, name):
    """Run the application in the folder of a slot; None: a module that is frozen."""
    if path:
        sys.path += [path, path + "/lib"]
    __import__(name)
