"""Bytes and datagrams of single exchanges, in one process on a fake clock; prints JSON.

CPython with the stand-ins in front, as tests/fake_world.py needs it.
"""

import json
import sys
import tempfile
from pathlib import Path

from fake_board import Publisher
from fake_world import World
from particle_tools.cloud.dtls import cookie as dtls_cookie

_HEADERS = 28  # IPv4 + UDP


class Transcript(Publisher):
    """Registers what the recorded devices did: 1 function, 3 variables, 3 subscriptions."""

    first = False  # it has something to say

    def __call__(self, board, begin=False):
        if begin:
            client = board.client
            board.due = None
            client.function("setCounter", lambda argument: 1)
            client.variable("counter", 1)
            client.variable("temp", 21.5)
            client.variable("text", "hello")
            for prefix in ("vdev/in", "alarm", "config"):
                client.subscribe(prefix, lambda name, data: None)
        elif self.first and board.client.connected():
            self.first = False
            board.client.publish("vdev/tick", "1")


def count(board, seconds=5):
    """Let it fall silent; return [bytes with headers, datagrams] of what passed."""
    board.world.run(seconds)
    passed = board.up + board.down
    board.up.clear()
    board.down.clear()
    return [sum(map(len, passed)) + _HEADERS * len(passed), len(passed)]


def again(board, first=False):
    """Cut the power; return what the next boot says by itself, or when it publishes at once."""
    board.countdown = 0
    board.client._conn.ping(0)  # the cut comes with the next datagram
    board.wake.set()
    board.world.run(0.9)
    board.up.clear()
    board.down.clear()
    board.program.first = first
    return count(board)


def connect(**values):
    """Return what a connection with a handshake takes, the reason of the reset left out."""
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        board = world.board(Transcript(0), **values)
        count(board)
        world.inside(lambda: board.client.disconnect(clear_session=True))
        count(board)
        world.inside(board.client.connect)
        return count(board)


def wear():
    """Return the bytes of the session's file, records sent, and flash writes they took."""
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        board = world.board(Publisher(0.3))
        world.run(60)
        before, records = board.client._store.wear(), len(board.numbers.seen)
        world.run(1000)
        writes = board.client._store.wear() - before
        return [(board.root / "session").stat().st_size, len(board.numbers.seen) - records, writes]


def main():
    """Measure all rows."""
    rows = {"connect": connect(), "connect_events": connect(connect_events=True)}
    dtls_cookie.COOKIE = 32
    rows["connect_cookie_32"] = connect()
    dtls_cookie.COOKIE = 16
    rows["connect_device_os"] = connect(wire_profile="device-os")
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        board = world.board(Transcript(0))
        count(board)
        world.inside(lambda: board.client.publish("vdev/tick", "1"))
        rows["publish"] = count(board)
        rows["ping"] = count(board, 25)
        rows["resume"] = again(board)
        rows["resume_publish"] = again(board, True)
        board.values["connect_events"] = True
        rows["resume_events"] = again(board)
    rows["wear"] = wear()
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
