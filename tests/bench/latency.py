"""How long a device takes to answer, and how much it can do, over both transports on loopback.

One simulated board (MicroPython's unix port), the local cloud and REST, each a process; nothing
of it is a microcontroller's speed.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import local
from bench.figures import Figure
from particle_tools.local import Api, LocalCloud, SimulatedBoard, wait_for

_APPLICATION = Path(__file__).with_name("latency_app.py")
_CALLS = 200
_PARALLEL = 8
_PUBLISHES = 20
_EVENTS = 400
_SECONDS = 30


def measure() -> list[Figure]:
    """Call, read and publish with one simulated board on each transport."""
    figures = []
    for transport in ("udp", "tcp"):
        with local.cloud() as (folder, cloud):
            figures += _measure(folder, cloud, cloud.api(), transport)
    return figures


def _measure(folder: Path, cloud: LocalCloud, api: Api, transport: str) -> list[Figure]:
    events = api.events()
    board = SimulatedBoard(folder / "board", cloud, script=_APPLICATION, transport=transport)
    device = board.device_id
    try:
        published = [float(events.wait("round/trip", _SECONDS)["data"]) for _ in range(_PUBLISHES)]
        limited = float(events.wait("publish/rate", _SECONDS)["data"])
        calls = [_timed(api, device) for _ in range(_CALLS)]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            begin = time.perf_counter()
            list(pool.map(lambda _: api.call(device, "echo", "x"), range(_CALLS)))
            requests = _CALLS / (time.perf_counter() - begin)
            list(pool.map(lambda _: api.publish("flood", "21.5"), range(_EVENTS)))
        events_in = _flood(api, device)
    finally:
        board.stop()
        events.close()
    name = transport.upper()
    answers = "each acknowledged by the device" if transport == "udp" else "not acknowledged"
    return [
        *_spread(f"{transport}_function_call_ms", calls, f"{name}: REST to board and back"),
        *_spread(f"{transport}_publish_round_trip_ms", published, f"{name}: until its ACK"),
        Figure(
            f"{transport}_device_calls_per_s",
            round(requests),
            "1/s",
            f"{name}: function calls of one device by REST, {_PARALLEL} at a time",
        ),
        Figure(
            f"{transport}_device_events_in_per_s",
            round(events_in),
            "1/s",
            f"{name}: events from REST that one device's handler gets, {answers}",
        ),
        Figure(
            f"{transport}_device_publishes_per_s",
            round(limited, 1),
            "1/s",
            f"{name}: what the device's limiter lets through, 4 in any second",
        ),
    ]


def _flood(api: Api, device: str) -> float:
    # events per second that the handler got, by the board's clock
    before = 0

    def quiet() -> bool:
        nonlocal before
        earlier, before = before, api.call(device, "flooded", "")
        return before > 0 and before == earlier

    assert wait_for(quiet, _SECONDS, pause=0.5)
    return before * 1_000_000 / api.call(device, "flood_us", "")


def _timed(api: Api, device: str) -> float:
    begin = time.perf_counter()
    api.call(device, "echo", "x")
    return (time.perf_counter() - begin) * 1000


def _spread(key: str, values: list[float], note: str) -> list[Figure]:
    ordered = sorted(values)
    late = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return [
        Figure(key, round(statistics.median(values), 1), "ms", f"median; {note}"),
        Figure(key.replace("_ms", "_p99_ms"), round(late, 1), "ms", "99th percentile"),
    ]
