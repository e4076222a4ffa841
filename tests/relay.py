"""A hostile UDP network: loses, doubles, delays, reorders, breaks, replays, moves, goes dark.

`Storm` decides, from one seed, what becomes of a datagram; it knows no socket and no clock, so
that a run can be repeated and a day passes in a second (fake_world.py). `UdpRelay` is the same on
real sockets, between one board and the cloud. `Numbers` notes what may never happen twice.
"""

import heapq
import random
import select
import socket
import threading
import time
from dataclasses import dataclass

import ports

_OLD = 400  # datagrams of the cloud kept for replays


@dataclass
class Weather:
    """Probabilities per datagram, in both directions; times in seconds.

    delay: at the most, drawn anew for each datagram, so that they overtake each other. replay: of
    a datagram of the cloud being followed by an old one. rebind: of a datagram of the board coming
    from another address from now on. dark: of a blackout that begins, `blackout` s at the most.
    """

    loss: float = 0.0
    double: float = 0.0
    corrupt: float = 0.0
    truncate: float = 0.0
    delay: float = 0.0
    replay: float = 0.0
    rebind: float = 0.0
    dark: float = 0.0
    blackout: float = 0.0


class Storm:
    """What becomes of datagrams in a `weather`, which may be changed at any time."""

    def __init__(self, seed=1, weather=None):
        self.weather = weather or Weather()
        self.until = 0.0  # nothing passes before
        self.counts = dict.fromkeys(
            ("lost", "doubled", "corrupted", "truncated", "replayed", "rebound", "dark"), 0
        )
        self._random = random.Random(seed)
        self._old = []

    def _happens(self, name, probability):
        happens = probability > 0 and self._random.random() < probability
        self.counts[name] += happens
        return happens

    def rebinds(self):
        """Tell whether the board's address changes before its next datagram."""
        return self._happens("rebound", self.weather.rebind)

    def fates(self, up, datagram, now):
        """Return [(delay in seconds, datagram)]: what arrives of a datagram, empty when lost."""
        weather, source = self.weather, self._random
        old = []
        if not up:
            if self._old and self._happens("replayed", weather.replay):
                old.append((source.random() * weather.delay, source.choice(self._old)))
            self._old.append(datagram)
            if len(self._old) > _OLD:
                del self._old[source.randrange(_OLD)]
        if now >= self.until and self._happens("dark", weather.dark):
            self.until = now + source.random() * weather.blackout
        if now < self.until:
            return []
        if self._happens("lost", weather.loss):
            return old
        if self._happens("corrupted", weather.corrupt):
            at = source.randrange(len(datagram))
            bit = 1 << source.randrange(8)
            datagram = datagram[:at] + bytes([datagram[at] ^ bit]) + datagram[at + 1 :]
        if self._happens("truncated", weather.truncate):
            datagram = datagram[: source.randrange(1, len(datagram) + 1)]
        copies = 2 if self._happens("doubled", weather.double) else 1
        return [(source.random() * weather.delay, datagram) for _ in range(copies)] + old


def protected(datagram):
    """Yield (connection ID, epoch and sequence number) of the protected records of a datagram."""
    while len(datagram) >= 13:
        cid = datagram[11:19] if datagram[0] in (25, 253) else b""
        head = 13 + len(cid)
        if len(datagram) < head:
            return
        if datagram[3:5] != b"\0\0":
            yield cid, datagram[3:11]
        datagram = datagram[head + int.from_bytes(datagram[head - 2 : head], "big") :]


class Numbers:
    """Every (session, epoch, sequence number) that one side has sent; a repetition is an error."""

    def __init__(self):
        self.seen = set()
        self.repeated = []

    def sent(self, datagram, session=None):
        """Take note of a datagram as it left its sender.

        session: what names it where records have no connection ID.
        """
        for cid, number in protected(datagram):
            key = session or cid, number
            if key in self.seen:
                self.repeated.append(key)
            self.seen.add(key)


class UdpRelay:
    """Passes datagrams to port `target`; `storm`, `dark` and `target` may change meanwhile."""

    def __init__(self, target, seed=1, weather=None):
        self.storm = Storm(seed, weather)
        self.target = target
        self.dark = False  # nothing passes
        self.up = []  # what the board sent, in order
        self.down = []  # what the cloud sent
        self.numbers = Numbers()  # of the board
        self._front = self._socket(ports.take())  # where nobody else's cloud sends to
        self._back = self._socket()
        self._board = None
        self._later = []  # heap of (time, order, up, datagram)
        self._order = 0
        self._open = True
        self.port = self._front.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _socket(port=0):
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        found.bind(("127.0.0.1", port))
        return found

    def rebind(self):
        """Give the board another address, as a NAT does that has forgotten it."""
        old, self._back = self._back, self._socket()
        old.close()

    def replay(self, datagrams):
        """Send datagrams to the board that were sent to it before."""
        for datagram in datagrams:
            self._front.sendto(datagram, self._board)

    def bytes(self):
        """Return what passed, with 28 bytes of IPv4 and UDP headers for each datagram."""
        return sum(len(d) + 28 for d in self.up + self.down)

    def _run(self):
        while self._open:
            wait = 0.02
            if self._later:
                wait = max(0.0, min(wait, self._later[0][0] - time.monotonic()))
            try:
                ready, _, _ = select.select([self._front, self._back], [], [], wait)
            except (OSError, ValueError):
                continue  # rebound
            for sock in ready:
                try:
                    datagram, sender = sock.recvfrom(2048)
                except OSError:
                    continue  # the other side's port is closed
                if sock is self._front or sender == ("127.0.0.1", self.target):
                    self._take(sock is self._front, datagram, sender)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, up, datagram = heapq.heappop(self._later)
                self._send(up, datagram)

    def _take(self, up, datagram, sender):
        now = time.monotonic()
        if up:
            self._board = sender
            self.up.append(datagram)
            self.numbers.sent(datagram)
            if self.storm.rebinds():
                self.rebind()
        else:
            self.down.append(datagram)
        for delay, what in () if self.dark else self.storm.fates(up, datagram, now):
            self._order += 1
            heapq.heappush(self._later, (now + delay, self._order, up, what))

    def _send(self, up, datagram):
        try:
            if up:
                self._back.sendto(datagram, ("127.0.0.1", self.target))
            elif self._board:
                self._front.sendto(datagram, self._board)
        except OSError:
            pass  # nobody there: the datagram is lost

    def close(self):
        """Stop, and close the sockets."""
        self._open = False
        self._thread.join(2)
        self._front.close()
        self._back.close()
