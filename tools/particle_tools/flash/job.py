"""Chooses how a board is flashed, by its chip."""

from __future__ import annotations

from particle_tools.errors import UserError
from particle_tools.flash import uf2
from particle_tools.flash.steps import Wishes

_ESP32, _STM32 = "esp32", "stm32"


def choose(wishes: Wishes):
    """Return the work on the board: an object with `steps()` and `report()`.

    Raises UserError when the board or what is asked for does not allow it.
    """
    board = wishes.board
    if board.chip.startswith(_ESP32):
        from particle_tools.flash.esp32 import Esp32

        return Esp32(wishes)
    files = [
        ("--cloud", wishes.identity is not None),
        ("--library", wishes.library not in (None, "none")),
        ("--with", bool(wishes.extra)),
        ("--erase", wishes.erase),
        ("--keep-files", wishes.keep_files),
    ]
    for option, wanted in files:
        if wanted:
            raise UserError(
                f"{option}: {board.title} gets its firmware only: then install and provision,"
                " `particle-mp provision --install`"
            )
    for option, wanted in (("--baud", wishes.baud is not None), ("--no-reset", not wishes.reset)):
        if wanted:
            raise UserError(f"{option}: {board.title} is not flashed through a serial port")
    if uf2.is_for(board.chip):
        return uf2.Uf2(wishes)
    if board.chip.startswith(_STM32):
        from particle_tools.flash.dfu import Dfu

        return Dfu(wishes)
    raise UserError(
        f"{board.title} has no flash to write ({board.chip}): see boards/{board.name}/board.md"
    )
