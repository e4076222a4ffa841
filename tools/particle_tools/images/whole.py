"""Whole images as updates: a file that a board keeps as it is, alone in a signed bundle."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

from particle_tools.errors import UserError
from particle_tools.images import esp_image, modules

_LARGEST = (1 << 24) - 1  # bytes of a bundle's contents
_ROMFS = b"\xd2\xcd\x31"
_GZIP, _DFU = b"\x1f\x8b", b"DfuSe"


class Kind(NamedTuple):
    """What a board does with it. name: in the bundle. ota: OTA of the boards that take it."""

    name: str
    ota: str
    function: int
    text: str


_ESP = Kind("firmware.bin", "esp32-ab", modules.NCP, "a firmware of an ESP32")
_APPLICATION = Kind("app.romfs", "app-romfs", modules.USER, "an application as a ROMFS")
_PLAIN = Kind("firmware.dfu.gz", "mboot", modules.NCP, "a firmware for mboot")
_PACKED = Kind("firmware.pack.dfu", "mboot", modules.NCP, "a packed firmware for mboot")
_KINDS = {kind.name: kind for kind in (_ESP, _APPLICATION, _PLAIN, _PACKED)}


def read(path: Path) -> tuple[Kind, bytes]:
    """Return what a file is, and its bytes as they are sent. Raises UserError.

    Knows ESP32 images (`firmware.bin` or `micropython.bin` of a build, not the one with bootloader
    and partitions in front), ROMFS images, and DFU files: those of mboot that are packed by their
    name, `.pack.dfu`; others are compressed here, as mboot wants them.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if not 0 < len(data) <= _LARGEST:
        raise UserError(f"{path} has {len(data)} bytes, an update brings 1 to {_LARGEST}")
    try:
        return _known(path.name, data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _known(name: str, data: bytes) -> tuple[Kind, bytes]:
    if data[0] == esp_image.MAGIC:
        size = esp_image.read(data).size
        if data[size:].strip(b"\xff\0"):
            raise UserError(
                "more than an application: choose micropython.bin of the build, not firmware.bin,"
                " which begins with the bootloader"
            )
        return _ESP, data[:size]
    if data.startswith(_ROMFS):
        if _romfs_bytes(data) > len(data):
            raise UserError("a ROMFS that is cut off")
        # a region is written in pairs of bytes
        return _APPLICATION, data + bytes(len(data) % 2)
    if data.startswith(_GZIP):
        try:
            content = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise UserError("damaged: it cannot be inflated") from None
        _check_dfu(content)
        return _PLAIN, data
    if data.startswith(_DFU):
        _check_dfu(data)
        if name.endswith(".pack.dfu"):
            return _PACKED, data
        return _PLAIN, gzip.compress(data, mtime=0)
    raise UserError("no image of an ESP32, no ROMFS and no DFU file")


def kind_of(names: list[str]) -> Kind | None:
    """Return the kind of a bundle with files of these names, None for an application's."""
    return _KINDS.get(names[0]) if len(names) == 1 else None


def _romfs_bytes(data: bytes) -> int:
    at, n = len(_ROMFS), 0
    while at < len(data):
        n = n << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return at + n
    return len(data) + 1


def _check_dfu(data: bytes) -> None:
    # the size in front and the CRC-32 at the end, as dfu-util and mboot look at them
    if not data.startswith(_DFU) or len(data) < 27:
        raise UserError("no DFU file in it")
    if int.from_bytes(data[6:10], "little") != len(data) - 16:
        raise UserError("a DFU file that is cut off")
    if zlib.crc32(data[:-4]) ^ 0xFFFFFFFF != int.from_bytes(data[-4:], "little"):
        raise UserError("a damaged DFU file: its checksum is wrong")
