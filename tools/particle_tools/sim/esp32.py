"""The part of a simulated board's flash that an ESP32 has below its file system: the table of
partitions, otadata and two slots for firmware (ports/esp32/partitions-4MiB-ota.csv of MicroPython,
with smaller slots).
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from particle_tools import whole_file
from particle_tools.errors import UserError
from particle_tools.images import esp_image
from particle_tools.sim import frozen
from particle_tools.sim.board_dir import BoardDir

SLOT_BYTES = 0x40000
_TABLE, _TABLE_BYTES = 0x8000, 0xC00
_ENTRY = struct.Struct("<HBBII16sI")
_MAGIC, _MD5 = 0x50AA, b"\xeb\xeb" + b"\xff" * 14
#: label -> type, subtype, address, bytes
PARTITIONS = {
    "nvs": (1, 2, 0x9000, 0x4000),
    "otadata": (1, 0, 0xD000, 0x2000),
    "phy_init": (1, 1, 0xF000, 0x1000),
    "ota_0": (0, 0x10, 0x10000, SLOT_BYTES),
    "ota_1": (0, 0x11, 0x10000 + SLOT_BYTES, SLOT_BYTES),
}


def firmware(folder: Path | None, version: str, chip: int = 0) -> bytes:
    """Return a firmware for the simulated board: the modules below `folder` are frozen in it.

    They are found before those of this checkout; without a folder there are only those.
    Raises UserError.
    """
    return esp_image.make(frozen.romfs(folder), version, chip)


def make(board: BoardDir, data: bytes) -> None:
    """Give a board an ESP32's flash with this firmware in its first slot. Raises UserError."""
    if len(data) > SLOT_BYTES:
        raise UserError(f"a firmware of {len(data)} bytes, its slot has {SLOT_BYTES}")
    end = max(at + size for _, _, at, size in PARTITIONS.values())
    flash = bytearray(b"\xff") * end
    flash[_TABLE : _TABLE + _TABLE_BYTES] = table().ljust(_TABLE_BYTES, b"\xff")
    at = PARTITIONS["ota_0"][2]
    flash[at : at + len(data)] = data
    whole_file.write(board.path / "esp32.img", flash)


def table() -> bytes:
    """Return the table of partitions as it stands in flash."""
    entries = b"".join(
        _ENTRY.pack(_MAGIC, *values, label.encode(), 0) for label, values in PARTITIONS.items()
    )
    return entries + _MD5 + hashlib.md5(entries).digest()
