"""How long a device takes to answer, and how much it can do, over TCP on the loopback."""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.figures import Figure
from particle_tools.local import Api, LocalCloud, SimulatedBoard

_APPLICATION = Path(__file__).with_name("latency_app.py")
_CALLS = 200
_PARALLEL = 8
_PUBLISHES = 20
_SECONDS = 30


def measure() -> list[Figure]:
    """Call, read and publish with one simulated board; REST and cloud included."""
    with tempfile.TemporaryDirectory(prefix="particle-bench-") as folder:
        cloud = LocalCloud(Path(folder))
        try:
            return _measure(Path(folder), cloud, cloud.api())
        finally:
            cloud.stop()


def _measure(folder: Path, cloud: LocalCloud, api: Api) -> list[Figure]:
    events = api.events()
    board = SimulatedBoard(folder / "board", cloud, script=_APPLICATION)
    try:
        published = [float(events.wait("round/trip", _SECONDS)["data"]) for _ in range(_PUBLISHES)]
        device = api.get("/v1/devices")[0]["id"]
        calls = [_timed(api, device) for _ in range(_CALLS)]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            begin = time.perf_counter()
            list(pool.map(lambda _: api.call(device, "echo", "x"), range(_CALLS)))
            rate = _CALLS / (time.perf_counter() - begin)
    finally:
        board.stop()
        events.close()
    return [
        *_spread("function_call_ms", calls, f"REST to board and back, {_CALLS} calls"),
        *_spread("publish_round_trip_ms", published, "until the cloud's ACK, seen by the board"),
        Figure("device_requests_per_s", round(rate), "1/s", f"calls, {_PARALLEL} at a time"),
    ]


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
