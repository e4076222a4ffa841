"""Firmware images of the ESP32 family: read as their bootloader reads them, and made for the
simulated board (esptool documentation, firmware image format; esp-idf, app image format).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor

from particle_tools.errors import UserError

MAGIC = 0xE9
#: Chip id of an image -> name, as esptool has them.
CHIPS = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
    20: "ESP32-C61",
    23: "ESP32-C5",
}

_HEAD = struct.Struct("<BBBBI4sHBHH4sB")
_SEGMENT = struct.Struct("<II")
_SEGMENTS = 16
_SUM = 0xEF
_LINE = 16  # bytes to which the checksum fills up
_HASH = 32
_DESCRIPTION = struct.Struct("<II8x32s32s16s16s32s32s80x")
_DESCRIPTION_MAGIC = 0xABCD5432
_DATA, _CODE = 0x3F400020, 0x400D0000  # addresses of an ESP32 at which flash is seen
_PAGE = 0x10000


@dataclass(frozen=True)
class Image:
    """An image that was read and is whole. size: without what may lie behind it."""

    chip: int
    segments: tuple[tuple[int, bytes], ...]
    hashed: bool
    size: int
    project: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """Return the name of its chip."""
        return CHIPS.get(self.chip, f"chip {self.chip}")


def read(data: bytes) -> Image:
    """Take an image of an application apart. Raises UserError when it is none, or damaged."""
    if len(data) < _HEAD.size or data[0] != MAGIC:
        raise UserError("no firmware image of an ESP32: it does not begin with E9")
    fields = _HEAD.unpack_from(data)
    count, chip, hashed = fields[1], fields[6], fields[11]
    at = _HEAD.size
    found = []
    try:
        for _ in range(count):
            address, size = _SEGMENT.unpack_from(data, at)
            at += _SEGMENT.size
            if size % 4 or at + size > len(data):
                raise UserError("a damaged firmware image: it is cut off")
            found.append((address, data[at : at + size]))
            at += size
    except struct.error:
        raise UserError("a damaged firmware image: it is cut off") from None
    end = (at + _LINE) & -_LINE
    size = end + (_HASH if hashed else 0)
    if not 0 < count <= _SEGMENTS or size > len(data):
        raise UserError("a damaged firmware image: it is cut off")
    if data[end - 1] != _checksum(found):
        raise UserError("a damaged firmware image: its checksum is wrong")
    if hashed and hashlib.sha256(data[:end]).digest() != data[end:size]:
        raise UserError("a damaged firmware image: its SHA-256 is wrong")
    project = version = ""
    first = found[0][1]
    if len(first) >= _DESCRIPTION.size:
        described = _DESCRIPTION.unpack_from(first)
        if described[0] == _DESCRIPTION_MAGIC:
            version, project = (_text(each) for each in described[2:4])
    return Image(chip, tuple(found), bool(hashed), size, project, version)


def make(content: bytes, version: str, chip: int = 0) -> bytes:
    """Return an image as esp-idf makes them, for the simulated board: content is what its first
    segment has behind the description of the application.
    """
    described = _DESCRIPTION.pack(
        _DESCRIPTION_MAGIC,
        0,
        version.encode(),
        b"micropython",
        b"00:00:00",
        b"Jan  1 2026",
        b"v5.5",
        hashlib.sha256(content).digest(),
    )
    first = described + content + bytes(-len(content) % 4)
    at = _HEAD.size + 2 * _SEGMENT.size + len(first)
    # where flash is mapped into memory, the low half of both addresses is the same
    segments = [(_DATA, first), (_CODE + at % _PAGE, bytes(16))]
    entry = segments[1][0]
    data = _HEAD.pack(
        MAGIC, len(segments), 2, 0x20, entry, b"\xee" + bytes(3), chip, 0, 0, 0xFFFF, bytes(4), 1
    )
    for address, part in segments:
        data += _SEGMENT.pack(address, len(part)) + part
    end = (len(data) + _LINE) & -_LINE
    data = data.ljust(end - 1, b"\0") + bytes([_checksum(segments)])
    return data + hashlib.sha256(data).digest()


def _checksum(segments: list[tuple[int, bytes]]) -> int:
    return reduce(xor, (reduce(xor, part, 0) for _, part in segments), _SUM)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")
