"""Where things go in the flash of an ESP32, and which of them hold files already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from esp_idf_defs import OtaDataSelectEntry, OtaImageState, PartitionDefinition, PartitionTable
from esp_idf_defs.partitions import PARTITION_TABLE_OFFSET, PARTITION_TABLE_SIZE

from particle_tools.boards.catalogue import Board
from particle_tools.errors import UserError
from particle_tools.flash.esp_image import EspImage, application

TABLE_AT, TABLE_BYTES = PARTITION_TABLE_OFFSET, PARTITION_TABLE_SIZE
BLOCK = 4096

# names under which MicroPython looks for its file system
_FILES = ("vfs", "ffat")
_ROMFS = "romfs"
_LITTLEFS = b"littlefs"
_FAT = b"\x55\xaa"


@dataclass(frozen=True)
class Region:
    """Bytes at an address; what: for people, and part of a file's name."""

    what: str
    offset: int
    data: bytes


def fixed(board: Board, path: Path, image: EspImage, table: PartitionTable, at: int):
    """Return the regions of a firmware under the board's table. Raises UserError.

    at: address of the bootloader.
    """
    need = table.flash_size()
    if image.flash < need:
        raise UserError(
            f"{path}: its bootloader is for {image.flash >> 20} MB of flash,"
            f" {board.title} needs {need / (1 << 20):g} MB: take one made for this board"
        )
    if at + len(image.bootloader) > TABLE_AT:
        raise UserError(f"{path}: its bootloader reaches into the table of partitions")
    app = application(table)
    if app is None:
        raise UserError(f"{board.title}: its table of partitions has no application")
    if len(image.application) > app.size:
        raise UserError(
            f"{path}: its application has {len(image.application)} bytes, partition {app.name} of"
            f" {board.title} {app.size}: take one made for this board"
        )
    regions = [
        Region("bootloader", at, image.bootloader),
        Region("partition-table", TABLE_AT, table.to_binary()),
    ]
    for part in table.find_by_type("data", "ota"):
        regions.append(Region(part.name, part.offset, _otadata(part.size)))
    regions.append(Region(app.name, app.offset, image.application))
    return regions


def files(table: PartitionTable) -> PartitionDefinition | None:
    """Return the partition that MicroPython keeps files in, None if there is none."""
    return next((part for part in table if part.name in _FILES), None)


def romfs(table: PartitionTable) -> PartitionDefinition | None:
    """Return the partition of read-only files, None if there is none."""
    return next((part for part in table if part.name == _ROMFS), None)


def parse(data: bytes) -> PartitionTable | None:
    """Return the table that a chip has, None if it has none."""
    try:
        return PartitionTable.from_binary(data[:TABLE_BYTES]) or None
    except (RuntimeError, UnicodeDecodeError):
        return None


def place(table: PartitionTable) -> int:
    """Return the address at which MicroPython has files under this table."""
    part = files(table)
    # without a partition for them it takes what is behind the last one
    return part.offset if part else table.flash_size()


def holds_files(start: bytes) -> bool:
    """Tell whether the first two blocks of a partition are those of a file system."""
    heads = [start[at : at + BLOCK] for at in (0, BLOCK)]
    return any(_LITTLEFS in head[:32] for head in heads) or start[510:512] == _FAT


def _otadata(size: int) -> bytes:
    # the first slot, confirmed: a firmware that fails later has something to go back to
    entry = OtaDataSelectEntry(1, OtaImageState.VALID).to_bytes()
    return entry.ljust(size, b"\xff")
