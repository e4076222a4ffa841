"""Run all measurements: a table on stdout, build/bench.json for machines."""

import json
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
from interop.portal import phone
from particle_tools import ROOT
from silicon import cortex_m3


def main() -> int:
    """Measure, print and write; 1 if STRICT=1 and something could not be measured."""
    begin = time.monotonic()
    figures = sizes.measure() + wire.measure() + wire_udp.measure() + latency.measure()
    figures += handshake.measure() + cloud_udp.measure() + wire_rows.measure()
    load = cloud_load.measure()
    figures += load
    by_phone = setup.measure()
    figures += by_phone + updates.measure() + hand_off.measure()
    mqtt = wire_mqtt.measure()
    figures += mqtt
    on_m3 = frozen.measure() + instructions.measure() + c_module.measure() + heap_frozen.measure()
    on_m3 += channel_heap.measure() + mbedtls_m3.measure()
    on_m3 += estimates.measure(on_m3)
    smallest = heap.measure()
    figures += on_m3 + smallest
    print(table(figures))
    if not any(figure.key == "spark_messages_per_s" for figure in load):
        print(f"NOT RUN: {cloud_load.NAME} needs {cloud_load.PEER}; {cloud_load.COMMAND}")
    if not mqtt:
        print(f"NOT RUN: mqtt_* needs {wire_mqtt.NAME}; {wire_mqtt.COMMAND}")
    if not any(figure.key == "portal_taps" for figure in by_phone):
        print(f"NOT RUN: portal_taps and portal_connected_s need {phone.NAME}; {phone.COMMAND}")
    if not smallest:
        print("NOT RUN: heap32_mpy_steady, heap32_setup need the 32-bit MicroPython; make fetch")
    if not on_m3:
        print(f"NOT RUN: *_frozen_*, heap32_ota, m3_* need {cortex_m3.NAME}; {cortex_m3.COMMAND}")
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(record(figures), indent=2) + "\n")
    print(f"{target.relative_to(ROOT)} written, {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
