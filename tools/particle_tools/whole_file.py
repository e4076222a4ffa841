"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from particle_tools.errors import UserError, reason

_ANYBODY, _OWNER = 0o666, 0o600  # before umask


def write(path: Path, data: bytes | bytearray, *, secret: bool = False) -> None:
    """Write a file in one step: when it fails, what was there stays.

    secret: nobody but its owner may read it, whoever could before. Raises UserError.
    """
    try:
        _write(path, data, _OWNER if secret else _ANYBODY)
    except OSError as error:
        raise UserError(f"{path}: {reason(error)}") from None


def _write(path: Path, data: bytes | bytearray, mode: int) -> None:
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # a pipe or a device; a folder refuses
        return
    target = path.resolve()  # a link stays one
    part = target.with_name(target.name + ".new")
    part.unlink(missing_ok=True)  # of a process that was killed: its mode may be another
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
