"""Applications in the slots of a board, as unpacking a bundle leaves them (ota/bundle.py)."""

import hashlib
import os
import struct
from binascii import crc32, hexlify

_SIGNATURE = bytes(64)  # the boot record vouches for it, or the test that says `trusted`


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


def record(version, manifest):
    """Return the boot record of a board that has kept the application in its first slot."""
    digest = hashlib.sha256(manifest).digest()
    data = struct.pack("<4s6BHIIII32s", b"PTB1", 1, 0, 0, 0xFF, 0, 0, 0, 1, 0, version, 0, digest)
    return data + struct.pack("<I", crc32(data))


def trusted(path, *_):
    """Take the signature in the slot `path` as right; a stand-in for `rescue.signed`."""
    with open(path + "/manifest", "rb") as f:
        return hashlib.sha256(f.read()).digest()
