"""File systems that boards mount, made on the host."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from littlefs import LittleFS, LittleFSError

from particle_tools import packing
from particle_tools.boards.catalogue import Board
from particle_tools.errors import UserError
from particle_tools.provisioning import library

_BLOCK = 4096
_PAGE = 256
# MicroPython before 1.21 reads nothing newer, and all later ones read it
_DISK_VERSION = 0x00020000
_MPREMOTE_S = 60
_PROFILE = ("modules/particle_board.py", "particle_board")
_VARIANT = ("variant_{}/particle_variant.py", "particle_variant")


def components(board: Board, transport: str | None, extra: list[str]) -> list[str]:
    """Return what is installed: what provisioning needs, and `extra`. Raises UserError."""
    unknown = [name for name in extra if name not in packing.COMPONENTS]
    if unknown:
        raise UserError(
            f"--with {unknown[0]}: no such component: {', '.join(sorted(packing.COMPONENTS))}"
        )
    profile = board.profile
    needed = library.components(transport or profile["TRANSPORT"], profile["NET"])
    return list(dict.fromkeys([*needed, *extra]))


def library_files(board: Board, names: list[str]) -> dict[str, bytes]:
    """Return the components and the board's profile: path below `lib` -> bytes."""
    found = {}
    for name in names:
        found |= packing.contents(name)
    for file, module in (_PROFILE, _VARIANT):
        path = board.folder / file.format((board.variant or "").lower())
        if path.exists():
            found[f"{module}.mpy"] = packing.compile_module(path)
    return found


def littlefs(files: dict[str, bytes], size: int) -> bytes:
    """Return an image of `size` bytes with these files (absolute name -> bytes).

    Raises UserError when they do not fit.
    """
    fs = LittleFS(
        block_size=_BLOCK,
        block_count=size // _BLOCK,
        prog_size=_PAGE,
        disk_version=_DISK_VERSION,
        mount=False,
    )
    fs.context.buffer[:] = b"\xff" * size
    try:
        fs.format()
        fs.mount()
        for name, data in sorted(files.items()):
            fs.makedirs(name.rpartition("/")[0] or "/", exist_ok=True)
            with fs.open(name, "wb") as file:
                file.write(data)
        fs.unmount()
    except LittleFSError:
        total = sum(map(len, files.values()))
        raise UserError(
            f"{len(files)} files of {total} bytes do not fit into a file system of"
            f" {size // 1024} KiB: ask for fewer components"
        ) from None
    return bytes(fs.context.buffer)


def romfs(files: dict[str, bytes], size: int) -> bytes:
    """Return a ROMFS with these files (path -> bytes), filled up to `size` bytes.

    Made by mpremote. Raises UserError when they do not fit.
    """
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "files"), Path(folder, "image")
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        command = [sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "-o", str(out), "build"]
        done = subprocess.run(
            [*command, str(root)], capture_output=True, text=True, timeout=_MPREMOTE_S, check=False
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise UserError(f"mpremote romfs build: {lines[-1]}")
        image = out.read_bytes()
    if len(image) > size:
        raise UserError(
            f"a ROMFS of {len(image)} bytes does not fit into {size}: ask for fewer components"
        )
    return image.ljust(size, b"\xff")
