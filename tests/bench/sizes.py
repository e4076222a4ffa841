"""Bytes of the packed library, as `.mpy` files and on a board's flash."""

from pathlib import Path

from littlefs import LittleFS

from bench.figures import Figure
from particle_tools import ROOT, packing
from rules.source_tree import LIB, imports

_BLOCK = 4096
_GOALS = {"core-udp": 34_000, "core-tcp": 24_000}
_FLASH_GOALS = {"core-udp": 140_000}
_BOOT = ROOT / "firmware" / "boot"
_FIRMWARES = {"esp32_ab": "ota/firmware", "mboot": "ota/mboot_firmware"}


def measure() -> list[Figure]:
    """Measure every core, whole or as far as it is written."""
    figures = []
    for component, goal in _GOALS.items():
        key = component.replace("-", "_")
        files = {
            f"particle/{module}.mpy": packing.compile_module(packing.source(module))
            for module in packing.present(component)
        }
        absent = packing.missing(component)
        note = f"{len(files)} files"
        if absent:
            note += f"; to come: {' '.join(absent)}"
        for name, value, wanted in (
            (f"mpy_{key}", sum(map(len, files.values())), goal),
            (f"flash_{key}_bytes", on_flash(files), _FLASH_GOALS.get(component)),
        ):
            figures.append(Figure(name, value, "bytes", note, wanted, bool(absent)))
    modules = {module for names in packing.COMPONENTS.values() for module in names}
    total = sum(
        len(packing.compile_module(packing.source(module)))
        for module in modules
        if packing.source(module).exists()
    )
    figures.append(Figure("mpy_all", total, "bytes", "everything that is written", 120_000))
    for key, kind in (("mpy_boot_stage", "files"), ("mpy_boot_stage_romfs", "rom")):
        note = f"particle_boot, particle_{kind} and ota/record"
        figures.append(Figure(key, boot_stage(kind), "bytes", note, 4_000))
    for key, first in _FIRMWARES.items():
        files = boot_files(first)
        note = "with the firmware's trial: " + " ".join(path.stem for path in files)
        figures.append(Figure(f"mpy_boot_{key}", packed(files), "bytes", note))
    return figures


def boot_stage(kind: str) -> int:
    """Return the bytes of what chooses an application, packed."""
    names = ("particle_boot", f"particle_{kind}")
    return packed([*(_BOOT / f"{name}.py" for name in names), packing.source("ota/record")])


def boot_files(first: str) -> list[Path]:
    """List what a boot runs of the stage and of ota/ where the firmware can be replaced too.

    first: its module of ota/. With them the library's core is imported, which applications use.
    """
    names = ("main", "particle_boot", "particle_files", "particle_firmware")
    found = [_BOOT / f"{name}.py" for name in names]
    core = {packing.source(module) for module in packing.present("core-udp")}
    todo = [packing.source("ota/record"), packing.source(first)]
    while todo:
        path = todo.pop()
        if path in found or path in core:
            continue
        found.append(path)
        names = [name.replace(".", "/") for name in sorted(imports(path))]
        places = [LIB.parent / f"{name}.py" for name in names if name.startswith("particle/")]
        todo += [place for place in places if place.exists()]
    return found


def packed(files: list[Path]) -> int:
    """Return the bytes of files as `.mpy`."""
    return sum(len(packing.compile_module(path)) for path in files)


def on_flash(files: dict[str, bytes]) -> int:
    """Return the bytes that files occupy on a littlefs2 with blocks of 4 KiB."""
    volume = LittleFS(block_size=_BLOCK, block_count=256, prog_size=256, disk_version=0x00020000)
    before = volume.used_block_count
    for name, data in files.items():
        path = "/lib/" + name
        volume.makedirs(str(Path(path).parent), exist_ok=True)
        with volume.open(path, "wb") as file:
            file.write(data)
    return (volume.used_block_count - before) * _BLOCK
