"""Setup by phone: bytes of the page, taps and time from the first tap to the cloud, the heap.

The time is that of a simulated board, whose radio joins at once, and of a person who types at
once: what the library and the page add to what radio and person take.
"""

import json
import os
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from Crypto.Cipher import PKCS1_v1_5
from Crypto.PublicKey import RSA

from bench import local
from bench.figures import Figure
from interop.portal import listening, phone
from particle_tools import ROOT, portal
from silicon import debian32

_APPLICATION = Path(__file__).with_name("setup_app.py")
_RUNS = 5
_VISITORS = 4
_SECONDS = 120
HEAP_GOAL = 10_000  # bytes, for one person
_SPKI = 162  # bytes of the key, behind which there is padding


def measure() -> list[Figure]:
    """Measure what can be measured here; the page's size always."""
    page = Figure("portal_page_bytes", portal.PAGE.stat().st_size, "bytes", "packed", 9000)
    figures = [page]
    if phone.available():
        figures += _taps()
    argv = debian32.find()
    if argv:
        figures += _heap(argv)
    return figures


def _taps() -> list[Figure]:
    places = listening.places()
    times = []
    with local.cloud() as (folder, cloud):
        hand = phone.Phone(folder / "phone", places["80"])
        try:
            for number in range(_RUNS):
                board = listening.Board(folder / str(number), cloud, places, join_ms=0, scan_ms=0)
                begin = time.monotonic()
                hand.join()
                hand.choose("Home")
                hand.write("correct horse")
                hand.tap("connect")
                board.online("Home")
                times.append(time.monotonic() - begin)
                board.stop()
                hand.leave()
        finally:
            hand.close()
    note = f"first tap to cloud, no time for radio and typing, median of {_RUNS}"
    return [
        Figure("portal_taps", hand.taps, "taps", "access point to cloud, and one password", 4),
        Figure("portal_connected_s", round(statistics.median(times), 2), "s", note),
    ]


def _heap(argv: list[str]) -> list[Figure]:
    alone, idle = heap(argv, 1)
    crowd, _ = heap(argv, _VISITORS)
    person = f"data without code; the page to {_VISITORS} at once, 20 networks, one password"
    return [
        Figure("heap32_setup_idle", idle, "bytes", "data without code, nobody there"),
        Figure("heap32_setup", alone, "bytes", person, HEAP_GOAL),
        Figure("heap32_setup_crowd", crowd, "bytes", f"the same, {_VISITORS} passwords at once"),
    ]


def heap(argv: list[str], passwords: int) -> tuple[int, int]:
    """Return bytes of data at most, and with nobody there; argv: a 32-bit MicroPython.

    passwords: how many phones send one in the same second.
    """
    places = listening.places()
    ports = [str(places[name]) for name in ("5609", "80", "53")]
    process = subprocess.Popen(
        [*argv, "-X", "heapsize=1M", str(_APPLICATION), *ports],
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": "lib:tests:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = []
        for line in process.stdout or ():
            lines.append(line.strip())
            if line.startswith("open"):
                _visit(places["80"], passwords)
        assert process.wait(_SECONDS) == 0, lines
    finally:
        process.kill()
    said, idle, most = lines[-1].split()
    assert said == "connect", lines
    return int(most), int(idle)


def _visit(port: int, passwords: int) -> None:
    # what a phone does, several at a time
    with ThreadPoolExecutor(_VISITORS) as pool:
        for path in ("/index", "/scan-ap", "/portal/state", "/public-key"):
            list(pool.map(lambda _, p=path: _ask(port, p), range(_VISITORS)))
        key = RSA.import_key(bytes.fromhex(_ask(port, "/public-key")["b"])[:_SPKI])
        secret = PKCS1_v1_5.new(key).encrypt(b"correct horse").hex()
        ssid = "A network of thirty-two bytes 00"
        values = {"idx": 0, "ssid": ssid, "sec": 0x400004, "ch": None, "pwd": secret}
        stored = list(pool.map(lambda _: _ask(port, "/configure-ap", values), range(passwords)))
        assert stored == [{"r": 0}] * passwords, stored
    _ask(port, "/connect-ap", {"idx": 0})


def _ask(port: int, path: str, values: dict | None = None) -> dict:
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("POST" if values else "GET", path, values and json.dumps(values))
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.headers["Content-Type"] == "application/json" else {}
    finally:
        connection.close()


if __name__ == "__main__":
    for figure in measure():
        print(figure.key, figure.value, figure.unit)
