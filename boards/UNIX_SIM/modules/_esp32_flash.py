"""The flash of an ESP32 in DIR/esp32.img: what is below the file system, which stays in flash.img.

A board is one when it has that file (`particle-mp sim --esp32`). Erasing sets the bits of 4 KiB,
programming clears bits; each is an operation for the supervisor's --cut.
"""

import _bootloader
import _sim
from micropython import const

FILE = "esp32.img"

_RUNNING = "ram/firmware"  # address of what the bootloader has started
_SECTOR = const(4096)
_CHIP = const(0)  # ESP32, as images have it
_DESCRIPTION = const(256)  # bytes of esp_app_desc_t, at the beginning of the first segment
_ROMFS = b"\xd2\xcd1"


class Chip:
    """The flash; as `_bootloader` wants it."""

    chip_id = _CHIP

    def __init__(self):
        self._file = _sim.open_host(FILE, "r+b")

    def read(self, at, buf):
        """Fill `buf` from address `at`."""
        self._file.seek(at)
        self._file.readinto(buf)

    def erase(self, at):
        """Set all bits of the sector at address `at`."""
        self._change(at, b"\xff" * _SECTOR)

    def program(self, at, data):
        """Clear those bits that are 0 in `data`."""
        old = bytearray(len(data))
        self.read(at, old)
        self._change(at, bytes([a & b for a, b in zip(old, data)]))

    def _change(self, at, data):
        tear = _sim.chip.other()
        n = len(data) if tear is None else len(data) * tear // 3
        self._file.seek(at)
        self._file.write(data[:n])
        if tear is not None:
            _sim.die(_sim.POWER_CUT)

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
