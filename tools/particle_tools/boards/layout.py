"""Where firmware and files lie in the flash of a board, read from MicroPython's own files."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from esp_idf_defs.partitions import APP_TYPE

from particle_tools.boards import esp32
from particle_tools.boards.catalogue import Board, read
from particle_tools.errors import UserError

_KIB = 1 << 10
_MIB = 1 << 20

# Bytes of flash by the name that the pico-sdk has for a board
_PICO_FLASH = {"pico_w": 2 * _MIB, "pico2_w": 4 * _MIB}
_NRF52840_FLASH = _MIB

_PARTITIONS = {
    "nvs": "settings of ESP-IDF",
    "otadata": "which firmware runs",
    "phy_init": "calibration of the radio",
    "romfs": "library or applications, run in place",
    "vfs": "files",
}
_OPERATORS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


@dataclass(frozen=True)
class Region:
    """A part of the flash, in bytes."""

    name: str
    offset: int
    size: int
    what: str


def regions(board: Board) -> list[Region]:
    """List the parts of the flash; none of a board whose files do not say. Raises UserError."""
    read = {"esp32": _esp32, "rp2": _rp2, "nrf": _nrf}.get(board.port)
    return read(board) if read else []


def size_text(size: int) -> str:
    """Return a size in MiB or KiB."""
    return f"{size // _MIB} MiB" if size % _MIB == 0 else f"{size / _KIB:g} KiB"


def _esp32(board: Board) -> list[Region]:
    return [
        Region(part.name, part.offset, part.size, _what(part.name, part.type))
        for part in esp32.partitions(board)
    ]


def _what(name: str, kind: int) -> str:
    return "firmware" if kind == APP_TYPE else _PARTITIONS.get(name, "")


def _rp2(board: Board) -> list[Region]:
    # from the end: files, ROMFS, and what is left is for the firmware (ports/rp2/rp2_flash.c)
    cmake = _text(board, "mpconfigboard.cmake")
    match = re.search(r'set\(PICO_BOARD "?(\w+)', cmake)
    if not match or match[1] not in _PICO_FLASH:
        known = ", ".join(_PICO_FLASH)
        raise UserError(f"{board.title}: mpconfigboard.cmake: PICO_BOARD must be one of {known}")
    flash = _PICO_FLASH[match[1]]
    header = _text(board, "mpconfigboard.h")
    names = {"PICO_FLASH_SIZE_BYTES": flash}
    files = _define(board, header, "MICROPY_HW_FLASH_STORAGE_BYTES", names)
    romfs = _define(board, header, "MICROPY_HW_ROMFS_BYTES", names, 0)
    left = flash - files - romfs
    if left <= 0:
        raise UserError(f"{board.title}: mpconfigboard.h: no flash is left for the firmware")
    found = [Region("firmware", 0, left, "firmware")]
    if romfs:
        found.append(Region("romfs", left, romfs, _PARTITIONS["romfs"]))
    return [*found, Region("storage", left + romfs, files, "files")]


def _nrf(board: Board) -> list[Region]:
    # what comes before the application and behind the files is its linker script's
    make = _text(board, "mpconfigboard.mk")
    match = re.search(r"\$\(BOARD_DIR\)/([\w./]+\.ld)", make)
    script = _text(board, match[1]) if match else ""
    bounds = dict(re.findall(r"(\w+_size)\s*=\s*(\w+);", script))
    head = int(bounds.get("_bootloader_head_size", "0"), 0)
    tail = int(bounds.get("_bootloader_tail_size", "0"), 0)
    match = re.search(r"^FS_SIZE\s*=\s*(\d+)k", make, re.MULTILINE | re.IGNORECASE)
    files = (int(match[1]) if match else 64) * _KIB
    end = _NRF52840_FLASH - tail
    found = [Region("firmware", head, end - files - head, "firmware")]
    if head:
        found.insert(0, Region("mbr", 0, head, "Nordic's master boot record"))
    found.append(Region("storage", end - files, files, "files"))
    if tail:
        found.append(Region("bootloader", end, tail, "boot loader"))
    return found


def _text(board: Board, name: str) -> str:
    return read(board.folder / name, board.title)


def _define(
    board: Board, header: str, name: str, names: Mapping[str, int], default: int | None = None
) -> int:
    match = re.search(rf"^#define\s+{name}\s+(.+)$", header, re.MULTILINE)
    if not match and default is not None:
        return default
    try:
        return _value(ast.parse(match[1].strip() if match else "", mode="eval").body, names)
    except (KeyError, SyntaxError, ValueError):
        raise UserError(f"{board.title}: mpconfigboard.h: {name} is no number") from None


def _value(node: ast.expr, names: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    raise ValueError
