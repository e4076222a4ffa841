"""What the DTLS channel alone keeps of the heap of the emulated Cortex-M3, its code frozen."""

import json
from pathlib import Path

from bench.figures import Figure
from silicon import cortex_m3

_APP = Path(__file__).with_name("channel_heap_app.py")


def measure() -> list[Figure]:
    """Measure a handshake; an empty list when no firmware can be built."""
    if not cortex_m3.available():
        return []
    files = cortex_m3.helpers(_APP) | {"app.mpy": cortex_m3.compiled(_APP)}
    answers = cortex_m3.run("import app; app.answers()", files, counting=True)
    files["answers.json"] = answers.encode()
    peak, after = json.loads(
        cortex_m3.run("import app; app.measure()", files, counting=True, heap=100_000)
    )
    note = "channel, its modules and buffers; live between slices"
    return [
        Figure("heap32_channel_handshake", round(peak / 1024, 1), "KiB", note),
        Figure("heap32_channel_steady", round(after / 1024, 1), "KiB", note),
    ]


if __name__ == "__main__":
    for figure in measure():
        print(figure.key, figure.value, figure.unit)
