"""Builds `_particle_crypto` as machine code in an `.mpy`, for boards with stock firmware.

Objects lie in the cache. The same sources and compiler give the same bytes.
"""

import shutil
import sys
from pathlib import Path

from particle_tools import ROOT, cache
from particle_tools.errors import UserError
from particle_tools.firmware import make, sources, toolchain

NAME = "_particle_crypto"

_FOLDERS = (ROOT / "firmware" / "natmod", ROOT / "firmware" / "cmodules")
_MAKEFILE = _FOLDERS[0] / "particle_crypto" / "Makefile"
_SECONDS = 120
_KEPT = 2  # of each architecture

_ARM = ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
_RISCV = ("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf")

#: Architecture -> (compiler, Debian packages that bring it).
ARCHITECTURES = {
    "armv6m": _ARM,  # RP2040
    "armv7m": _ARM,
    "armv7emsp": _ARM,  # nRF52840, RP2350, most stm32
    "rv32imc": _RISCV,  # ESP32-C3 and C6
    "x64": ("gcc", "gcc libc6-dev"),
}


def missing(arch: str) -> str:
    """Return the Debian packages that a build needs and the machine lacks, "" for none."""
    absent = set()
    if toolchain.missing("make"):
        absent.add("make")
    compiler, packages = ARCHITECTURES[arch]
    if not shutil.which(compiler):
        absent.add(packages)
    return " ".join(sorted(absent))


def build(arch: str, micropython: Path | None = None) -> bytes:
    """Return the `.mpy` for `arch`.

    micropython: a source tree instead of Debian's package. Raises UserError when something is
    missing or the compiler refuses.
    """
    if arch not in ARCHITECTURES:
        raise UserError(f"{arch}: no such architecture, choose {', '.join(ARCHITECTURES)}")
    if packages := missing(arch):
        raise UserError(f"{arch}: no compiler: apt-get install {packages}")
    tree = sources.find(micropython)
    with cache.locked(f"natmod/{arch}-{_digest(tree, arch)[:16]}") as work:
        arguments = [
            *("-C", str(work), "-f", str(_MAKEFILE)),
            f"MPY_DIR={tree}",
            f"ARCH={arch}",
            "BUILD=build",
            f"PYTHON={sys.executable}",
        ]
        make.run(f"for {arch}", arguments, seconds=_SECONDS)
        made = (work / f"{NAME}.mpy").read_bytes()
    cache.prune(f"natmod/{arch}-", _KEPT)
    return made


def _digest(tree: Path, arch: str) -> str:
    texts = (str(tree), toolchain.version(ARCHITECTURES[arch][0]))
    return make.digest(texts, [path for folder in _FOLDERS for path in make.files(folder)])
