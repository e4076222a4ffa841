"""Bytes and datagrams over UDP, counted by a relay between a board and the local cloud."""

import time
from pathlib import Path

from bench import local
from bench.figures import Figure
from particle_tools.local import SimulatedBoard, wait_for
from particle_tools.sim import image
from particle_tools.sim.board_dir import BoardDir
from relay import UdpRelay

_APPLICATION = Path(__file__).with_name("wire_app.py")
_HEADERS = 28  # IPv4 + UDP
_QUIET = 1.5  # seconds without a datagram; longer than any answer takes
_SECONDS = 30


def measure() -> list[Figure]:
    """Count a first connection, a publish, and what a power cut costs."""
    with local.cloud() as (folder, cloud):
        relay = UdpRelay(cloud.ready["udp_port"])
        boards = []

        def boot() -> SimulatedBoard:
            boards.append(
                SimulatedBoard(
                    folder / "board",
                    cloud,
                    script=_APPLICATION,
                    server=f"127.0.0.1:{relay.port}",
                    transport="udp",
                )
            )
            return boards[-1]

        try:
            return _measure(relay, boot, BoardDir(folder / "board").flash)
        finally:
            for board in boards:
                board.stop()
            relay.close()


def _measure(relay: UdpRelay, boot, flash: Path) -> list[Figure]:
    board = boot()
    first = _run(relay)
    connect = _run(relay)
    publish = _run(relay)
    board.kill()
    _forget(relay)
    board = boot()
    if not wait_for(lambda: board.output().count("acknowledged") > 1, _SECONDS, pause=0.01):
        raise RuntimeError(board.output())
    resume = _sizes(relay)
    later = sum(_run(relay)) - sum(resume)  # this board's clock is not set after a power cut
    note = "1 function, 3 variables, 3 subscriptions, all ACKs"
    session = len(image.read(flash, "/pt/session"))
    return [
        Figure("full_connect_network_bytes", sum(connect), "bytes", note, 2150),
        Figure("first_connect_network_bytes", sum(first), "bytes", "with the last reset's reason"),
        Figure("full_connect_datagrams", len(connect), "", "of it, both directions", 8),
        Figure("publish_network_bytes", sum(publish), "bytes", "with its ACK", 145),
        Figure("resume_publish_network_bytes", sum(resume), "bytes", "after a power cut", 145),
        Figure("resume_publish_round_trips", len(resume) / 2, "", "until the ACK", 1),
        Figure("resume_time_network_bytes", later, "bytes", "a second later: what time it is"),
        Figure("session_bytes", session, "bytes", "on flash", 256),
    ]


def _run(relay: UdpRelay) -> list[int]:
    """Return the sizes on the network of the datagrams until it has been quiet for a while."""
    wait_for(lambda: relay.up, _SECONDS)
    count = -1
    while count != len(relay.up) + len(relay.down):
        count = len(relay.up) + len(relay.down)
        time.sleep(_QUIET)
    sizes = _sizes(relay)
    _forget(relay)
    return sizes


def _sizes(relay: UdpRelay) -> list[int]:
    return [len(datagram) + _HEADERS for datagram in relay.up + relay.down]


def _forget(relay: UdpRelay) -> None:
    relay.up.clear()
    relay.down.clear()
