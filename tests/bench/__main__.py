"""Run all measurements: a table on stdout, build/bench.json for machines.

    PYTHONPATH=tests .venv/bin/python -m bench [NAME ...]

NAME: only these measurements (of STAGES), a table and no file.
"""

import argparse
import json
import os
import sys
import time

from bench import (
    c_module,
    channel_heap,
    cloud_load,
    cloud_udp,
    estimates,
    frozen,
    hand_off,
    handshake,
    heap,
    heap_frozen,
    instructions,
    latency,
    mbedtls_m3,
    setup,
    sizes,
    updates,
    wire,
    wire_mqtt,
    wire_rows,
    wire_udp,
)
from bench.figures import record, table
from bench.stages import Stage, run
from interop.portal import phone
from particle_tools import ROOT
from silicon import cortex_m3

_SECONDS = 2400  # for each
_32_BIT = "the 32-bit MicroPython; make fetch"
_M3 = f"{cortex_m3.NAME}; {cortex_m3.COMMAND}"


def _stage(module, *keys: str, needs: str = "") -> Stage:
    return Stage(module.__name__.rpartition(".")[2], lambda _: module.measure(), keys, needs)


#: All measurements; the keys are those of the budgets (docs/figures.md), and of optional peers.
STAGES = (
    _stage(sizes, "mpy_core_udp", "mpy_core_tcp", "mpy_all", "flash_core_udp_bytes"),
    _stage(wire),
    _stage(
        wire_udp,
        "resume_publish_network_bytes",
        "publish_network_bytes",
        "full_connect_network_bytes",
        "full_connect_datagrams",
        "resume_publish_round_trips",
        "session_bytes",
    ),
    _stage(latency),
    _stage(handshake, "handshake_payload_bytes", "handshake_datagrams"),
    _stage(cloud_udp),
    _stage(wire_rows, "flash_writes_per_record"),
    Stage(
        "spark_server",
        lambda _: cloud_load.spark(),
        ("spark_messages_per_s",),
        f"{cloud_load.PEER}; {cloud_load.COMMAND}",
    ),
    _stage(cloud_load, "cloud_devices", "cloud_messages_per_s"),
    _stage(
        setup,
        "portal_taps",
        "heap32_setup",
        needs=f"{phone.NAME}; {phone.COMMAND}; {_32_BIT}",
    ),
    _stage(updates, "heap32_ota", needs=_M3),
    _stage(hand_off),
    _stage(
        wire_mqtt,
        "mqtt_connect_publish_network_bytes",
        needs=f"{wire_mqtt.NAME}; {wire_mqtt.COMMAND}",
    ),
    _stage(frozen, "frozen_all", needs=_M3),
    _stage(instructions, "slice_instructions_max", "record_alloc_bytes", needs=_M3),
    _stage(c_module, "m3_user_module_dtls_handshake_compact", needs=_M3),
    _stage(heap_frozen, "heap32_frozen_handshake", "heap32_frozen_steady", needs=_M3),
    _stage(channel_heap, "heap32_channel_handshake", needs=_M3),
    _stage(mbedtls_m3, "m3_mbedtls_handshake", needs=_M3),
    Stage("estimates", estimates.measure),
    _stage(heap, "heap32_mpy_steady", needs=_32_BIT),
)


def main() -> int:
    """Measure, print and write; 1 if a measurement failed or, with STRICT=1, could not be run."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure what a board pays.")
    names = [stage.name for stage in STAGES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    only = parser.parse_args().names
    if unknown := set(only) - set(names):
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    begin = time.monotonic()
    outcome = run([stage for stage in STAGES if not only or stage.name in only], _SECONDS)
    print("\n".join([table(outcome.figures), *outcome.lines()]))
    if not only:
        target = ROOT / "build" / "bench.json"
        target.parent.mkdir(exist_ok=True)
        unmeasured = {"failed": outcome.failed, "not_run": outcome.absent}
        target.write_text(json.dumps(record(outcome.figures) | unmeasured, indent=2) + "\n")
        print(f"{target.relative_to(ROOT)} written, {time.monotonic() - begin:.0f} s")
    strict = os.environ.get("STRICT") == "1"
    return int(bool(outcome.failed or (strict and outcome.absent)))


if __name__ == "__main__":
    sys.exit(main())
