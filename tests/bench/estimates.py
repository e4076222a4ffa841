"""What instructions of the emulated Cortex-M3 mean in milliseconds on boards (docs/figures.md).

milliseconds = instructions x cycles per instruction / clock. Nothing was measured on a board.
"""

from collections.abc import Iterable

from bench.figures import Figure

#: Board -> MHz, cycles that it takes for what is one instruction of the Cortex-M3.
BOARDS = {"esp32": (240, 1.6), "rp2040": (133, 1.75), "nrf52840": (64, 1.6)}

#: What is estimated -> the counts that make it up.
SUMS = {
    "handshake": ("m3_dtls_handshake_compact",),
    "publish": ("m3_publish_messages", "m3_record_seal_small", "m3_record_open_small"),
    "record": ("m3_record_open_small",),
    "slice": ("slice_instructions_max",),
    "handshake_c_module": ("m3_user_module_dtls_handshake_compact",),
}


def measure(counted: Iterable[Figure]) -> list[Figure]:
    """Return the estimates from counted figures; those whose counts are not there are left out."""
    values = {figure.key: figure.value for figure in counted}
    figures = []
    for board, (mhz, cycles) in BOARDS.items():
        for name, parts in SUMS.items():
            if all(part in values for part in parts):
                instructions = sum(values[part] for part in parts)
                ms = round(instructions * cycles / mhz / 1000, 1)
                note = f"estimate: {instructions:.0f} instructions x {cycles} / {mhz} MHz"
                figures.append(Figure(f"estimate_{board}_{name}_ms", ms, "ms", note))
    return figures
