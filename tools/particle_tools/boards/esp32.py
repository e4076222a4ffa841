"""What MicroPython's files of an ESP32 board say about its flash."""

import re

from esp_idf_defs import PartitionTable
from esp_idf_defs.partitions import PARTITION_TABLE_OFFSET, InputError

from particle_tools.boards.catalogue import Board, read
from particle_tools.errors import UserError

_TABLE = "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME"
_SIZE = re.compile(r"CONFIG_ESPTOOLPY_FLASHSIZE_(\d+)MB")
_SETTING = re.compile(r'(CONFIG_\w+)=(?:"(.*)"|(.*))')
_MIB = 1 << 20


def settings(board: Board) -> dict[str, str]:
    """Return the settings of ESP-IDF that its sdkconfig files make, the last one wins."""
    found = {}
    for path in board.file("sdkconfig"):
        for line in read(path, board.title).splitlines():
            match = _SETTING.fullmatch(line.strip())
            if match:
                found[match[1]] = match[2] if match[2] is not None else match[3]
    return found


def flash_bytes(board: Board) -> int:
    """Return how much flash the firmware is built for. Raises UserError."""
    sizes = [
        match[1]
        for name, value in settings(board).items()
        if value == "y" and (match := _SIZE.fullmatch(name))
    ]
    if len(sizes) != 1:
        raise UserError(f"{board.title}: sdkconfig.board: CONFIG_ESPTOOLPY_FLASHSIZE_ is missing")
    return int(sizes[0]) * _MIB


def firmware_offset(board: Board) -> int:
    """Return the address of a complete image: of its bootloader. Raises UserError."""
    try:
        return int(board.record["deploy_options"]["flash_offset"], 0)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{board.title}: board.json: deploy_options.flash_offset") from None


def partitions(board: Board) -> PartitionTable:
    """Return its table of partitions, by the rules of ESP-IDF. Raises UserError."""
    name = settings(board).get(_TABLE, "").replace("@MICROPY_BOARD_DIR@", str(board.folder))
    if not name:
        raise UserError(f"{board.title}: sdkconfig.board: {_TABLE} is missing")
    path = board.folder / name
    try:
        table = PartitionTable.from_csv(read(path, board.title))
        table.verify(PARTITION_TABLE_OFFSET)
        table.verify_size_fits(flash_bytes(board))
        table.to_binary()
    except InputError as error:
        text = " ".join(str(error).split())
        raise UserError(f"{board.title}: {path.name}: {text}") from None
    return table
