"""Damaged messages of updates, from a seed: whatever comes, nothing raises and nothing is lost.

Run by tests/session/test_update_mutated.py, and by `make soak` with more of them.
"""

import struct
from binascii import crc32

from particle.session.chunked import Chunked
from particle.session.update import Update
from support import rng
from update_world import World, options

INDEX, WINDOW, SIZE, SHA, CHUNK, DISCARD, CANCEL, FUNCTION = range(2049, 2078, 4)
IMAGE = bytes([i * 7 & 255 for i in range(6000)])


class Dice:
    """Random numbers from a seed."""

    def __init__(self, seed):
        self._take = rng(seed)

    def below(self, n):
        """Return a number from 0 to n - 1."""
        a, b = self._take(2)
        return (a << 8 | b) % n

    def bytes(self, n):
        """Return n bytes."""
        return self._take(n)


def newer(dice):
    """Return (type, code, rest, token) of a message of version 3, right or nearly so."""
    kind = dice.below(10)
    numbers = {}
    payload = b""
    if kind == 0:
        path = b"S"
        numbers = {SIZE: 6000, CHUNK: 512, SHA: bytes(32)}
    elif kind == 1:
        path = b"F"
        if not dice.below(3):
            numbers = {CANCEL: b""}
    else:
        path = b"C"
        index = 1 + dice.below(12)
        numbers = {INDEX: index}
        payload = IMAGE[(index - 1) * 512 : index * 512]
    if not dice.below(4):
        number = dice.below(8) * 4 + 2049
        numbers[number] = dice.bytes(dice.below(6))
    rest = options(path, sorted(numbers.items()))
    if payload and dice.below(6):
        rest += b"\xff" + payload
    confirmable = path != b"C" or not dice.below(20)
    token = b"\x15" if path != b"C" or not dice.below(20) else b""
    return 0 if confirmable else 1, 2, rest, token


def older(dice):
    """Return a message of the older protocol, right or nearly so."""
    kind = dice.below(10)
    if kind == 0:
        size = (6000, 1, 0, 1 << 30)[dice.below(4) if not dice.below(5) else 0]
        data = struct.pack(">BHIBI", dice.below(2), 512, size, 0, 0)
        return 0, 2, b"\xb1u\xff" + data[: 12 - dice.below(2)], b"\x40"
    if kind == 1:
        return 0, 3, b"\xb1u", b"\x42"
    index = dice.below(13)
    data = IMAGE[index * 512 : (index + 1) * 512] or b"?"
    crc = crc32(data) & 0xFFFFFFFF if dice.below(8) else 0
    rest = b"\xb1c\x44" + struct.pack(">I", crc)
    if dice.below(2):
        rest += b"\x02" + struct.pack(">H", index)
    return dice.below(2), 2, rest + b"\xff" + data, b"\x41" if dice.below(9) else b""


def run(count, seed):
    """Send `count` messages of each protocol; return how many updates began and came to an end."""
    begun = complete = 0
    dice = Dice(seed)
    for kind, message in ((Update, newer), (Chunked, older)):
        w = World(kind)
        for _ in range(count):
            type, code, rest, token = message(dice)
            if not dice.below(12) and rest:  # a broken one
                at = dice.below(len(rest))
                rest = rest[:at] + dice.bytes(1) + rest[at + 1 :]
            if not dice.below(40):
                rest = rest[: dice.below(len(rest) + 1)]
            w.say(type, code, rest, token)
            for m in w.take():
                if m.type == 0 and dice.below(10):
                    w.ack(m)
            w.pass_(dice.below(4) * 10)
            w.take()
            assert w.target.stored <= w.target.size and len(w.conn._queue) < 20
            if not w.conn.ready:
                begun += w.told_of.count(0)
                complete += w.completed
                w = World(kind)
        begun += w.told_of.count(0)
        complete += w.completed
        # what is begun ends, or goes on; nothing is told out of turn
        a = -1
        for b in w.told_of:
            assert b in ((2, 1, -1) if a in (0, 2) else (0,)), w.told_of
            a = b
    return begun, complete
