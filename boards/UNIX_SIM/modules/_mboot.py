"""mboot, the boot loader of stm32 boards, with our hook in it, as far as an update needs it
(MicroPython, ports/stm32/mboot: main.c, fsload.c, mboot.h).

Imitated: elements of type, length and content; MOUNT of a littlefs 2, FSLOAD, STATUS, END; two
passes over the file, of which the first one writes nothing; the checks of a DFU file and their
error numbers; blocks that are erased before they are written; that what is packed gets its first
words last; a reset at the end.
Not imitated: the signatures inside a packed file, USB, gzip. `decide`, `valid`, `tried` and
`elements` do what the hook does (firmware/ports/stm32/particle_mboot.c; test_mboot_hook.py
compares them).

chip: read(at, buffer), erase(at) of 4 KiB, program(at, data), which clears bits; addresses count
from where the application is.
"""

import struct
from binascii import crc32

from micropython import const

#: Where the application is, behind mboot.
ADDRESS = const(0x08008000)

#: The longest time of the independent watchdog, at 32 kHz.
WATCHDOG_MS = const(32768)

# states of an order
PROGRAM = const(1)
TRIAL = const(2)
PROGRAM_OLD = const(3)
FAILED = const(4)
ROLLED_BACK = const(5)

_END = const(1)  # elements
_MOUNT = const(2)
_FSLOAD = const(3)
_STATUS = const(4)
_LITTLEFS_2 = const(3)

_BLOCK = const(4096)
_PIECE = const(512)
_HEAD = const(8)  # bytes that are written last
_FILE_HEAD = const(11)
_TARGET_HEAD = const(274)


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


def tried(word):
    """Do what the hook does to know that what is started is being tried, and to be watched."""
    return word >> 8 == 0x505400 | TRIAL


def elements(what, place):
    """Return what the hook tells mboot; place: `MBOOT` of the profile."""
    name = b"/pt/fw.%s/firmware.pack.dfu" % (b"run" if what == PROGRAM else b"old")
    found = b""
    for kind, data in (
        (_MOUNT, struct.pack("<BBIII", 1, _LITTLEFS_2, *place[:3])),
        (_FSLOAD, b"\x01" + name),
        (_STATUS, struct.pack("<I", place[3] + 4)),
        (_END, b""),
    ):
        found += bytes((kind, len(data))) + data
    return found


class Mboot:
    """The boot loader; registers: address -> 32 bits; at: where its littlefs is mounted here.

    place: `MBOOT` of the profile.
    """

    def __init__(self, chip, registers, at, place):
        self._chip = chip
        self._registers = registers
        self._at = at
        self._place = place

    def start(self):
        """Do what happens between a reset and the start of the application. Raises Stuck.

        Return whether the hook has started the watchdog, with `WATCHDOG_MS`.
        """
        first = self._place[3]
        for _ in range(16):
            both = [self._registers[first], self._registers[first + 4]]
            what = decide(both, self._valid())
            self._registers[first], self._registers[first + 4] = both
            if not what:
                if not self._valid():
                    raise Stuck
                return tried(both[0])
            self._load(elements(what, self._place))
        raise AssertionError("it never starts")

    def _valid(self):
        words = bytearray(8)
        self._chip.read(0, words)
        return valid(*struct.unpack("<II", words))

    def _load(self, data):
        found = {}
        while data[0] != _END:
            found[data[0]] = data[2 : 2 + data[1]]
            data = data[2 + data[1] :]
        assert data == b"\x01\x00"
        kind = found[_MOUNT][1]
        status = -222 if kind != _LITTLEFS_2 else self._file(found[_FSLOAD][1:].decode())
        address = struct.unpack("<I", found[_STATUS])[0]
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
        head = f.read(_FILE_HEAD)
        target = f.read(_TARGET_HEAD)
        if len(head) != _FILE_HEAD or len(target) != _TARGET_HEAD:
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
        for at in range(0, size, _PIECE):
            data = f.read(min(_PIECE, size - at))
            if len(data) != min(_PIECE, size - at):
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
            self._chip.program(0, first)
        return 0

    def _write(self, at, data):
        if not at % _BLOCK:
            self._chip.erase(at)
        self._chip.program(at, data)
