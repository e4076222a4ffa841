"""The flash of an ESP32 in DIR/esp32.img: what is below the file system, which stays in flash.img.

A board is one when it has that file (`particle-mp sim --esp32`).
"""

import _bootloader
import _program_flash
import _sim
from micropython import const

FILE = "esp32.img"

_RUNNING = "ram/firmware"  # address of what the bootloader has started
_CHIP = const(0)  # ESP32, as images have it
_DESCRIPTION = const(256)  # bytes of esp_app_desc_t, at the beginning of the first segment
_ROMFS = b"\xd2\xcd1"


class Chip(_program_flash.Flash):
    """The flash; as `_bootloader` wants it."""

    chip_id = _CHIP

    def __init__(self):
        super().__init__(FILE)

    def panic(self, text):
        """End the firmware as an abort of esp-idf does."""
        print(text)
        _sim.die(_sim.RESET)


def running():
    """Return the address of the firmware that runs."""
    return int(_sim.read(_RUNNING))


def start(chip, soft):
    """Start a firmware as the bootloader does, unless this is a soft reset; return its modules.

    They are a ROMFS behind the description of the application; b"" without one.
    """
    if soft:
        found = [p for p in _bootloader.table(chip) if p[2] == running()][0]
    else:
        found = _bootloader.start(chip)
        if not found:
            _sim.die(1)
        _sim.write(_RUNNING, str(found[2]).encode())
    for at, n in _bootloader.segments(chip, found)[0]:
        data = bytearray(max(0, n - _DESCRIPTION))
        chip.read(at + _DESCRIPTION, data)
        return data if data[:3] == _ROMFS else b""
    return b""
