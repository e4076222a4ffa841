"""A channel without encryption over datagrams, for what does not depend on DTLS."""


class Plain:
    """The channel contract of DESIGN 5 with one CoAP message per datagram, in clear."""

    head = 0
    room = 1119
    seed = 0

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
