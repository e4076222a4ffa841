"""A complete image for an ESP32: bootloader, table of partitions, application.

What MicroPython offers for download; it is written from the chip's address of the bootloader on.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from esp_idf_defs import ImageHeader, ImageMetadata, PartitionTable
from esp_idf_defs.partitions import APP_TYPE, PARTITION_TABLE_OFFSET, PARTITION_TABLE_SIZE

from particle_tools.errors import UserError

_MAGIC = b"\xe9"
_HASH = 32
_MIB = 1 << 20


@dataclass(frozen=True)
class EspImage:
    """The parts of an image. flash: bytes that its bootloader believes in."""

    bootloader: bytes
    table: PartitionTable
    application: bytes
    flash: int


def parse(path: Path, data: bytes, chip: str, offset: int) -> EspImage:
    """Take an image apart and check every part; chip: as esptool names it.

    offset: address of the bootloader. Raises UserError.
    """
    if offset and data[:offset].count(0xFF) == offset:
        data = data[offset:]  # an image of everything from address 0 on
    if data[:1] != _MAGIC:
        raise UserError(f"{path}: no firmware for an ESP32, or a damaged one: get it again")
    head = _image(path, "bootloader", data, chip)
    if head.app_description is not None:
        raise UserError(
            f"{path}: an application alone, without bootloader: take the complete image (.bin)"
        )
    at = PARTITION_TABLE_OFFSET - offset
    try:
        table = PartitionTable.from_binary(data[at : at + PARTITION_TABLE_SIZE])
    except (RuntimeError, UnicodeDecodeError):
        raise UserError(f"{path}: its table of partitions is damaged: get it again") from None
    first = application(table)
    if first is None:
        raise UserError(f"{path}: its table of partitions has no application")
    body = data[first.offset - offset :]
    if not body:
        raise UserError(f"{path} ends before its application: it is not complete, get it again")
    app = _image(path, "application", body, chip)
    return EspImage(
        bootloader=data[: _length(head)],
        table=table,
        application=body[: _length(app)],
        flash=_MIB << head.header.spi_size,
    )


def application(table: PartitionTable):
    """Return the partition of the first application, None if there is none."""
    found = [part for part in table if part.type == APP_TYPE]
    return min(found, key=lambda part: part.offset, default=None)


def _image(path: Path, what: str, data: bytes, chip: str) -> ImageMetadata:
    try:
        header = ImageHeader.from_bytes(data)
        if header.chip_id.chip_name != chip:
            other = header.chip_id.chip_name
            raise UserError(f"{path}: its {what} is for {other}, not {chip}: take one for it")
        return ImageMetadata.from_bytes(data)
    except (ValueError, struct.error) as error:
        raise UserError(f"{path}: its {what} is damaged ({error}): get it again") from None


def _length(image: ImageMetadata) -> int:
    last = image.segments[-1]
    # a checksum, at the end of 16 bytes, and the hash
    end = (last.offset + last.length + 16) & ~15
    return end + (_HASH if image.header.hash_appended else 0)
