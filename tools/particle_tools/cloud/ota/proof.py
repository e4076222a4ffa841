"""Whether a device runs what it was given: the one proof is what it describes (5.2.4).

A device answers 2.04 before it compares the SHA-256 of the file, and before it starts anything.
Source: ota-and-boot 1.7, 1.10.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from particle_tools.cloud import modules, system_description
from particle_tools.cloud.modules import APPLICATIONS, BadModule, Module

_DIGEST = slice(-38, -6)
_FLAGS_AT, _COMPRESSED, _EXTENDED = 9, 0x02, 0x10
_PREFIX_BYTES = 24
_HEADER = struct.Struct("<HBBI")
_DEFLATE = 0
_USUAL_WINDOW = 15
_EXTENSION = struct.Struct("<HH")
_END = 0
_LARGEST = 16 << 20  # bytes of a module that was compressed


def is_application(data: bytes) -> bool:
    """Tell whether a file holds what devices show by its hash: nothing but an application."""
    try:
        return all(module.function in APPLICATIONS for module in modules.read(data))
    except BadModule:
        return False


def shown(data: bytes, described: dict[str, Any]) -> bool:
    """Tell whether a description shows every module of a file as installed."""
    try:
        wanted = modules.read(data)
    except BadModule:
        return False
    listed = system_description.modules(described)
    return all(_listed(module, listed) for module in wanted)


def _listed(module: Module, listed: list[dict[str, Any]]) -> bool:
    if module.function in APPLICATIONS:
        found = {str(entry["u"]).lower() for entry in listed if "u" in entry}
        if found:
            return bool(found & {digest.hex() for digest in _digests(module.data)})
    letter = system_description.KINDS.get(module.function)
    return any(
        entry.get("f") == letter
        and str(entry.get("n")) == str(module.index)
        and entry.get("v") == module.version
        and entry.get("vc") == entry.get("vv")
        for entry in listed
    )


def _digests(data: bytes) -> list[bytes]:
    """Return the hashes that name a module: its own, and that of what is compressed in it."""
    found = [data[_DIGEST]]
    inner = _inflated(data)
    if inner is not None:
        found.append(inner[_DIGEST])
    return found


def _inflated(data: bytes) -> bytes | None:
    if not data[_FLAGS_AT] & _COMPRESSED:
        return None
    at = _PREFIX_BYTES
    try:
        if data[_FLAGS_AT] & _EXTENDED:
            kind = None
            while kind != _END:
                kind, size = _EXTENSION.unpack_from(data, at)
                at += max(size, _EXTENSION.size)
        skip, method, bits, size = _HEADER.unpack_from(data, at)
        if method != _DEFLATE or size > _LARGEST:
            return None
        inflater = zlib.decompressobj(-(bits or _USUAL_WINDOW))
        content = inflater.decompress(data[at + skip :], size + 1)
    except (struct.error, zlib.error, ValueError):
        return None
    return content if len(content) == size else None
