"""A firmware image in a file, whatever its format, and the MicroPython in it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from particle_tools.boards.catalogue import Board
from particle_tools.errors import UserError

_OLDEST = (1, 25)  # has what the library needs
_NEXT = (2, 0)  # may read other .mpy files
_MOST = 64 << 20

# what every port prints above its prompt
_BANNER = re.compile(rb"MicroPython v?(\d+)\.(\d+)([\w.+-]*) on \d{4}-\d\d-\d\d")
# frozen modules have their names in the firmware
_FROZEN = b"particle/client.mpy"
# names that only a firmware has that mounts the ROMFS of its flash; most are built without
_ROMFS = (b"VfsRom\0", b"rom_ioctl\0")


def read(board: Board, path: Path | None) -> bytes:
    """Return the bytes of the file. Raises UserError with where to get one."""
    if path is None:
        raise UserError(
            f"--firmware FILE is needed: {board.title} of the library's own build"
            f" (boards/{board.name}/board.md), or of micropython.org/download/{board.name}"
        )
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UserError(f"{path} is no file: --firmware FILE")
        if about.st_size > _MOST:
            raise UserError(f"{path}: {about.st_size} bytes are no firmware of a board")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: --firmware FILE") from None
    if not data:
        raise UserError(f"{path} is empty: get it again")
    return data


def version(path: Path, image: bytes) -> str:
    """Return the version of the MicroPython in an image. Raises UserError for one of no use."""
    found = _BANNER.search(image)
    if not found:
        raise UserError(
            f"{path}: no version of MicroPython in it: MicroPython 1.25 or newer is needed"
        )
    number = int(found[1]), int(found[2])
    text = f"{number[0]}.{number[1]}{found[3].decode()}"
    if not _OLDEST <= number < _NEXT:
        raise UserError(
            f"{path}: it is MicroPython {text}, the library is for 1.25 to 1.x:"
            " take an image of one of these"
        )
    return text


def has_library(image: bytes) -> bool:
    """Tell whether the library is frozen into an image."""
    return _FROZEN in image


def has_romfs(image: bytes) -> bool:
    """Tell whether a firmware mounts the ROMFS of its flash at /rom."""
    return all(name in image for name in _ROMFS)
