"""Assets as modules of their own, and which of them a module needs (ota-and-boot 1.5, 1.6)."""

from __future__ import annotations

import hashlib
import struct
import zlib

from particle_tools.cloud import modules

FUNCTION = 9
_PREFIX = struct.Struct("<IIBBHHBBIHH")  # both dependencies are empty
_FLAGS_AT = 9
_DROP_INFO, _COMPRESSED, _EXTENDED = 0x01, 0x02, 0x10
_HEADER = struct.Struct("<HBBI")
_EXTENSION = struct.Struct("<HH")
_PRODUCT_DATA, _HASH, _NAME, _DEPENDENCY = 0x0001, 0x0010, 0x0011, 0x0012
_SHA_256 = 0
_NO_PRODUCT = b"\xff" * 6
_RESERVED = b"\0\0"
_WINDOW = 12  # bits; a device that inflates needs so much memory
_TAIL, _FIXED = 38, 36
_DIGEST = 32


def pack(name: str, content: bytes) -> bytes:
    """Return a file as the compressed module that devices store."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW)
    body = _HEADER.pack(_HEADER.size, 0, _WINDOW, len(content))
    body += squeeze.compress(content) + squeeze.flush()
    digest = hashlib.sha256(content).digest()
    extras = _extension(_HASH, bytes([_SHA_256, _DIGEST]) + digest)
    extras += _extension(_NAME, name.encode()) + _extension(_PRODUCT_DATA, _NO_PRODUCT)
    size = _PREFIX.size + len(body) + len(extras) + _FIXED
    flags = _DROP_INFO | _COMPRESSED
    out = _PREFIX.pack(0, size, 0, flags, 0, 0, FUNCTION, 0, 0, 0, 0) + body + extras + _RESERVED
    out += hashlib.sha256(out).digest() + struct.pack("<H", len(extras) + _FIXED)
    return out + zlib.crc32(out).to_bytes(4, "big")


def _extension(kind: int, body: bytes) -> bytes:
    return _EXTENSION.pack(kind, _EXTENSION.size + len(body)) + body


def needed(data: bytes) -> set[str]:
    """Return the SHA-256 of each asset that a module names as needed, in hexadecimal."""
    found: set[str] = set()
    for module in modules.read(data):
        body = module.data
        size = int.from_bytes(body[-_TAIL + _DIGEST : -4], "little")
        if body[_FLAGS_AT] & _EXTENDED:
            found |= _dependencies(body[_PREFIX.size :])
        if _FIXED < size <= len(body):
            found |= _dependencies(body[-4 - size : -_TAIL])
    return found


def _dependencies(data: bytes) -> set[str]:
    found, at = set(), 0
    while at + _EXTENSION.size <= len(data):
        kind, size = _EXTENSION.unpack_from(data, at)
        if size < _EXTENSION.size or at + size > len(data) or kind == 0:
            break
        body = data[at + _EXTENSION.size : at + size]
        if kind == _DEPENDENCY and body[:2] == bytes([_SHA_256, _DIGEST]):
            found.add(body[2 : 2 + _DIGEST].hex())
        at += size
    return found
