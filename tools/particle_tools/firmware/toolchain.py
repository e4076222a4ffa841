"""What must be on the machine to build and to emulate, and how to get it."""

import shutil
import subprocess

from particle_tools.errors import UserError

COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"

#: Debian packages that hold everything needed here.
PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm make".split()

_COMMANDS = {COMPILER: PACKAGES[0], EMULATOR: PACKAGES[2], "make": PACKAGES[3]}


def missing(*commands: str) -> list[str]:
    """List the Debian packages that bring what is not there of `commands` (default: all)."""
    absent = [_COMMANDS[name] for name in commands or _COMMANDS if not shutil.which(name)]
    if COMPILER in (commands or _COMMANDS) and not (PACKAGES[0] in absent or _has_headers()):
        absent.append(PACKAGES[1])
    return absent


def require(*commands: str) -> None:
    """Raise UserError with what to install unless all of `commands` are there."""
    absent = missing(*commands)
    if absent:
        raise UserError(f"{', '.join(absent)} missing: apt-get install {' '.join(absent)}")


def version(compiler: str = COMPILER) -> str:
    """Return the version of a compiler."""
    done = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.partition("\n")[0]


def _has_headers() -> bool:
    done = subprocess.run(
        [COMPILER, "-E", "-x", "c", "-"],
        input="#include <string.h>\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode == 0
