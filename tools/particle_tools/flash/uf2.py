"""UF2 images, and the drives of RP2 and nRF bootloaders that they are copied to.

Format: github.com/microsoft/uf2. Such a drive takes blocks and keeps no files: what was written
cannot be read from it. It goes away when the board has all blocks and starts.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from particle_tools.boards import layout
from particle_tools.boards.catalogue import Board
from particle_tools.errors import UserError
from particle_tools.flash import firmware_file
from particle_tools.flash.steps import Step, Wishes
from particle_tools.progress import bar

_BLOCK = 512
_HEAD = struct.Struct("<8I")
_MAGICS = (0x0A324655, 0x9E5D5157)
_END = 0x0AB16F30
_END_AT = 508
_PAGE = 256  # what boot loaders write at once: no block has more, or begins within one
_NOT_FLASH = 1
_HAS_FAMILY = 0x2000
_ABSOLUTE = 0xE48BFF57  # RP2350: a block of its own in front, for an erratum of the chip

_INFO = "INFO_UF2.TXT"
_NAME = "firmware.uf2"
_CHUNK = 64 * 1024
_PATIENCE_S = 20.0  # for the drive to go away
_LOOK_S = 0.1


@dataclass(frozen=True)
class _Kind:
    # families of images, what INFO_UF2.TXT says, where the flash is, where images may begin
    families: tuple[int, ...]
    says: str
    flash: int
    starts: tuple[int, ...]


_XIP = 0x10000000
_KINDS = {
    "rp2040": _Kind((0xE48BFF56,), "RPI-RP2", _XIP, (_XIP,)),
    "rp2350": _Kind((0xE48BFF59, 0xE48BFF5B, 0xE48BFF5A), "RP2350", _XIP, (_XIP,)),
    # as MicroPython calls the nRF52840; behind the MBR, or behind SoftDevice 6 or 7
    "nrf52": _Kind((0xADA52840,), "nRF52840", 0, (0x1000, 0x26000, 0x27000)),
}


def is_for(chip: str) -> bool:
    """Tell whether boards with this chip have such a drive."""
    return chip in _KINDS


def parse(path: Path, data: bytes, board: Board) -> dict[int, bytes]:
    """Return the content of an image: address -> bytes, ascending. Raises UserError.

    Checked: every block, their order and number, family, addresses, and that all of it is in the
    board's region for the firmware.
    """
    chip = board.chip
    kind = _KINDS[chip]
    if len(data) % _BLOCK or not data:
        raise _damaged(path, f"{len(data)} bytes are no blocks of {_BLOCK}")
    found: dict[int, bytes] = {}
    expected = total = 0
    for at in range(0, len(data), _BLOCK):
        number = at // _BLOCK
        head = _HEAD.unpack_from(data, at)
        flags, address, size, index, count, family = head[2:]
        if head[:2] != _MAGICS or data[at + _END_AT : at + _BLOCK] != _END.to_bytes(4, "little"):
            raise _damaged(path, f"block {number} is none")
        if flags & _NOT_FLASH or family == _ABSOLUTE:
            continue
        if not flags & _HAS_FAMILY or family not in kind.families:
            what = f"family {family:#x}" if flags & _HAS_FAMILY else "no family"
            raise UserError(f"{path}: {what}, {chip} is {kind.families[0]:#x}: take one for it")
        if index != expected or (total and count != total):
            raise _damaged(path, f"block {number} is block {index} of {count}")
        if not 0 < size <= _PAGE or address % _PAGE:
            raise _damaged(path, f"block {number} has {size} bytes for address {address:#x}")
        if address in found:
            raise _damaged(path, f"block {number} is the second one for address {address:#x}")
        expected, total = expected + 1, count
        found[address] = data[at + _HEAD.size : at + _HEAD.size + size]
    if expected != total or len(found) != total or not total:
        raise _damaged(path, f"{expected} of {total} blocks, or some twice")
    found = dict(sorted(found.items()))
    _check_place(path, found, board)
    return found


def _check_place(path: Path, found: dict[int, bytes], board: Board) -> None:
    kind = _KINDS[board.chip]
    region = next(part for part in layout.regions(board) if part.name == "firmware")
    begin, last = next(iter(found)), next(reversed(found))
    if begin not in kind.starts:
        starts = " or ".join(map(hex, kind.starts))
        raise UserError(f"{path}: it begins at {begin:#x}, {board.title} starts from {starts}")
    end = kind.flash + region.offset + region.size
    if last + len(found[last]) > end:
        raise UserError(
            f"{path}: it ends at {last + len(found[last]):#x}, the place for the firmware of"
            f" {board.title} at {end:#x}: take one made for this board"
        )


def content(blocks: dict[int, bytes]) -> bytes:
    """Return the bytes of an image in the order of their addresses."""
    return b"".join(blocks.values())


def _board_id(board: Board) -> str:
    # how its boot loader calls it; "" where boot loaders say the chip only
    return str(board.record.get("deploy_options", {}).get("uf2_board_id", ""))


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path}: no UF2 image, or a damaged one ({why}): get it again")


class Uf2:
    """The work on one board. Raises UserError."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._kind = _KINDS[wishes.board.chip]
        self._data = b""
        self._frozen = False
        self._says: str | None = None
        self.version: str | None = None
        if wishes.firmware:
            self._data = firmware_file.read(wishes.board, wishes.firmware)
            image = content(parse(wishes.firmware, self._data, wishes.board))
            self.version = firmware_file.version(wishes.firmware, image)
            self._frozen = firmware_file.has_library(image)

    def steps(self) -> list[Step]:
        """Return what is to be done on the board, in order."""
        where, kind = self._wishes.where, self._kind
        again = "connect it again as a drive and repeat the command"
        text_of_copy = f"copy {self._wishes.file} to {where}/{_NAME}"
        text_of_start = "wait for the drive to go away: the board has started"
        name = _board_id(self._wishes.board) or kind.says
        text = f"{_INFO} in {where} names {name}, or nothing is written"
        return [
            Step("chip", text, self._look),
            Step("write", text_of_copy, self._copy, stopped=f"the board is not complete: {again}"),
            Step(
                "start", text_of_start, self._wait, stopped=f"the board has not started: {again}"
            ),
        ]

    def report(self) -> dict[str, Any]:
        """Return what was done, for JSON."""
        return {
            "firmware": self.version,
            "bytes": len(self._data),
            "library": "none",
            "installed": self._frozen,
            "drive": self._says,
            "verified": False,
        }

    @property
    def _drive(self) -> Path:
        return Path(self._wishes.where)

    def _look(self) -> None:
        try:
            text = (self._drive / _INFO).read_text(errors="replace")
        except OSError:
            raise UserError(
                f"{self._drive}: no drive of a bootloader (no {_INFO}): hold BOOTSEL (RP2) while"
                " you connect it, or press RESET twice (nRF), and give the drive that appears"
            ) from None
        board = self._wishes.board
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        name = lines.get("Board-ID", lines.get("Model", "something else")).strip()
        if self._kind.says.lower() not in text.lower():
            raise UserError(
                f"{self._drive} is {name}, {board.title} has {board.chip}: nothing was written;"
                " `particle-mp boards` lists what there is"
            )
        wanted = _board_id(board)
        if wanted and not name.lower().startswith(wanted.lower()):
            raise UserError(
                f"{self._drive} is {name}, {board.title} is {wanted}: nothing was written;"
                " `particle-mp boards` lists what there is"
            )
        self._says = name

    def _copy(self) -> None:
        done, total = 0, len(self._data)
        try:
            # the name of a file says nothing to a bootloader; unbuffered: an error says where
            with open(self._drive / _NAME, "wb", buffering=0) as file:
                while done < total:
                    done += file.write(self._data[done : done + _CHUNK])
                    self._wishes.show(f"writing firmware: {bar(done, total)}")
                os.fsync(file.fileno())
        except OSError as error:
            # with the last block the drive may be gone before it says that all is well
            if done < total or not self._gone():
                raise UserError(
                    f"{self._drive}: {error.strerror} at {done} of {total} bytes, the board is not"
                    " complete: connect it again as a drive and repeat"
                ) from None

    def _gone(self) -> bool:
        try:
            return not (self._drive / _INFO).exists()
        except OSError:
            return True

    def _wait(self) -> None:
        self._wishes.show("waiting for the board")
        until = time.monotonic() + _PATIENCE_S
        while not self._gone():
            if time.monotonic() > until:
                raise UserError(
                    f"{self._drive} is still there: the board has not taken the image; take it"
                    " off, connect it again as a drive and repeat"
                )
            time.sleep(_LOOK_S)
