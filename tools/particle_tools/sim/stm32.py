"""The flash of a simulated STM32 behind mboot, and the packed firmwares that mboot writes there
(boards/UNIX_SIM/modules/_mboot.py; DfuSe, ST's UM0391).

Of what is packed this has the outside, a DFU file with one element; the signatures inside are
those of a real mboot, which nothing here has.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from particle_tools import whole_file
from particle_tools.errors import UserError
from particle_tools.sim import frozen, image
from particle_tools.sim.board_dir import BoardDir

ADDRESS = 0x08008000  # of the application
BYTES = 0x40000
_STACK = 0x20020000
_VECTORS = 512  # bytes; the ROMFS is behind them
_PREFIX = struct.Struct("<5sBIB")
_TARGET = struct.Struct("<6sBI255sII")
_ELEMENT = struct.Struct("<II")
_SUFFIX = struct.Struct("<HHHH3sB")
_DFUSE, _ANY, _STM = 0x011A, 0xDF11, 0x0483
_FILES = [f"/pt/fw.{which}/firmware.pack.dfu" for which in ("run", "old")]


def firmware(folder: Path | None) -> bytes:
    """Return a packed firmware with the modules below `folder`. Raises UserError."""
    vectors = struct.pack("<II", _STACK, ADDRESS + _VECTORS | 1)
    content = vectors.ljust(_VECTORS, b"\0") + frozen.romfs(folder)
    if len(content) > BYTES:
        raise UserError(f"a firmware of {len(content)} bytes; there is room for {BYTES}")
    return packed(content)


def packed(content: bytes) -> bytes:
    """Return the DFU file of an application."""
    element = _ELEMENT.pack(ADDRESS, len(content)) + content
    target = _TARGET.pack(b"Target", 0, 0, b"", len(element), 1) + element
    data = _PREFIX.pack(b"DfuSe", 1, _PREFIX.size + len(target), 1) + target
    data += _SUFFIX.pack(0, _ANY, _STM, _DFUSE, b"UFD", _SUFFIX.size + 4)
    return data + struct.pack("<I", ~zlib.crc32(data) & 0xFFFFFFFF)


def make(board: BoardDir, dfu: bytes) -> None:
    """Give a board an STM32's flash with this firmware in it."""
    skipped = _PREFIX.size + _TARGET.size + _ELEMENT.size
    content = dfu[skipped : -_SUFFIX.size - 4]
    whole_file.write(board.path / "stm32.img", content.ljust(BYTES, b"\xff"))


def stock(board: BoardDir, dfu: bytes) -> None:
    """Store the firmware that a board came with, so that there is a way back to it.

    Nothing is done to a board that has one, or has no such flash.
    """
    there = any(image.read(board.flash, name) is not None for name in _FILES)
    if not there and (board.path / "stm32.img").exists():
        image.write(board.flash, {_FILES[0]: dfu})
