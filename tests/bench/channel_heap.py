"""What parts of the client keep of the heap of the emulated Cortex-M3, its code frozen."""

import json
from pathlib import Path

from bench.figures import Figure
from particle_tools import packing
from silicon import cortex_m3

_APP = Path(__file__).with_name("channel_heap_app.py")


def measure() -> list[Figure]:
    """Measure a handshake and the core's code; an empty list when no firmware can be built."""
    if not cortex_m3.available():
        return []
    files = cortex_m3.helpers(_APP) | {"app.mpy": cortex_m3.compiled(_APP)}
    answers = cortex_m3.run("import app; app.answers()", files, counting=True)
    files["answers.json"] = answers.encode()
    peak, after = json.loads(
        cortex_m3.run("import app; app.measure()", files, counting=True, heap=100_000)
    )
    core = [
        name.replace("/", ".") for name in packing.COMPONENTS["core-udp"] if name != "__init__"
    ]
    code = int(cortex_m3.run(f"import app; app.imports({core})", files, counting=True))
    note = "channel, its modules and buffers; live between slices"
    return [
        Figure(
            "heap32_frozen_code",
            round(code / 1024, 1),
            "KiB",
            f"core-udp: objects of its {len(core) + 1} frozen modules, before anything is done",
        ),
        Figure("heap32_channel_handshake", round(peak / 1024, 1), "KiB", note),
        Figure("heap32_channel_steady", round(after / 1024, 1), "KiB", note),
    ]


if __name__ == "__main__":
    for figure in measure():
        print(figure.key, figure.value, figure.unit)
