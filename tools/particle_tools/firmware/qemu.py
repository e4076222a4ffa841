"""Runs an image of the board QEMU_M3: console out, read-only files in, memory in a file.

The 16 MiB of PSRAM of the emulated board are a file of the host's, so flash
survives the process, and the host puts there what the board finds when it starts.
"""

import os
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from particle_tools.firmware import toolchain

#: What the board's modules and board.c expect where, from the start of the PSRAM.
ROM_AT = 0x100000
FLASH_AT = 0x800000
_PSRAM = 0x1000000
_STRAPS = b"PT30"


class Failed(RuntimeError):
    """The emulator ended or hung; the text is what the board said until then."""


def run(
    elf: Path | str,
    files: Mapping[str, bytes],
    *,
    heap: int = 0,
    counting: bool = False,
    seconds: float = 60,
    seed: bytes | None = None,
    memory: Path | None = None,
    uart: str | None = None,
    machine: str = "mps2-an385",
) -> str:
    """Boot the board with `files` at /rom, wait for `machine.reset()` and return its console.

    heap: bytes, 0 for all there is. counting: an instruction takes 1 ns, idle time passes at
    once. seed: 32 bytes for its random numbers; default: fixed when counting, else the host's.
    memory: file that keeps the PSRAM. uart: where UART 1 leads, as QEMU's -serial has it. machine:
    "mps2-an386" has a Cortex-M4. Raises Failed after `seconds`.
    """
    toolchain.require(toolchain.EMULATOR)
    with tempfile.TemporaryDirectory(prefix="particle-qemu-") as folder:
        psram = memory or Path(folder) / "psram"
        prepare(psram, files, heap, seed or (bytes(32) if counting else os.urandom(32)))
        serials = ["stdio", *([uart] if uart else [])]
        return _console(command(elf, psram, serials, counting, machine), seconds)


def command(
    elf: Path | str,
    psram: Path,
    serials: Sequence[str],
    counting: bool = False,
    machine: str = "mps2-an385",
) -> list[str]:
    """Return the command that runs an image; serials: where the UARTs lead, as QEMU has it."""
    return [
        *(toolchain.EMULATOR, "-machine", f"{machine},memory-backend=psram"),
        *("-object", f"memory-backend-file,id=psram,size=16M,mem-path={psram},share=on"),
        *("-nographic", "-monitor", "none", "-semihosting"),
        *(word for serial in serials for word in ("-serial", serial)),
        *(["-icount", "shift=0,sleep=off"] if counting else []),
        *("-kernel", str(elf)),
    ]


def prepare(psram: Path, files: Mapping[str, bytes], heap: int, seed: bytes) -> None:
    """Write what a board finds when it starts; the flash of an existing file stays."""
    image = rom_image(files)
    if len(image) > FLASH_AT - ROM_AT:
        raise ValueError("more files than fit")
    with psram.open("r+b" if psram.exists() else "w+b") as file:
        file.write(_STRAPS + struct.pack("<I32s", heap, seed))
        file.seek(ROM_AT)
        file.write(image)
        file.truncate(_PSRAM)


def rom_image(files: Mapping[str, bytes]) -> bytes:
    """Return a ROMFS image of files by path; a board executes `.mpy` files in place."""
    tree: dict = {}
    for path, data in files.items():
        *folders, name = path.split("/")
        place = tree
        for part in folders:
            place = place.setdefault(part, {})
        place[name] = data
    writer = VfsRomWriter()
    _write(writer, tree)
    return bytes(writer.finalise())


def _write(writer: VfsRomWriter, tree: dict) -> None:
    for name, entry in sorted(tree.items()):
        if isinstance(entry, dict):
            writer.opendir(name)
            _write(writer, entry)
            writer.closedir()
        else:
            writer.mkfile(name, entry)


def _console(command: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        said = (expired.stdout or b"").decode(errors="replace")
        raise Failed(f"{said}\nno reset within {seconds:g} s") from None
    said = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    if done.returncode:
        raise Failed(f"{said}\nexit status {done.returncode}")
    return said
