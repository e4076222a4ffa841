"""The system Describe as JSON, whichever form the device has sent (cloud-protocol 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from particle_tools.cloud import strict_json

PROTOBUF = 42  # content format; otherwise the device sent JSON
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
KINDS = {1: "r", 2: "b", 3: "m", 4: "s", 5: "u", 7: "c", 8: "a"}  # functions of modules
_STORES = {0: "m", 1: "f", 2: "b", 3: "t"}
_HASH = re.compile("[0-9a-f]{64}")
_TEXTS = {2: "imei", 3: "iccid", 4: "cellfw"}


def to_json(body: bytes, content_format: int, platform_id: int | None) -> dict[str, Any]:
    """Return the description in its JSON form. Raises ValueError if it cannot be read."""
    if content_format != PROTOBUF:
        found = strict_json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("the description is no object")
        return found
    described: dict[str, Any] = {"p": platform_id, "m": []}
    for number, value in _fields(body):
        if number == 1 and isinstance(value, bytes):
            described["m"].append(_module(value))
        elif number == 5 and isinstance(value, bytes):
            described.setdefault("assets", []).append(_asset(value))
        elif number in _TEXTS and isinstance(value, bytes):
            described[_TEXTS[number]] = value.decode(errors="replace")
    return described


def _module(data: bytes) -> dict[str, Any]:
    found: dict[int, int | bytes] = {}
    needs, assets = [], []
    for number, value in _fields(data):
        if number == 9 and isinstance(value, bytes):
            needs.append(_names(dict(_fields(value))))
        elif number == 10 and isinstance(value, bytes):
            assets.append(_asset(value))
        else:
            found[number] = value
    module = {
        "s": found.get(5, 0),
        "l": _STORES.get(_number(found, 4), "m"),
        "vc": found.get(6, 0),
        "vv": found.get(7, 0),
    }
    digest = found.get(8)
    if isinstance(digest, bytes):
        module["u"] = digest.hex()
    if assets:
        module["asset_dependencies"] = assets
    return module | _names(found) | {"d": needs}


def _asset(data: bytes) -> dict[str, Any]:
    found = dict(_fields(data))
    digest, name = found.get(1, b""), found.get(2, b"")
    return {
        "hash": digest.hex() if isinstance(digest, bytes) else "",
        "name": name.decode(errors="replace") if isinstance(name, bytes) else "",
        "size": _number(found, 3),
    }


def application(described: dict[str, Any]) -> str | None:
    """Return the hash of the application, 64 hex digits, that a description shows; else None."""
    for module in modules(described):
        digest = module.get("u")
        if isinstance(digest, str) and _HASH.fullmatch(digest.lower()):
            return digest.lower()
    return None


def modules(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the modules of a description, whoever wrote it."""
    found = described.get("m")
    return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []


def assets(described: dict[str, Any]) -> set[str]:
    """Return the hashes of the assets that a device has."""
    return _hashes(described.get("assets"))


def needed_assets(described: dict[str, Any]) -> set[str]:
    """Return the hashes of the assets that the modules of a device need."""
    return set().union(*(_hashes(m.get("asset_dependencies")) for m in modules(described)))


def _hashes(found: Any) -> set[str]:
    listed = found if isinstance(found, list) else []
    return {str(a.get("hash")).lower() for a in listed if isinstance(a, dict)}


def _names(found: dict[int, int | bytes]) -> dict[str, Any]:
    # what a module and a dependency have in common
    return {
        "f": KINDS.get(_number(found, 1), "n"),
        "n": str(_number(found, 2)),
        "v": _number(found, 3),
    }


def _number(found: dict[int, int | bytes], field: int) -> int:
    value = found.get(field, 0)
    return value if isinstance(value, int) else 0


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    # (number, value) of each field of a protobuf message
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        content = data[at : at + size]
        if len(content) != size:
            raise ValueError("a field that is cut off")
        at += size
        yield key >> 3, content if kind == _BYTES else int.from_bytes(content, "little")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")
