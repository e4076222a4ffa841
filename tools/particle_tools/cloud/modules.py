"""Firmware modules as files: where a module is in a file, and whether it is whole.

Source: ota-and-boot 1.1-1.4, 1.8; the numbers of errors are those of 1.9.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

_PREFIX = struct.Struct("<IIBBHHBB")
_PREFIX_BYTES = 24
_WORD = struct.Struct("<I")
_STACK_MASK, _STACK = 0x2FFC0000, 0x20000000
_GEN3_VECTORS = 0x200
_OTHER_VECTORS = (0, 0x184, 0x10C)
_CRC_BYTES = 4
_TAIL_BYTES = 38  # SHA-256, size of the suffix, CRC-32
_SUFFIX_BYTES = 36
_PRODUCT = struct.Struct("<HH")
_PRODUCT_FROM_END = 44  # before the reserved word
_NONE = 0xFFFF
_COMBINED = 0x04
_MOST_MODULES = 2  # in one file
_BUNDLE = b"MPAB"  # what a bundle of Python begins with (4.5)

NOT_FOUND, INTEGRITY, PLATFORM = -1300, -1330, -1360
APPLICATIONS = (3, 5)  # functions: monolithic firmware, user part
_FUNCTIONS = range(1, 10)


class BadModule(ValueError):
    """A file that no device would take. code: what the device would answer (1.9)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Module:
    """One module of a file."""

    function: int
    index: int
    version: int
    platform_id: int
    data: bytes


def product_of(module: Module) -> tuple[int, int] | tuple[None, None]:
    """Return product and version that an application names in its suffix; None twice if none."""
    size = int.from_bytes(module.data[-_CRC_BYTES - 2 : -_CRC_BYTES], "little")
    if size < _SUFFIX_BYTES + _PRODUCT.size:
        return None, None
    product, version = _PRODUCT.unpack_from(module.data, len(module.data) - _PRODUCT_FROM_END)
    return (None, None) if _NONE in (product, version) else (product, version)


def is_bundle(module: Module) -> bool:
    """Tell whether a module without vectors holds a bundle of Python."""
    return module.data.startswith(_BUNDLE, _PREFIX_BYTES)


def read(data: bytes) -> list[Module]:
    """Return the modules of a file, each checked by CRC-32 and SHA-256. Raises BadModule."""
    found: list[Module] = []
    rest = data
    while True:
        module, flags = _first(rest)
        found.append(module)
        rest = rest[len(module.data) :]
        if not flags & _COMBINED:
            break
        if len(found) == _MOST_MODULES:
            raise BadModule(NOT_FOUND, f"The file combines more than {_MOST_MODULES} modules")
    if rest:
        raise BadModule(NOT_FOUND, f"{len(rest)} bytes follow the module in the file")
    return found


def _first(data: bytes) -> tuple[Module, int]:
    at = _prefix_at(data)
    start, end, _, flags, version, platform_id, function, index = _PREFIX.unpack_from(data, at)
    size = end - start + _CRC_BYTES
    if function not in _FUNCTIONS or size < at + _PREFIX_BYTES + _SUFFIX_BYTES + _CRC_BYTES:
        raise BadModule(NOT_FOUND, "The file is not a firmware module")
    if size > len(data):
        raise BadModule(
            NOT_FOUND, f"The firmware module is cut off: {len(data)} of {size} bytes are there"
        )
    body = data[:size]
    if zlib.crc32(body[:-_CRC_BYTES]) != int.from_bytes(body[-_CRC_BYTES:], "big"):
        raise BadModule(INTEGRITY, "The firmware module is damaged: its CRC-32 does not match")
    digest = hashlib.sha256(body[:-_TAIL_BYTES]).digest()
    if digest != body[-_TAIL_BYTES : -_TAIL_BYTES + len(digest)]:
        raise BadModule(INTEGRITY, "The firmware module is damaged: its SHA-256 does not match")
    return Module(function, index, version, platform_id, body), flags


def _prefix_at(data: bytes) -> int:
    offsets = _OTHER_VECTORS
    if len(data) >= _WORD.size and _WORD.unpack_from(data)[0] & _STACK_MASK == _STACK:
        offsets = (_GEN3_VECTORS, *_OTHER_VECTORS[1:])
    for at in offsets:
        if len(data) >= at + _PREFIX_BYTES and _plausible(data, at):
            return at
    raise BadModule(NOT_FOUND, "The file is not a firmware module")


def _plausible(data: bytes, at: int) -> bool:
    start, end, _, flags, _, _, function, _ = _PREFIX.unpack_from(data, at)
    size = end - start + _CRC_BYTES
    # A module that is cut off shall be called that: no more than twice what is there.
    fits = size >= len(data) and size <= 2 * len(data) or (flags & _COMBINED and size > 0)
    return function in _FUNCTIONS and bool(fits)
