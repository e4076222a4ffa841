"""Messages over datagrams: acknowledged, repeated, taken once (cloud-protocol 3.3-3.7).

What UDP needs beyond `conn.Conn`, which is written for a transport that loses nothing.
"""

from micropython import const

from .conn import Conn
from .messaging import add, diff

# CoAP (wire/coap.py)
_CON = const(0)
_ACK = const(2)

_OCTETS = const(42)  # content format

# Error numbers of Device OS (errors.py)
_TIMEOUT = const(-160)
_PROTOCOL = const(-240)

_ACK_TIMEOUT_MS = const(4000)
_TRANSMISSIONS = const(4)
_PATIENCE = const(8)  # transmissions while other messages are answered
_SEEN = const(8)  # received CONs remembered, as long as the keys are the same
_OPEN = const(14)  # messages without an ACK when one more event is taken

# states of conn.Conn
_ON = const(7)


class Reliable(Conn):
    """The whole connection over UDP (see `Conn`)."""

    _closed = False  # a session was resumed and nothing came yet
    DEFAULTS = 5684, 25
    PONG_MS = 30000

    def __init__(self, keys, *more):
        Conn.__init__(self, keys, *more)
        self._type = _CON
        self._token = self._rng(1)[0]
        self._hello += (keys.device_id,)
        self._seen = []  # [ID, reply or None]
        self._hello_id = None
        self._tries = _TRANSMISSIONS
        self.repeats = 0  # retransmissions

    @staticmethod
    def system(platform_id):
        """Return the description of the system and its content format (4.2).

        Protobuf: one module, monolithic, with the level of Device OS that is spoken.
        """
        return b"\x0a\x05\x08\x03\x18\xb8\x30", _OCTETS

    def reset(self, mid, token):
        """Forget what waits; IDs and tokens go on, they start again only with the device (3.1)."""
        Conn.reset(self, self._mid, self._token)
        self._open = {}  # ID -> [message, ticks of the next transmission or None, transmissions]

    def room(self):
        """Return how many events may still be sent; all without an ACK may have to go again."""
        return min(Conn.room(self), _OPEN - len(self._open))

    def take(self, now):
        """Return the next message, which is sent now; a CON will be repeated until its ACK."""
        message = Conn.take(self, now)
        entry = self._open.get(message[2] << 8 | message[3])
        if entry and entry[0] is message:
            # 4-6, 8-12, 16-24, 32-48 s; 4-6 s while nobody knows whether the session lives
            wait = _ACK_TIMEOUT_MS << (0 if self._closed else min(3, entry[2]))
            entry[1] = add(now, wait + (wait * self._rng(1)[0] >> 9))
            entry[2] += 1
        return message

    def waits(self):
        """Return the ticks at which the waits for ACKs end, in a list; None means nothing."""
        times = Conn.waits(self)
        for entry in self._open.values():
            times.append(entry[1])
        return times

    def expire(self, now):
        """Repeat what was not acknowledged; the fourth time ask whether anybody is there.

        Who answers but does not acknowledge a message after eight times does not want it: it is
        given up. Who does not answer is not there: the connection is given up.
        """
        Conn.expire(self, now)
        for mid, entry in list(self._open.items()):
            if entry[1] is not None and diff(now, entry[1]) >= 0:
                asks = self._state == _ON and self._pong is None
                alive = asks and not self._closed
                if entry[2] < (_PATIENCE if alive else self._tries):
                    entry[1] = None
                    self.repeats += 1
                    self._queue.append(entry[0])
                    if asks and entry[2] >= self._tries - 1:
                        self.ping(now)
                elif alive:
                    del self._open[mid]
                    if self._waiting.pop(mid, None) is not None:
                        self._emit("ACKED", mid, _TIMEOUT)
                else:
                    self._fail(now, "cloud", _TIMEOUT)
                    return

    def dispatch(self, now, m):
        """Act on a received message once, however often it comes."""
        if m.type >= _ACK:
            entry = self._open.pop(m.mid, None)
            if entry and entry[1] is None and entry[0] in self._queue:
                self._queue.remove(entry[0])  # it was just about to be repeated
            if entry and m.mid == self._hello_id:
                self._hello_id = None
                if m.type > _ACK or m.code >= 0x80:
                    self._fail(now, "cloud", _PROTOCOL)  # refused
                    return
                self._server_hello(now, m)
        elif m.type == _CON:
            # No time limit: who holds back a record for long must not have it acted upon twice.
            for s in self._seen:
                if s[0] == m.mid:
                    if s[1]:
                        self._queue.append(s[1])
                    return
            self._seen = self._seen[1 - _SEEN :] + [[m.mid, None]]
        Conn.dispatch(self, now, m)

    def send(self, message):
        """Queue a message that is built; a CON is repeated until its ACK."""
        kind = message[0] >> 4 & 3
        if kind == _CON:
            self._open[message[2] << 8 | message[3]] = [message, None, 0]
        elif kind >= _ACK:
            for s in self._seen:
                if s[0] == message[2] << 8 | message[3]:
                    s[1] = message
        Conn.send(self, message)

    def _opened(self, now):
        Conn._opened(self, now)
        self._seen = []
        self._due = None  # the Hello is repeated as every CON, and given up like one
        self._hello_id = self._mid
