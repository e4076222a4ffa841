"""Finds boards: a folder of boards/ has MicroPython's files and the library's profile."""

import ast
import difflib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from particle_tools import ROOT
from particle_tools.errors import UserError

FOLDER = ROOT / "boards"

#: What every profile says (DESIGN 5, board).
CONSTANTS = (
    "NAME PLATFORM_ID NET TRANSPORT STORE STORE_ROOT BACKUP LED BUTTON UART MODEM OTA WDT_MS TIER"
).split()

# What the constants that are one of a few can be
_VALUES: dict[str, tuple[str | None, ...]] = {
    "NET": ("wifi", "ppp", "at", "host", None),
    "TRANSPORT": ("udp", "tcp"),
    "STORE": ("littlefs", "pair", "nvs"),
    "OTA": ("app-ab", "app-romfs", "esp32-ab", "mboot", "none"),
    "TIER": ("A", "B", "C"),
}

_PROFILE = "modules/particle_board.py"
_GUIDE = "docs/boards.md says how to add it"

# MicroPython's folder ports/PORT that a chip belongs to, by the beginning of its name
_PORTS = {
    "esp32": "esp32",
    "rp2": "rp2",
    "stm32": "stm32",
    "nrf": "nrf",
    "unix": "unix",
    "cortex-m": "qemu",
}


@dataclass(frozen=True)
class Board:
    """A board, or a variant of one; `record` is its board.json."""

    name: str
    variant: str | None
    folder: Path
    record: dict[str, Any]

    @property
    def title(self) -> str:
        """Return NAME or NAME-VARIANT, as MicroPython calls the firmware."""
        return f"{self.name}-{self.variant}" if self.variant else self.name

    @property
    def chip(self) -> str:
        """Return the processor, as MicroPython and esptool name it."""
        return str(self.record["mcu"])

    @property
    def port(self) -> str:
        """Return the folder of MicroPython's ports/ that builds its firmware."""
        for beginning, port in _PORTS.items():
            if self.chip.startswith(beginning):
                return port
        raise UserError(f"{self.title}: board.json: no port of MicroPython is for {self.chip}")

    @cached_property
    def profile(self) -> dict[str, Any]:
        """Return the constants of its profile, with those its variant changes."""
        found = _constants(self.folder / _PROFILE)
        if self.variant:
            changes = self.folder / f"variant_{self.variant.lower()}" / "particle_variant.py"
            if changes.exists():
                found |= _constants(changes)
        return found

    def file(self, suffix: str) -> list[Path]:
        """List the files that end in `suffix`: the board's, then its variant's."""
        ends = ["board", *([self.variant.lower()] if self.variant else [])]
        found = [self.folder / f"{suffix}.{end}" for end in ends]
        return [path for path in found if path.exists()]


def names() -> list[str]:
    """List the boards, in alphabetical order."""
    return sorted(path.parent.name for path in FOLDER.glob("*/board.json"))


def every() -> list[Board]:
    """List all boards, each followed by its variants."""
    found = []
    for name in names():
        board = find(name)
        found.append(board)
        found += [find(f"{name}-{variant}") for variant in board.record.get("variants", {})]
    return found


def find(text: str) -> Board:
    """Return the board NAME or NAME-VARIANT of boards/, or FOLDER/NAME of somebody's own.

    Raises UserError with the next step.
    """
    path = Path(text.rstrip("/"))
    name, dash, variant = path.name.partition("-")
    folder = (path.parent.absolute() if "/" in text else FOLDER) / name
    if not (folder / "board.json").exists():
        raise UserError(_unknown(text, name))
    if not (folder / _PROFILE).exists():
        raise UserError(f"{name}: it has no profile, {folder.name}/{_PROFILE}; {_GUIDE}")
    record = _record(folder)
    variants = record.get("variants", {})
    some = f"choose {', '.join(variants)}" if variants else "it has none"
    if dash and not variant:
        raise UserError(f"{text}: a variant is named behind the -, {some}")
    if variant and variant not in variants:
        raise UserError(f"{text}: no variant {variant} of {name}, {some}")
    board = Board(name, variant or None, folder, record)
    missing = [constant for constant in CONSTANTS if constant not in board.profile]
    if missing:
        raise UserError(f"{text}: {_PROFILE} does not say {', '.join(missing)}; {_GUIDE}")
    for constant, values in _VALUES.items():
        value = board.profile[constant]
        if value not in values:
            wanted = ", ".join(map(repr, values))
            raise UserError(
                f"{text}: {_PROFILE}: {constant} = {value!r}: one of {wanted} is wanted"
            )
    return board


def read(path: Path, title: str) -> str:
    """Return the text of a file of the board `title`. Raises UserError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{title}: {path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{title}: {path.name}: it is no text in UTF-8") from None


def _unknown(text: str, name: str) -> str:
    if "/" in text:
        return f"{text}: no board.json there; {_GUIDE}"
    near = difflib.get_close_matches(name.upper(), names(), 1)
    if near:
        return f"{text}: no such board, did you mean {near[0]}? `particle-mp boards` lists all"
    return f"{text}: no such board; `particle-mp boards` lists those there are, {_GUIDE}"


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads(read(folder / "board.json", folder.name))
    except ValueError as error:
        raise UserError(f"{folder.name}: board.json: {error}") from None
    for key in ("mcu", "product", "vendor"):
        if not isinstance(record, dict) or not isinstance(record.get(key), str):
            raise UserError(f"{folder.name}: board.json: `{key}` is missing")
    if not isinstance(record.get("variants", {}), dict):
        raise UserError(f"{folder.name}: board.json: `variants` is no object")
    return record


def _constants(path: Path) -> dict[str, Any]:
    found = {}
    try:
        tree = ast.parse(read(path, str(path.parent)))
    except SyntaxError as error:
        raise UserError(f"{path}: line {error.lineno}: {error.msg}") from None
    except ValueError as error:  # a byte of 0
        raise UserError(f"{path}: {error}") from None
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except (TypeError, ValueError):
                pass  # known on the board only
    return found
