"""Bytes of the library in the flash of a board when it is frozen into the firmware."""

from bench.figures import Figure
from particle_tools import packing
from particle_tools.firmware import frozen_sizes
from silicon import cortex_m3


def measure() -> list[Figure]:
    """Measure every component and all; an empty list when no firmware can be built."""
    if not cortex_m3.available():
        return []
    modules = cortex_m3.image().modules
    figures = []
    for component in packing.COMPONENTS:
        key = "frozen_" + component.replace("-", "_")
        value = sum(modules[module] for module in packing.present(component))
        absent = packing.missing(component)
        note = f"to come: {' '.join(absent)}" if absent else "code without names"
        figures.append(Figure(key, value, "bytes", note, partial=bool(absent)))
    stage = modules.get(frozen_sizes.STAGE, 0)
    others = (frozen_sizes.ASYNCIO, frozen_sizes.BOARD, frozen_sizes.NAMES, frozen_sizes.STAGE)
    everything = sum(modules.values()) - sum(modules.get(name, 0) for name in others)
    note = "names of all frozen modules, shared"
    return [
        *figures,
        Figure("frozen_all", everything, "bytes", "every module of the library, without names"),
        Figure(
            "frozen_boot_stage",
            stage + modules["ota/record"],
            "bytes",
            "particle_boot, particle_files and ota/record, without names",
        ),
        Figure("frozen_names", modules[frozen_sizes.NAMES], "bytes", note),
    ]
