"""Images for ESP32 chips in the form of MicroPython's downloads; no such image can be built here.

The parts are made by esptool's own elf2image from an ELF file of a few sections. What is in them
does not run: they have the description, the banner and the size of a MicroPython, and noise.
"""

import functools
import random
import struct
import subprocess
import sys

from esp_idf_defs import AppDescription, PartitionTable

_XTENSA, _RISCV = 94, 243
#: chip -> machine, data and code in flash, code in RAM (esp-idf: soc/*/ext_mem_defs, ld files)
_MEMORY = {
    "esp32": (_XTENSA, 0x3F400020, 0x400D0020, 0x40080000),
    "esp32s3": (_XTENSA, 0x3C000020, 0x42000020, 0x40374000),
    "esp32c3": (_RISCV, 0x3C000020, 0x42000020, 0x40380000),
}
OFFSETS = {"esp32": 0x1000, "esp32s3": 0, "esp32c3": 0}
_TABLE = """\
nvs,      data, nvs,     0x9000,  0x6000,
phy_init, data, phy,     0xf000,  0x1000,
factory,  app,  factory, 0x10000, 0x1F0000,
"""
_HALF = bytes(number & 15 for number in range(256))
_BANNER = b"MicroPython %s on 2025-12-09; Generic %s module with %s\0"


def elf(machine, sections):
    """Return an ELF file for `machine` with sections of (address, content)."""
    names = b"\0.code\0.shstrtab\0"
    body = b"".join(content for _, content in sections) + names
    at = 52
    headers = struct.pack("<10I", *[0] * 10)
    for address, content in sections:
        headers += struct.pack("<10I", 1, 1, 6, address, at, len(content), 0, 0, 4, 0)
        at += len(content)
    headers += struct.pack("<10I", 7, 3, 0, 0, at, len(names), 0, 0, 1, 0)
    count = len(sections) + 2
    ident = b"\x7fELF\1\1\1".ljust(16, b"\0")
    entry = sections[-1][0]
    head = struct.pack(
        "<HHIIIIIHHHHHH",
        2,
        machine,
        1,
        entry,
        0,
        52 + len(body),
        0,
        52,
        0,
        0,
        40,
        count,
        count - 1,
    )
    return ident + head + body + headers


def make(folder, chip, *, version=b"v1.27.0", size=60_000, flash="4MB", extra=b"", seed=1):
    """Return a complete image for `chip`; size: about that of the application."""
    machine, data, code, ram = _MEMORY[chip]
    source = random.Random(seed)
    about = AppDescription("micropython", version.decode(), "v5.5.1", 0, bytes(32)).to_bytes()
    banner = _BANNER % (version, chip.upper().encode(), chip.upper().encode())
    # to be compressed like code
    text = source.randbytes(size // 4 * 4).translate(_HALF)
    app = [(data, _whole(about + banner + extra)), (code, text), (ram, source.randbytes(256))]
    bootloader = _bootloader(folder, chip, flash)
    table = PartitionTable.from_csv(_TABLE).to_binary()
    image = bootloader.ljust(0x8000 - OFFSETS[chip], b"\xff") + table
    return image.ljust(0x10000 - OFFSETS[chip], b"\xff") + _image(
        folder, chip, flash, elf(machine, app)
    )


@functools.cache
def _bootloader(folder, chip, flash):
    machine, *_, ram = _MEMORY[chip]
    return _image(folder, chip, flash, elf(machine, [(ram, random.Random(chip).randbytes(4000))]))


def _whole(content):
    return content.ljust(-(-len(content) // 4) * 4, b"\0")


def _image(folder, chip, flash, content):
    source, out = folder / f"{chip}.elf", folder / f"{chip}.bin"
    source.write_bytes(content)
    command = ["esptool", "--chip", chip, "elf2image", "--flash-size", flash, "-o", out, source]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, timeout=60)
    return out.read_bytes()


def info(path, chip):
    """Return what `esptool image-info` says of a file; it must accept it."""
    command = ["esptool", "--chip", chip, "image-info", path]
    done = subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout
