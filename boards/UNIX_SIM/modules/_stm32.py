"""What an STM32 has below MicroPython: the flash behind mboot in DIR/stm32.img, from its first
word, and backup registers, which a loss of power clears: nothing holds them.

A board is one when it has that file (`particle-mp sim --mboot`). What runs is the vectors of an
application and, behind them, a ROMFS: the modules that are frozen in it.
"""

import struct

import _mboot
import _program_flash
import _sim
from micropython import const

FILE = "stm32.img"
#: Of the profile: the file system as mboot sees it, and the first of two backup registers.
PLACE = (0x80000000, 0x100000, 4096, 0x40002860)

_VECTORS = const(512)  # bytes in front of the ROMFS
_ROMFS = b"\xd2\xcd1"
_REGISTERS = "ram/backup"


class Registers:
    """`machine.mem32`, of which there are the two registers."""

    def __init__(self):
        self._file = _sim.open_cell(_REGISTERS, 8)

    def __getitem__(self, address):
        self._seek(address)
        return struct.unpack("<I", self._file.read(4))[0]

    def __setitem__(self, address, value):
        self._seek(address)
        self._file.write(struct.pack("<I", value & 0xFFFFFFFF))

    def _seek(self, address):
        at = address - PLACE[3]
        if at not in (0, 4):
            raise ValueError("there is no register at 0x%x" % address)
        self._file.seek(at)


def _watch(ms):
    # as `machine.WDT`, which takes it over
    with _sim.open_cell("ram/fed", 8) as f:
        f.write(struct.pack("<q", _sim.host_us()))
    _sim.tell("wdt %d" % ms)


def start(soft):
    """Start the firmware as mboot does, unless this is a soft reset; return its modules.

    They are a ROMFS behind the vectors; b"" without one.
    """
    chip = _program_flash.Flash(FILE)
    if not soft:
        try:
            if _mboot.Mboot(chip, Registers(), "/flash", PLACE).start():
                _watch(_mboot.WATCHDOG_MS)
        except _mboot.Stuck:
            print("mboot: there is no application; it waits for one over USB")
            _sim.die(1)
    head = bytearray(len(_ROMFS))
    chip.read(_VECTORS, head)
    if head != _ROMFS:
        return b""
    with _sim.open_host(FILE, "rb") as f:
        f.seek(_VECTORS)
        return f.read()
