"""A device with a session that is stored, over a channel without encryption on a fake clock."""

from particle.errors import Error
from particle.session.resume import Resuming
from plain_channel import Driven, Keys, Plain
from tcp_peer import Parsed

HELLO = (6, 1, 0x36, 6)
APP = b'{"f":["led"],"v":{}}'


class Numbered(Plain):
    """Counts records as DTLS does; what is sent is remembered with its number, over all boots."""

    profile = 0
    left = 0x3FFFFFF
    block = b"k" * 40

    def start(self, now):
        self.number = 0
        self.top = 0
        self.left = 0x3FFFFFF
        self.fresh = True
        super().start(now)

    def state(self, ahead):
        n = self.number + ahead
        return self.block, b"c" * 8, n >> 24, n & 0xFFFFFF, 0, self.top

    def restore(self, now, block, cid, hi, lo, top_hi, top):
        assert block == self.block and cid == b"c" * 8
        self.number = hi << 24 | lo
        self.top = top
        self.fresh = False
        self._events.append(("OPEN", True, None))

    def heard(self):
        self.top += 1

    def fits(self, n):
        return self.left > 0 and super().fits(n)

    def seal(self, n):
        self.left -= 1
        self.number += 1
        self.log.append(self.number)
        super().seal(n)


class Flash:
    """What is stored, and whether it can be."""

    def __init__(self):
        self.data = None
        self.writes = 0
        self.full = False

    def get(self, kind):
        assert kind == 1
        if self.data == b"damaged":
            raise Error(-280, "damaged", "store")
        return self.data


class Board(Driven):
    """One boot of a device; the flash and the list of numbers outlive it."""

    def __init__(self, flash, numbers, app=APP, filters=("door",), host="10.0.0.9", start=1000):
        channel = type("Channel", (Numbered,), {"log": numbers})
        kind = type("Conn", (Resuming,), {"CHANNEL": channel})
        self.flash = flash
        self.now = start
        self.conn = kind(Keys, flash.get, lambda n: bytes(n), HELLO, {"server": host})
        self.conn.describe(0, 1, b"system", 42)
        self.conn.describe(0, 2, app)
        for f in filters:
            self.conn.subscribe(0, f, None)
        self.events = []
        self.said = []
        self.dials = 0
        self.conn.start(self.now)
        self.conn.link(self.now, True)
        self.step()

    def step(self):
        c = self.conn
        for _ in range(40):
            c.tick(self.now)
            while True:
                n = c.transmit(self.now)
                if n == 0:
                    break
                self.said.append(Parsed(bytes(c.out[:n])))
            e = c.event()
            if e is None:
                return
            while e is not None:
                self.act(e)
                e = c.event()

    def act(self, e):
        c = self.conn
        if e[0] == "SAVE":
            assert len(e[1]) <= 246  # with its container 256
            if not self.flash.full:
                self.flash.data = e[1]
                self.flash.writes += 1
            c.saved(not self.flash.full)
        elif e[0] == "RESOLVE":
            c.addresses(self.now, ["10.0.0.9"])
        elif e[0] == "DIAL":
            self.dials += 1
            c.opened(self.now, True)
        else:
            self.events.append(e)

    def take(self):
        got = self.said
        self.said = []
        return got

    def ack_all(self):
        """Acknowledge until nothing more is said."""
        got = []
        while self.said:
            for m in self.take():
                got.append(m)
                if m.type == 0:
                    self.ack(m)
        return got


def joined(**more):
    flash = Flash()
    numbers = []
    b = Board(flash, numbers, **more)
    got = b.ack_all()
    assert [m.path for m in got] == ["h", "t", "d", "d", "e", "e", "e"]
    assert b.conn.ready and flash.data
    return b, flash, numbers


def unique(numbers):
    assert len(set(numbers)) == len(numbers)
    return numbers
