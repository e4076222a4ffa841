"""Makes and edits flash.img, the littlefs2 image of a simulated board, while the board is off."""

import os
from pathlib import Path

from littlefs import LittleFS, LittleFSError

from particle_tools import whole_file
from particle_tools.errors import UserError

# the geometry of boards/UNIX_SIM/modules/_flash.py
BLOCK = 4096
BLOCKS = 256
PAGE = 256
READ = 32


def _mount(data: bytes | None) -> LittleFS:
    fs = LittleFS(
        block_size=BLOCK,
        block_count=BLOCKS,
        prog_size=PAGE,
        read_size=READ,
        cache_size=4 * PAGE,
        lookahead_size=READ,
        mount=False,
    )
    if data is None:
        fs.context.buffer[:] = b"\xff" * (BLOCK * BLOCKS)
        fs.format()
    else:
        fs.context.buffer[:] = data
    fs.mount()
    return fs


def open_image(path: Path) -> LittleFS:
    """Mount a copy of the image in memory; raises UserError when it cannot be mounted."""
    data = path.read_bytes()
    if len(data) != BLOCK * BLOCKS:
        raise UserError(
            f"{path} is damaged ({len(data)} bytes, not {BLOCK * BLOCKS}):"
            " remove the folder to start a new board"
        )
    try:
        return _mount(data)
    except LittleFSError as error:
        raise UserError(
            f"{path} is damaged ({error}): remove the folder to start a new board"
        ) from None


def read(path: Path, name: str) -> bytes | None:
    """Return the file `name` ("/pt/config.json") of the image, None when it is not there."""
    fs = open_image(path)
    try:
        with fs.open(name, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path: Path, files: dict[str, bytes]) -> None:
    """Store `files` (absolute name -> content) in the image, made new if it is not there.

    The image is replaced in one step: it holds all of the files or none of them.
    """
    fs = open_image(path) if path.exists() else _mount(None)
    for name, content in files.items():
        fs.makedirs(os.path.dirname(name), exist_ok=True)
        with fs.open(name, "wb") as file:
            file.write(content)
    fs.unmount()
    whole_file.write(path, fs.context.buffer)
