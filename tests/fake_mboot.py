"""mboot, the boot loader of stm32 boards, with our hook in it, as far as an update needs it
(MicroPython, ports/stm32/mboot: main.c, fsload.c, mboot.h).

Imitated: elements of type, length and content; MOUNT of a littlefs 2, FSLOAD, STATUS, END; two
passes over the file, of which the first one writes nothing; the checks of a DFU file and their
error numbers; blocks that are erased before they are written; that what is packed gets its first
words last; a reset at the end.
Not imitated: the signatures inside a packed file, USB, gzip. `decide`, `valid` and `elements` do
what the hook does (firmware/ports/stm32/particle_mboot.c; test_mboot_hook.py compares them).
"""

import struct
from binascii import crc32

from ram_flash import BLOCK

FIRST = 2000  # block of the flash `chip` where the application is
ADDRESS = 0x08008000
ORDER = 0x40002860  # address of the first register
BASE, BYTES = 0x80000000, 64 * BLOCK

PROGRAM, TRIAL, PROGRAM_OLD, FAILED, ROLLED_BACK = range(1, 6)
_HEAD = 8  # bytes that are written last


class Stuck(Exception):
    """The board waits for somebody with a cable."""


def order(state, tries):
    """Return the content of the first register."""
    return 0x50540000 | state << 8 | tries


def decide(registers, valid):
    """Do what the hook does with [order, status]; return what is to be written, or 0."""
    word, status = registers
    state = word >> 8 & 0xFF if word >> 16 == 0x5054 else 0
    tries = word & 0xFF
    if state in (PROGRAM, PROGRAM_OLD):
        if status == 1:
            return state
        if status == 0:
            registers[0] = order(TRIAL, 2) if state == PROGRAM else order(ROLLED_BACK, 0)
            return 0
        if not valid and tries:
            registers[:] = order(state, tries - 1), 1
            return state
        if valid:
            registers[0] = order(FAILED, 0) if state == PROGRAM else order(TRIAL, 2)
            return 0
        if state == PROGRAM_OLD:
            return 0
    elif state == TRIAL:
        if tries:
            registers[0] = order(TRIAL, tries - 1)
            return 0
    elif valid:
        return 0
    else:
        registers[:] = order(PROGRAM, 3), 1
        return PROGRAM
    registers[:] = order(PROGRAM_OLD, 3), 1
    return PROGRAM_OLD


def valid(stack, start):
    """Do what the hook does to know an application."""
    return not stack & 3 and start & 0xFF000001 == 0x08000001


def elements(what):
    """Return what the hook tells mboot."""
    name = b"/pt/fw.%s/firmware.pack.dfu" % (b"run" if what == PROGRAM else b"old")
    found = b""
    for kind, data in (
        (2, struct.pack("<BBIII", 1, 3, BASE, BYTES, BLOCK)),
        (3, b"\x01" + name),
        (4, struct.pack("<I", ORDER + 4)),
        (1, b""),
    ):
        found += bytes((kind, len(data))) + data
    return found


class Registers(dict):
    """`machine.mem32`: backup registers, 0 without power."""

    def __getitem__(self, address):
        assert address in (ORDER, ORDER + 4), hex(address)
        return self.get(address, 0)

    def __setitem__(self, address, value):
        assert address in (ORDER, ORDER + 4), hex(address)
        super().__setitem__(address, value & 0xFFFFFFFF)


class Mboot:
    """The boot loader; chip: a flash with a littlefs in its first blocks, mounted at `at`."""

    def __init__(self, chip, registers, at):
        self._chip = chip
        self._registers = registers
        self._at = at

    def start(self):
        """Do what happens between a reset and the start of the application."""
        for _ in range(16):
            both = [self._registers[ORDER], self._registers[ORDER + 4]]
            what = decide(both, self._valid())
            self._registers[ORDER], self._registers[ORDER + 4] = both
            if not what:
                if not self._valid():
                    raise Stuck
                return
            self._load(elements(what))
        raise AssertionError("it never starts")

    def application(self, size):
        """Return the first bytes of the application."""
        buffer = bytearray(BLOCK)
        data = b""
        for at in range(0, size, BLOCK):
            self._chip.readblocks(FIRST + at // BLOCK, buffer)
            data += buffer
        return data[:size]

    def _valid(self):
        return valid(*struct.unpack("<II", self.application(8)))

    def _load(self, data):
        found = {}
        while data[0] != 1:
            found[data[0]] = data[2 : 2 + data[1]]
            data = data[2 + data[1] :]
        assert data == b"\x01\x00"
        kind = found[2][1]
        status = -222 if kind != 3 else self._file(found[3][1:].decode())
        address = struct.unpack("<I", found[4])[0]
        self._registers[address] = status & 0xFFFFFFFF

    def _file(self, name):
        for write in (False, True):
            try:
                f = open(self._at + name, "rb")  # noqa: SIM115 - only this may fail
            except OSError:
                return -245
            with f:
                status = self._pass(f, write)
            if status:
                return status
        return 0

    def _pass(self, f, write):
        head = f.read(11)
        target = f.read(274)
        if len(head) != 11 or len(target) != 274:
            return -214
        if head[:6] != b"DfuSe\x01":
            return -210
        if target[:7] != b"Target\0":
            return -211
        address, size = struct.unpack("<II", f.read(8))
        crc = crc32(head + target + struct.pack("<II", address, size))
        if address != ADDRESS:
            return -230
        first = b""
        for at in range(0, size, 512):
            data = f.read(min(512, size - at))
            if len(data) != min(512, size - at):
                return -214
            crc = crc32(data, crc)
            if write:
                first = first or data[:_HEAD]
                self._write(at, data if at else b"\xff" * _HEAD + data[_HEAD:])
        if struct.unpack_from("<I", target, 266)[0] != size + 8:
            return -212
        tail = f.read(16)
        if struct.pack("<I", ~crc32(tail[:12], crc) & 0xFFFFFFFF) != tail[12:]:
            return -215
        if write:
            self._chip.writeblocks(FIRST, first, 0)
        return 0

    def _write(self, at, data):
        if not at % BLOCK:
            self._chip.ioctl(6, FIRST + at // BLOCK)
        self._chip.writeblocks(FIRST + at // BLOCK, data, at % BLOCK)


def dfu(content):
    """Return a DFU file with this application; what is packed looks alike from outside."""
    size = len(content)
    target = struct.pack("<6sBI255sII", b"Target", 0, 0, b"", size + 8, 1)
    data = struct.pack("<5sBIB", b"DfuSe", 1, 11 + 274 + 8 + size, 1) + target
    data += struct.pack("<II", ADDRESS, size) + content
    data += struct.pack("<HHHH3sB", 0, 0xDF11, 0x0483, 0x011A, b"UFD", 16)
    return data + struct.pack("<I", ~crc32(data) & 0xFFFFFFFF)


def firmware(version, size=6000):
    """Return the content of an application that says which one it is."""
    return struct.pack("<II", 0x20020000, 0x08008001 | version << 8) + bytes([version]) * (
        size - 8
    )
