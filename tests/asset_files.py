"""Assets and what needs them, as a board's tests make them; runs on both interpreters."""

import binascii
import hashlib
import struct

from bundles import deflated, wrapped
from particle.wire.module import Image


def sha(data):
    """Return the SHA-256."""
    return hashlib.sha256(data).digest()


def extension(kind, body):
    """Return an extension of a module."""
    return struct.pack("<HH", kind, 4 + len(body)) + body


def sealed(data, extra):
    """Return a module of what is in front of its suffix."""
    data += extra + b"\x00\x00"
    data += sha(data) + struct.pack("<H", 36 + len(extra))
    return data + struct.pack(">I", binascii.crc32(data) & 0xFFFFFFFF)


def asset(name, content, payload=None, bits=10, digest=None, size=None):
    """Return the module of an asset, compressed unless a payload is given."""
    flags = 1 if payload else 3
    if payload is None:
        payload = struct.pack("<HBBI", 8, 0, bits, len(content) if size is None else size)
        payload += deflated(content)
    extra = extension(16, b"\x00\x20" + (digest or sha(content))) + extension(17, name)
    extra += extension(1, b"\xff" * 6)
    size = 24 + len(payload) + len(extra) + 36
    head = struct.pack("<IIBBHHBBIII", 0, size, 0, flags, 0, 0, 9, 0, 0, 0, 0)[:24]
    return sealed(head + payload, extra)


def install(root, name, extra):
    """Write the record of an application with these extensions."""
    plain = wrapped(b"")
    size = 24 + len(extra) + 4 + 4 + 36
    head = struct.pack("<II", 0xB4000, 0xB4000 + size) + plain[8:24]
    data = sealed(head, extra + extension(0, b"") + b"\x0c\x00\x07\x00")
    image = Image(len(data))
    image.feed(data)
    with open(root + "/" + name, "wb") as file:
        file.write(image.modules[0].record())
