"""Applications in the slots of a board, as unpacking a bundle leaves them (ota/bundle.py)."""

import hashlib
import os
import struct
from binascii import hexlify

_SIGNATURE = bytes(64)  # the boot stage trusts the name of the manifest


def manifest(version, files, floor=0):
    """Return the manifest of `files`, name -> bytes."""
    lines = [
        "format 1",
        "board UNIX_SIM",
        "platform 3",
        "product 3",
        "version %d" % version,
        "floor %d" % floor,
        "abi 6",
        "client 0",
    ]
    for name in sorted(files):
        digest = hexlify(hashlib.sha256(files[name]).digest()).decode()
        lines.append("file %d %s %s" % (len(files[name]), digest, name))
    text = ("\n".join(lines) + "\n").encode()
    size = sum([len(data) for data in files.values()])
    return struct.pack("<4sBBBB8sII", b"MPAB", 1, 0, 0, 1, bytes(8), len(text), size) + (
        text + _SIGNATURE
    )


def install(path, version, files=None, floor=0):
    """Put an application into the slot `path`; return the SHA-256 of its manifest."""
    if files is None:
        files = {"app.py": b"print(%d)\n" % version, "lib/valve.py": bytes([version & 255]) * 1500}
    for folder in (path.rpartition("/")[0], path, path + "/lib"):
        try:
            os.mkdir(folder)
        except OSError:
            pass
    for name in files:
        put(path + "/" + name, files[name])
    data = manifest(version, files, floor)
    put(path + "/manifest", data)
    return hashlib.sha256(data).digest()


def put(path, data):
    """Write a file."""
    with open(path, "wb") as f:
        f.write(data)
