"""A device that sends persisted events over a channel without encryption, and its cloud."""

import sys

from particle import Error
from particle.persisted import Sender
from particle.store.container import Store
from particle.wire.coap import Message
from stored_session import Board, joined
from support import folder

ROOT = folder("persisted")
PERSISTED = sys.modules["particle.persisted"]


def clean():
    """Return a store root in which nothing is."""
    return folder("persisted")


class More:
    def __init__(self):
        self.recent = []


class Client:
    """What the sender needs of a client, around a connection on a fake clock."""

    limited = ops = 0
    _busy = True  # nothing waits

    def __init__(self, board=None, transport="udp", root=ROOT):
        self._store = Store(root)
        self._values = {"transport": transport}
        self._operations = {}
        self._jobs = {}
        self.more = More()
        self.board = board
        self.sender = Sender(self)
        PERSISTED.now = self.now
        if board:
            self.sender.dialing(self._conn)

    @property
    def _conn(self):
        return self.board.conn if self.board else None

    def now(self):
        return self.board.now if self.board else 0

    def connected(self):
        return self.board is not None and self._conn.ready

    def publish(self, data):
        op = self.sender.publish("n", data, 0, None, 60, 20)
        self.step()
        return op

    def step(self):
        """Do what `Cloud.process` does with ACKED events, READY and jobs."""
        self.more.recent = []  # the limit of four a second has its own test
        if self.board is None:
            return
        for _ in range(100):
            self.board.step()
            events = self.board.events
            self.board.events = []
            for kind, mid, code in events:
                if kind == "ACKED" and mid in self._operations:
                    self._operations.pop(mid)._end(Error(code, "no ACK") if code else None)
                elif kind == "READY":
                    self.sender.ready(self.board.now)
            if not events and not self.board.conn._queue:
                return


class Cloud:
    """The other side: takes events once per number, and acknowledges what it is told to."""

    def __init__(self):
        self.events = []
        self.numbers = []
        self.mids = []

    def hear(self, m):
        """Take an event once per number."""
        number = option(m) if m.path == "E" else None
        if number is not None:
            self.mids.append(m.mid)
            if number not in self.numbers:
                self.numbers.append(number)
                self.events.append(m.payload)

    def take(self, client, ack=lambda m: True):
        """Take what was said until nothing more is."""
        seen = []
        while client.board.said:
            for m in client.board.take():
                seen.append(m)
                self.hear(m)
                if m.type == 0 and ack(m):
                    client.board.ack(m)
            client.step()
        return seen


def option(m):
    """Return the number of a persisted event."""
    value = options(m).get(65000)
    return None if value is None else int.from_bytes(value, "big")


def options(m):
    """Return number -> value of the last option of each number."""
    parsed = Message()
    parsed.parse(m.raw, 0, len(m.raw))
    found = {}
    for number in (11, 12, 14, 65000):
        if parsed.find(number):
            found[number] = m.raw[parsed.opt_at : parsed.opt_at + parsed.opt_n]
    return found


def silent(m):
    return m.path != "E"


def boot(flash, numbers):
    return Client(Board(flash, numbers))


def begin():
    """Return (client, cloud, board, flash, numbers) of a device that has joined; no event yet."""
    clean()
    b, flash, numbers = joined()
    return Client(b), Cloud(), b, flash, numbers
