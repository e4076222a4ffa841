"""Firmware modules as files: made, taken apart, compressed, combined (ota-and-boot 1).

Whether a file is whole is asked of `particle_tools.cloud.modules`, as the cloud does.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from particle_tools.cloud import modules
from particle_tools.errors import UserError

SYSTEM, USER, NCP, ASSET = 4, 5, 7, 9  # functions
LETTERS = "nrbmsu_cat"  # of the functions
DROP_INFO, COMPRESSED, EXTENDED = 0x01, 0x02, 0x10
END, PRODUCT, DYNAMIC_LOCATION, HASH, NAME, ASSET_DEPENDENCY = 0, 1, 2, 0x10, 0x11, 0x12
NO_PRODUCT = 0xFFFF

_PREFIX = struct.Struct("<IIBBHHBBBBHBBH")
_EXTENSION = struct.Struct("<HH")
_PRODUCT = struct.Struct("<HH")
_PACKED = struct.Struct("<HBBI")
_VECTORS = 0x200  # bytes of a table in front of the prefix
_SUFFIX_BYTES = 36
_CRC_BYTES = 4
_TAIL_BYTES = 38  # SHA-256, size of the suffix, CRC-32
_ALIGNED = 8


class Extension(NamedTuple):
    """A field of a prefix or suffix. body: without type and length."""

    kind: int
    body: bytes

    def pack(self) -> bytes:
        """Return it as bytes."""
        return _EXTENSION.pack(self.kind, _EXTENSION.size + len(self.body)) + self.body


class Dependency(NamedTuple):
    """A module that another needs."""

    function: int = 0
    index: int = 0
    version: int = 0


class Packed(NamedTuple):
    """The header of a compressed payload; window: bits, 0 means 15."""

    header_size: int
    method: int
    window: int
    original_size: int


@dataclass(frozen=True)
class Prefix:
    """What stands in front of the payload."""

    function: int
    index: int
    version: int
    platform_id: int
    start: int = 0
    flags: int = 0
    mcu: int = 0
    needs: tuple[Dependency, Dependency] = (Dependency(), Dependency())
    vectors: bytes = b""
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True)
class Module:
    """One module of a file, taken apart. content: of a compressed one what it inflates to.

    product: (id, version), None when there is none; suffix: what stands between payload and
    hash; data: the whole module.
    """

    prefix: Prefix
    payload: bytes
    suffix: bytes
    extensions: tuple[Extension, ...]
    product: tuple[int, int] | None
    packed: Packed | None
    content: bytes
    data: bytes

    @property
    def sha256(self) -> bytes:
        """Return the SHA-256 of the suffix: who the module is."""
        return self.data[-_TAIL_BYTES : 32 - _TAIL_BYTES]

    def assets(self) -> dict[str, bytes]:
        """Return name -> SHA-256 of the assets that an application needs."""
        every = self.prefix.extensions + self.extensions
        bodies = [each.body for each in every if each.kind == ASSET_DEPENDENCY]
        return {body[34:].decode(errors="replace"): body[2:34] for body in bodies}


# Making.


def build(prefix: Prefix, payload: bytes, suffix: bytes = b"") -> bytes:
    """Return a module: prefix, payload and suffix with its checksums."""
    extensions = b"".join(each.pack() for each in prefix.extensions)
    flags = prefix.flags | (EXTENDED if extensions else 0)
    size = len(prefix.vectors) + _PREFIX.size + len(extensions) + len(payload)
    head = _PREFIX.pack(
        prefix.start,
        prefix.start + size + len(suffix) + _SUFFIX_BYTES,
        prefix.mcu,
        flags,
        prefix.version,
        prefix.platform_id,
        prefix.function,
        prefix.index,
        *prefix.needs[0],
        *prefix.needs[1],
    )
    return _sealed(prefix.vectors + head + extensions + payload, suffix)


def product(product_id: int, version: int) -> bytes:
    """Return the numbers of a product as they stand in the suffix."""
    return _PRODUCT.pack(product_id, version)


def asset(name: str, data: bytes, window: int | None = None) -> bytes:
    """Return the module of an asset; window: bits to compress it with, 0 means 15."""
    digest = b"\x00\x20" + hashlib.sha256(data).digest()
    suffix = Extension(HASH, digest).pack() + Extension(NAME, name.encode()).pack()
    suffix += Extension(PRODUCT, b"\xff\xff" + product(NO_PRODUCT, NO_PRODUCT)).pack()
    module = build(Prefix(ASSET, 0, 0, 0, flags=DROP_INFO), data, suffix)
    return module if window is None else compress(module, window)


def dependency(name: str, data: bytes) -> Extension:
    """Return what an application says of an asset that it needs."""
    return Extension(ASSET_DEPENDENCY, b"\x00\x20" + hashlib.sha256(data).digest() + name.encode())


def compress(data: bytes, window: int = 0) -> bytes:
    """Return a module compressed; window: bits of deflate, 9 to 15, 0 means 15."""
    module = parse(data)[0]
    prefix = module.prefix
    if prefix.vectors:
        raise UserError("a module with a table of interrupt vectors cannot be compressed")
    bare = prefix.flags & DROP_INFO
    content = module.payload if bare else module.data
    payload = _PACKED.pack(_PACKED.size, 0, window, len(content)) + deflate(content, window)
    changed = {**vars(prefix), "flags": prefix.flags | COMPRESSED}
    return build(Prefix(**changed), payload, module.suffix)


def deflate(data: bytes, window: int) -> bytes:
    """Return raw deflate; window: 9 to 15 bits, 0 means 15."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -(window or 15))
    return packer.compress(data) + packer.flush()


def _sealed(body: bytes, suffix: bytes) -> bytes:
    data = body + suffix + b"\x00\x00"
    data += hashlib.sha256(data).digest() + struct.pack("<H", _SUFFIX_BYTES + len(suffix))
    return data + struct.pack(">I", zlib.crc32(data))


# Taking apart.


def parse(data: bytes) -> list[Module]:
    """Return the modules of a file. Raises UserError when it is damaged or none."""
    try:
        return [_parse(found.data) for found in modules.read(data)]
    except (modules.BadModule, struct.error, zlib.error, UnicodeError) as error:
        raise UserError(f"no firmware module: {error}") from None


def _parse(data: bytes) -> Module:
    (word,) = struct.unpack_from("<I", data)
    at = _VECTORS if word & 0x2FFC0000 == 0x20000000 else 0
    start, _, mcu, flags, version, platform_id, function, index, *needs = _PREFIX.unpack_from(
        data, at
    )
    vectors = data[:at]
    at += _PREFIX.size
    (size,) = struct.unpack_from("<H", data, len(data) - _CRC_BYTES - 2)
    end = len(data) - _CRC_BYTES - size
    extensions: list[Extension] = []
    while flags & EXTENDED and (not extensions or extensions[-1].kind != END):
        at = _take(data, at, end, extensions)
    suffix = data[end : len(data) - _CRC_BYTES - _SUFFIX_BYTES]
    if end < at or size < _SUFFIX_BYTES:
        raise modules.BadModule(modules.NOT_FOUND, "the size of its suffix is wrong")
    prefix = Prefix(
        function,
        index,
        version,
        platform_id,
        start,
        flags & ~EXTENDED,
        mcu,
        (Dependency(*needs[:3]), Dependency(*needs[3:])),
        vectors,
        tuple(extensions),
    )
    behind, numbers = _suffix(suffix)
    payload = data[at:end]
    packed, content = None, payload
    if flags & COMPRESSED:
        packed = Packed(*_PACKED.unpack_from(payload))
        content = zlib.decompress(payload[packed.header_size :], -15)
        if len(content) != packed.original_size:
            raise modules.BadModule(modules.NOT_FOUND, "it inflates to another size than it says")
    return Module(prefix, payload, suffix, behind, numbers, packed, content, data)


def _suffix(data: bytes) -> tuple[tuple[Extension, ...], tuple[int, int] | None]:
    found: list[Extension] = []
    at = 0
    while len(data) > _PRODUCT.size and at + _EXTENSION.size <= len(data):
        if found and found[-1].kind == END:
            break
        at = _take(data, at, len(data), found)
    last = found[-1] if found else None
    if last and last.kind == PRODUCT:
        return tuple(found), _PRODUCT.unpack_from(last.body, 2)
    raw = data[at:]
    numbers = _PRODUCT.unpack(raw) if len(raw) == _PRODUCT.size else None
    return tuple(found), numbers


def _take(data: bytes, at: int, end: int, found: list[Extension]) -> int:
    kind, size = _EXTENSION.unpack_from(data, at)
    if size < _EXTENSION.size or at + size > end:
        raise modules.BadModule(modules.NOT_FOUND, "its extensions are damaged")
    found.append(Extension(kind, data[at + _EXTENSION.size : at + size]))
    return at + size


# Applications.


class Place(NamedTuple):
    """Where applications of a platform are: index, first and last address.

    fixed: the last byte has the last address, and assets are named in the prefix.
    """

    index: int
    first: int
    last: int
    fixed: bool = False


_GEN2 = Place(1, 0x080A0000, 0x080C0000)
_GEN3 = Place(2, 0x000B4000, 0x000F4000)
_GEN4 = Place(1, 0x08480000, 0x08600000, True)
_OTHER = Place(2, 0x000B4000, 0x7FFFFFFF)
_PLACES = {
    **dict.fromkeys((6, 8, 10), _GEN2),
    **dict.fromkeys((12, 13, 14, 15, 22, 23, 24, 25, 26), _GEN3),
    **dict.fromkeys((28, 32, 35, 38), _GEN4),
}
_SYSTEM_NEEDED = Dependency(SYSTEM, 1, 6200)
_USER_VERSION = 6
_MICROPYTHON = 0xFF  # of no other firmware; Particle's own begin with a kind and a maker of radios


def application(
    payload: bytes,
    platform_id: int,
    product_id: int,
    version: int,
    assets: dict[str, bytes] | None = None,
) -> bytes:
    """Return the user part of an application as a platform expects it.

    Raises UserError when the payload is too large for the platform.
    """
    place = _PLACES.get(platform_id, _OTHER)
    needs = (_SYSTEM_NEEDED, Dependency())
    named = tuple(dependency(name, data) for name, data in (assets or {}).items())
    if place.fixed:
        suffix = len(_located(0)) + len(_numbered(product_id, version)) + _SUFFIX_BYTES
        size = _PREFIX.size + len(payload) + suffix
        size += sum(len(each.pack()) for each in named)
        # the start is a multiple of 8: what is missing goes into the last extension
        extensions: tuple[Extension, ...] = ()
        if named or size % _ALIGNED:
            extensions = (*named, Extension(END, bytes(-(size + _EXTENSION.size) % _ALIGNED)))
            size += len(extensions[-1].pack())
        start = place.last - size
        tail = _located(start) + _numbered(product_id, version)
    else:
        start, extensions = place.first, ()
        listed = b"".join(each.pack() for each in (*named, Extension(END, b""))) if named else b""
        tail = listed + product(product_id, version)
    prefix = Prefix(
        USER, place.index, _USER_VERSION, platform_id, start, needs=needs, extensions=extensions
    )
    module = build(prefix, payload, tail)
    room = place.last - place.first
    if len(module) - _CRC_BYTES > room:
        raise UserError(
            f"the application has {len(module)} bytes, platform {platform_id} has room for {room}"
        )
    return module


def firmware(payload: bytes, platform_id: int, product_id: int, version: int) -> bytes:
    """Return the module of a whole firmware: one "for another processor", in MicroPython's place
    (lib/particle/ota/esp32_ab.py).
    """
    prefix = Prefix(NCP, 1, version, platform_id, mcu=_MICROPYTHON)
    return build(prefix, payload, product(product_id, version))


def _located(start: int) -> bytes:
    return Extension(DYNAMIC_LOCATION, struct.pack("<III", start, start, start)).pack()


def _numbered(product_id: int, version: int) -> bytes:
    return Extension(PRODUCT, b"\xff\xff" + product(product_id, version)).pack()
