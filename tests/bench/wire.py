"""Bytes on the wire over TCP, counted by a relay between a simulated board and the local cloud."""

import statistics
from pathlib import Path

from bench import local
from bench.figures import Figure
from bench.relay import CountingRelay
from particle_tools.local import LocalCloud, SimulatedBoard

_APPLICATION = Path(__file__).with_name("wire_app.py")
_HEADERS = 40  # IPv4 + TCP
_QUIET = 2.0  # seconds; longer than the pause between two publishes
_PUBLISHES = 5


def measure() -> list[Figure]:
    """Count a connection from the first byte to the last acknowledged publish."""
    with local.cloud() as (folder, cloud):
        relay = CountingRelay(cloud.ready["tcp_port"])
        try:
            return _measure(folder, cloud, relay)
        finally:
            relay.close()


def _measure(folder: Path, cloud: LocalCloud, relay: CountingRelay) -> list[Figure]:
    board = SimulatedBoard(
        folder / "board", cloud, script=_APPLICATION, server=f"127.0.0.1:{relay.port}"
    )
    try:
        connected = relay.wait_quiet(_QUIET)
        plain = relay.wait_quiet(_QUIET, connected)
        acked = relay.wait_quiet(_QUIET, plain)
    finally:
        board.stop()
    handshake = [count for _, count in relay.runs()[:3]]
    connect = relay.total() - relay.total(connected)
    return [
        Figure(
            "tcp_handshake_bytes",
            sum(handshake),
            "bytes",
            "+".join(map(str, handshake)) + ": nonce, device, server",
        ),
        Figure(
            "tcp_connect_bytes",
            connect,
            "bytes",
            "all until silent: 1 function, 3 variables, 3 subscriptions",
        ),
        *_publish("tcp_publish", relay, connected, plain, "not acknowledged"),
        *_publish("tcp_publish_acked", relay, plain, acked, "with its ACK"),
    ]


def _publish(key: str, relay: CountingRelay, start: int, end: int, note: str) -> list[Figure]:
    entries = relay.log[start:end]
    ups = [count for _, way, count in entries if way == "up"]
    downs = [count for _, way, count in entries if way == "down"]
    if len(ups) != _PUBLISHES or len(downs) not in (0, _PUBLISHES):
        raise RuntimeError(f"{key}: {len(ups)} up, {len(downs)} down, expected {_PUBLISHES} each")
    stream = statistics.median(ups) + (statistics.median(downs) if downs else 0)
    # each data segment is answered by a bare TCP acknowledgement, or carries one
    segments = 2 if not downs else 3
    return [
        Figure(f"{key}_bytes", stream, "bytes", f"9-character name, 1 byte of data, {note}"),
        Figure(
            f"{key}_network_bytes",
            stream + segments * _HEADERS,
            "bytes",
            f"with IPv4 and TCP headers of {segments} segments",
        ),
    ]
