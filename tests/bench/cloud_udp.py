"""What the local cloud's UDP side costs: handshakes, records, sessions in memory.

The cloud is a process of its own; its CPU time and memory are the kernel's figures. Clients are
those of the cloud's tests.
"""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.figures import Figure
from cloud.device import CON, pack
from cloud.dtls_client import COMPACT
from cloud.running import new_ec_key, provision_ec
from cloud.test_process import LOGIN, Process

_SESSIONS = 600
_RECORDS = 20000
_WINDOW = 32  # messages without an answer
_THREADS = 4
FORM = {"extensions": COMPACT, "suites": (0xC0AE,), "merged": True, "pad": 0}


def measure() -> list[Figure]:
    """Make sessions, then send messages over two of them."""
    with (
        tempfile.TemporaryDirectory(prefix="particle-bench-") as folder,
        Process(Path(folder) / "cloud", "--user", LOGIN) as process,
    ):
        process.api.login()
        return _measure(process)


def _measure(process: Process) -> list[Figure]:
    key = new_ec_key()
    ids = [provision_ec(process.api, key) for _ in range(_SESSIONS)]
    load = Load(process.child.pid)
    with ThreadPoolExecutor(_THREADS) as pool:

        def connect(device_id):
            device = process.udp_device(key, device_id, timeout=20, **FORM)
            return device.connect()

        memory = load.memory()
        cpu, begin = load.cpu(), time.monotonic()
        devices = list(pool.map(connect, ids))
        took, used = time.monotonic() - begin, load.cpu() - cpu
        memory = load.memory() - memory
    for device in devices:
        device.describe(["f"], {"v": 2})
    pings = _records(devices[0], load, lambda device: pack(CON, 0, device.next_mid()))
    events = _records(devices[1], load, _event)
    for device in devices:
        device.close()
    return [
        Figure(
            "cloud_udp_handshake_cpu_us",
            round(used / _SESSIONS * 1e6),
            "us",
            "CPU of the cloud for a handshake, Hello and the session's row",
        ),
        Figure(
            "cloud_udp_handshakes_per_s",
            round(_SESSIONS / took),
            "1/s",
            f"{_THREADS} clients on the same {os.cpu_count()} cores",
        ),
        Figure("cloud_udp_session_bytes", round(memory / _SESSIONS), "bytes", "in memory"),
        Figure("cloud_udp_ping_cpu_us", round(pings[0] * 1e6), "us", "CPU per ping and its ACK"),
        Figure(
            "cloud_udp_publish_cpu_us", round(events[0] * 1e6), "us", "CPU per publish and its ACK"
        ),
        Figure(
            "cloud_udp_publishes_per_s",
            round(events[1]),
            "1/s",
            "one device, every record committed before it counts; client on the same cores",
        ),
    ]


def _event(device) -> bytes:
    options = [(11, b"E"), (11, b"vdev/tick")]
    return pack(CON, 2, device.next_mid(), options=options, payload=b"1")


def _records(device, load, make) -> tuple[float, float]:
    # CPU seconds of the cloud per message, and messages per second.
    cpu, begin, waiting, sent = load.cpu(), time.monotonic(), 0, 0
    while sent < _RECORDS or waiting:
        while waiting < _WINDOW and sent < _RECORDS:
            device.send(make(device))
            sent, waiting = sent + 1, waiting + 1
        if device.recv() is None:
            raise RuntimeError("the cloud does not answer")
        waiting -= 1
    return (load.cpu() - cpu) / _RECORDS, _RECORDS / (time.monotonic() - begin)


class Load:
    """CPU time and memory of a process."""

    def __init__(self, pid: int):
        self._folder = Path(f"/proc/{pid}")

    def cpu(self) -> float:
        """Return seconds of CPU time."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Return resident bytes."""
        return int((self._folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
