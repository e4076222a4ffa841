"""The mboot of the simulated board (boards/UNIX_SIM/modules/_mboot.py) over a flash in memory."""

import struct
import sys
from binascii import crc32

from ram_flash import BLOCK

sys.path.append("boards/UNIX_SIM/modules")
import _mboot  # noqa: E402

sys.path.remove("boards/UNIX_SIM/modules")

FIRST = 2000  # block of the flash where the application is
ORDER = 0x40002860  # address of the first register
BASE, BYTES = 0x80000000, 64 * BLOCK
MBOOT = (BASE, BYTES, BLOCK, ORDER)

PROGRAM = _mboot.PROGRAM
PROGRAM_OLD = _mboot.PROGRAM_OLD
FAILED = _mboot.FAILED
ROLLED_BACK = _mboot.ROLLED_BACK
order = _mboot.order
decide = _mboot.decide
valid = _mboot.valid
tried = _mboot.tried
elements = _mboot.elements


class Registers(dict):
    """`machine.mem32`: backup registers, 0 without power."""

    def __getitem__(self, address):
        assert address in (ORDER, ORDER + 4), hex(address)
        return self.get(address, 0)

    def __setitem__(self, address, value):
        assert address in (ORDER, ORDER + 4), hex(address)
        super().__setitem__(address, value & 0xFFFFFFFF)


class Chip:
    """Blocks of `flash` from `FIRST` on, as mboot wants them."""

    def __init__(self, flash):
        self._flash = flash

    def read(self, at, buf):
        """As of the simulated board."""
        self._flash.readblocks(FIRST + at // BLOCK, buf, at % BLOCK)

    def erase(self, at):
        """As of the simulated board."""
        self._flash.ioctl(6, FIRST + at // BLOCK)

    def program(self, at, data):
        """As of the simulated board."""
        self._flash.writeblocks(FIRST + at // BLOCK, data, at % BLOCK)


class Mboot(_mboot.Mboot):
    """The boot loader; flash: one with a littlefs in its first blocks, mounted at `at`."""

    def __init__(self, flash, registers, at):
        super().__init__(Chip(flash), registers, at, MBOOT)

    def application(self, size):
        """Return the first bytes of the application."""
        buffer = bytearray(BLOCK)
        data = b""
        for at in range(0, size, BLOCK):
            self._chip.read(at, buffer)
            data += buffer
        return data[:size]


def dfu(content):
    """Return a DFU file with this application; what is packed looks alike from outside."""
    size = len(content)
    target = struct.pack("<6sBI255sII", b"Target", 0, 0, b"", size + 8, 1)
    data = struct.pack("<5sBIB", b"DfuSe", 1, 11 + 274 + 8 + size, 1) + target
    data += struct.pack("<II", _mboot.ADDRESS, size) + content
    data += struct.pack("<HHHH3sB", 0, 0xDF11, 0x0483, 0x011A, b"UFD", 16)
    return data + struct.pack("<I", ~crc32(data) & 0xFFFFFFFF)


def firmware(version, size=6000):
    """Return the content of an application that says which one it is."""
    return struct.pack("<II", 0x20020000, 0x08008001 | version << 8) + bytes([version]) * (
        size - 8
    )
