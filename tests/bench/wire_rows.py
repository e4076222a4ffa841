"""Bytes and datagrams of each exchange over UDP, beside those of Device OS 6.2.0 (DESIGN 6).

Device and cloud are the real ones on a fake clock: what is counted is exactly one exchange.
wire_udp.py measures the most important of them between two processes.
"""

import json
import os
import subprocess
import sys

from bench.figures import Figure
from particle_tools import ROOT

_DEVICE_OS = "Device OS: "
_ROWS = {
    "connect": ("1 function, 3 variables, 3 subscriptions, all ACKs", _DEVICE_OS + "2825 in 24"),
    "connect_events": ("the same with the two updates/* events", _DEVICE_OS + "2825 in 24"),
    "connect_cookie_32": ("the same with a cookie of 32 bytes", ""),
    "connect_device_os": ("the same in the wire profile device-os", _DEVICE_OS + "2825 in 24"),
    "publish": ("9-character name, 1 byte of data, with its ACK", _DEVICE_OS + "158 in 2"),
    "ping": ("with its ACK", _DEVICE_OS + "142 in 2"),
    "resume": ("a power cut, nothing to say", _DEVICE_OS + "142 in 2, events left out"),
    "resume_publish": ("a power cut and the publish", _DEVICE_OS + "490 in 6, then 158"),
    "resume_events": ("with the two updates/* events", _DEVICE_OS + "490 in 6"),
}


def rows() -> dict[str, list[int]]:
    """Return [network bytes, datagrams] of each row; "wear": see wire_rows_app."""
    path = os.pathsep.join(["tests/shims/cpython", "lib", "tests"])
    done = subprocess.run(
        [sys.executable, "-m", "bench.wire_rows_app"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


def measure() -> list[Figure]:
    """Measure all rows."""
    found = rows()
    _, records, writes = found.pop("wear")
    note = f"{writes} writes for {records} records"
    figures = [Figure("flash_writes_per_record", writes / records, "", note, 1 / 256)]
    for name, (size, datagrams) in found.items():
        note = f"in {datagrams} datagrams: " + "; ".join(filter(None, _ROWS[name]))
        figures.append(Figure(f"wire_{name}_network_bytes", size, "bytes", note))
    return figures
