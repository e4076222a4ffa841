"""A channel without encryption over datagrams, for what does not depend on DTLS."""

import particle.crypto.ccm  # noqa: F401  first: compiled one in the other, all take too much stack
from particle.session.aes_tcp import TcpConn
from particle.session.messaging import diff
from particle.session.resume import Resuming


class Keys:
    """What a connection asks for."""

    device_id = b"\xe0\x0f\xce\x68\x12\x34\x56\x78\x90\xab\xcd\xef"
    server = b"server"
    public = b"device"


class Plain:
    """The channel contract of DESIGN 5 with one CoAP message per datagram, in clear."""

    head = 0
    room = 1119
    seed = 0
    left = 1

    def __init__(self, keys, saved, rng, size=1152):
        self.out = bytearray(size)
        self.buf = bytearray(size)
        self.at = 0
        self._events = []
        self._n = self._pending = 0

    def start(self, now):
        self._events.append(("OPEN", False, None))

    def receive(self, buf, n, now):
        self.buf[:n] = buf[:n]
        self._n = n

    def message(self):
        n = self._n
        self._n = 0
        return n

    def fits(self, n):
        return self._pending == 0

    def seal(self, n):
        self._pending = n

    def transmit(self, now):
        n = self._pending
        self._pending = 0
        return n

    def unsent(self, k):
        self._pending = k

    def deadline(self):
        return None

    def tick(self, now):
        pass

    def event(self):
        return self._events.pop(0) if self._events else None


class PlainConn(Resuming):
    """A connection without sessions that are stored: after each Hello it says everything."""

    CHANNEL = Plain
    announce = TcpConn.announce

    def _save(self):
        pass


class Driven:
    """A connection `conn` at the time `now`; a subclass has `step`, which does what is due."""

    def run(self, ms):
        """Let the clock jump from deadline to deadline for `ms`."""
        end = self.now + ms
        while True:
            d = self.conn.deadline()
            if d is None or diff(d, end) > 0:
                break
            self.now = max(self.now, d)
            self.step()
        self.now = end
        self.step()

    def feed(self, data):
        """Let a datagram arrive."""
        self.conn.receive(bytearray(data), len(data), self.now)
        self.step()

    def ack(self, m, code=0):
        """Let the acknowledgement of a message arrive."""
        self.feed(bytes([0x60, code]) + m.raw[2:4])
