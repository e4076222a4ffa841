"""A connection over datagrams that takes updates, a target in memory, and what was said and told.

On a fake clock and both interpreters: session/update.py and session/chunked.py are driven by it
as the client drives them.
"""

from particle.session.messaging import add
from plain_channel import Driven, Keys, PlainConn
from tcp_peer import Parsed

HELLO = (6, 1, 0xB6, 6)
TOKEN = 0x15


class Memory:
    """A target (ota/staging.py) in memory. begun: what may be there of a file, by its SHA-256."""

    def __init__(self):
        self.data = b""
        self.kept = {}
        self.error = None  # (where, exception) that is raised
        self.slices = 3
        self.calls = []
        self.key = None
        self.stored = self.size = 0

    def _may_fail(self, where):
        if self.error and self.error[0] == where:
            raise self.error[1]

    def begin(self, size, sha, function):
        self.calls.append(("begin", size, sha, function))
        for _ in range(self.slices):
            yield
        self._may_fail("begin")
        self.size = size
        self.key = sha
        self.data = self.kept.get(sha, b"") if sha else b""
        self.stored = len(self.data)
        return self.stored

    def write(self, data):
        self._may_fail("write")
        assert len(data)
        self.data += bytes(data)
        self.stored = len(self.data)

    def pause(self):
        self.calls.append(("pause",))
        if self.key:
            self.kept[self.key] = self.data

    def verify(self):
        for _ in range(self.slices):
            yield
        self._may_fail("verify")

    def finish(self):
        self.calls.append(("finish",))

    def discard(self):
        self.calls.append(("discard",))
        self.kept = {}
        self.data = b""


class World(Driven):
    """A connected device; `kind` is the class of its transfer."""

    def __init__(self, kind, target=None):
        self.now = 1000
        self.conn = PlainConn(
            Keys, lambda kind: None, lambda n: bytes(n), HELLO, {"server": "::1"}
        )
        self.target = target or Memory()
        self.transfer = kind(self.conn, self.target, self)
        self.refused = None
        self.told_of = []
        self.completed = 0
        self.waiting = {}
        self.said = []
        self.downs = []
        for code, chars in ((2, "SCFusc"), (3, "u")):
            for char in chars:
                self.conn.on(code, char, self.transfer.message)
        self._mid = 20000
        self.connect()

    def connect(self):
        c = self.conn
        c.start(self.now)
        c.link(self.now, True)
        self.step()
        c.addresses(self.now, ["10.0.0.1"])
        c.opened(self.now, True)
        self.step()
        while self.said:
            self.ack(self.said.pop(0))
        assert c.ready
        return self

    # what the host of a transfer does

    def refusal(self, size):
        return self.refused

    def told(self, step):
        self.told_of.append(step)

    def answered(self, mid, then):
        self.conn._waiting[mid] = add(self.now, 100000)
        self.waiting[mid] = then

    def complete(self):
        self.completed += 1
        self.told(1)
        self.target.finish()

    # the clock

    def deadline(self):
        return self.transfer.deadline(self.now)

    def step(self):
        c = self.conn
        t = self.transfer.deadline(self.now)
        while t == self.now:
            self.transfer.tick(self.now)
            t = self.transfer.deadline(self.now)
        self.transfer.tick(self.now)
        c.tick(self.now)
        self.events()
        while True:
            n = c.transmit(self.now)
            if n == 0:
                break
            self.said.append(Parsed(bytes(c.out[:n])))
        self.events()

    def events(self):
        while True:
            e = self.conn.event()
            if e is None:
                return
            kind, a, b = e
            if kind == "ACKED" and a in self.waiting:
                self.waiting.pop(a)(self.now, not b)
            elif kind == "DOWN":
                self.downs.append((a, b))
                self.transfer.stop()

    def pass_(self, ms):
        """Let time pass in steps of at most 10 ms."""
        end = self.now + ms
        while self.now < end:
            self.now = min(end, self.now + 10)
            self.step()

    # what the cloud says

    def say(self, type, code, rest, token=b""):
        """Send a message; return its ID."""
        self._mid += 1
        mid = bytes((self._mid >> 8, self._mid & 255))
        self.feed(bytes((0x40 | type << 4 | len(token), code)) + mid + token + rest)
        return mid

    def take(self):
        got = self.said
        self.said = []
        return got


def option(delta, value):
    """Return an option whose number is `delta` above that of the one before."""
    n = len(value)
    head = bytearray(1)
    for shift, x in ((4, delta), (0, n)):
        if x > 268:
            head[0] |= 14 << shift
            head += bytes((x - 269 >> 8, x - 269 & 255))
        elif x > 12:
            head[0] |= 13 << shift
            head.append(x - 13)
        else:
            head[0] |= x << shift
    return bytes(head) + value


def uint(value):
    """Return an unsigned number as the value of an option."""
    n = 0 if not value else 1 if value < 256 else 2 if value < 65536 else 4
    return bytes([value >> 8 * (n - 1 - i) & 255 for i in range(n)])


def options(path, numbers):
    """Return path and options (number, value as bytes or int) of a message."""
    out = option(11, path)
    last = 11
    for number, value in numbers:
        out += option(number - last, uint(value) if isinstance(value, int) else value)
        last = number
    return out
