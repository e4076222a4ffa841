"""Device code on the emulated Cortex-M3: its image, and the files of the tests in its ROM."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import device_suite
from particle_tools import packing
from particle_tools.firmware import build, qemu, sources, toolchain
from rules.source_tree import imports

NAME = "MicroPython for QEMU's Cortex-M3"
COMMAND = f"apt-get install {' '.join(toolchain.PACKAGES)} && make fetch"

TESTS = device_suite.ROOT / "tests"
BOOT = device_suite.ROOT / "firmware" / "boot"
FAKES = device_suite.ROOT / "boards" / "UNIX_SIM" / "modules"
_SECONDS = 600  # less than pytest gives a test
_MAIN = b"""
import machine, os, sys, vfs
import uctypes
from _flash import Flash
vfs.umount("/flash")
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(0x21100000, 0x700000)), "/tests")
vfs.VfsLfs2.mkfs(Flash(), progsize=256)
vfs.mount(vfs.VfsLfs2(Flash(), progsize=256), "/build")
os.chdir("/")
sys.path.append("/tests")
try:
    %s
except BaseException as error:
    sys.print_exception(error)
machine.reset()
"""


def available() -> bool:
    """Tell whether everything is there; what can be fetched has been fetched."""
    return not toolchain.missing() and sources.fetched()


@functools.cache
def image() -> build.Image:
    """Return the firmware of this checkout, built if need be."""
    return build.build("QEMU_M3")


def run(statement: str, files: dict[str, bytes], elf: str | None = None, **options) -> str:
    """Run one statement of Python with files in /tests, which is on sys.path; return the console.

    The current folder is the root; /build is an empty littlefs. elf: another image than that of
    `image`. Options as of `qemu.run`, but for `seconds`, which are many.
    """
    options = {"seconds": _SECONDS} | options
    main = {"main.py": _MAIN % statement.encode()}
    return qemu.run(elf or image().elf, files | main, **options)


def run_unit_tests(
    file: str,
    seconds: float = _SECONDS,
    elf: str | None = None,
    more: Mapping[str, bytes] = MappingProxyType({}),
    **options,
) -> str:
    """Run one file of `device_suite.FILES`; AssertionError with the console unless all passed.

    more: files that are there too, on sys.path. Options as of `qemu.run`.
    """
    runs = f"import mp_runner; mp_runner.main(['{file}'])"
    said = run(runs, rom(file) | dict(more), elf, seconds=seconds, **options)
    last = said.rstrip().rpartition("\n")[2]
    assert re.fullmatch(r"[1-9][0-9]* passed, 0 failed", last), f"{file}:\n{said}"
    return said


def rom(file: str) -> dict[str, bytes]:
    """Return what a unit test needs below /tests: helpers it imports, and the vectors."""
    files = helpers(device_suite.ROOT / file) | helpers(TESTS / "mp_runner.py")
    files["mp_runner.mpy"] = compiled(TESTS / "mp_runner.py")
    files[file.removeprefix("tests/").removesuffix(".py") + ".mpy"] = compiled(
        device_suite.ROOT / file
    )
    for path in filter(Path.is_file, sorted((TESTS / "vectors").rglob("*"))):
        files[path.relative_to(TESTS).as_posix()] = path.read_bytes()
    return files


def helpers(path: Path) -> dict[str, bytes]:
    """Return the modules of tests/ and the boot stage that a file imports, and what these do.

    Of the simulated board's only those of no module's name: the board has modules of its own.
    """
    files = {}
    todo = {path}
    while todo:
        for module in imports(todo.pop()):
            places = [TESTS, BOOT] + [FAKES] * module.startswith("_")
            for helper in [place / (module + ".py") for place in places]:
                if not helper.exists() or module + ".mpy" in files:
                    continue
                files[module + ".mpy"] = compiled(helper)
                todo.add(helper)
    return files


@functools.cache
def compiled(path: Path) -> bytes:
    """Return a file as `.mpy`."""
    return packing.compile_module(path)
