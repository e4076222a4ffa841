"""`publish(..., persist=True)`: sends the events of `store.queue`, one after the other.

Exactly once over UDP to a cloud that knows the number of the event (DESIGN decision 7), otherwise
at least once. An event leaves the flash when the cloud has acknowledged it.
"""

import os

from micropython import const

from .errors import Error
from .operation import Operation, in_task, now
from .runtime.limiter import count, full
from .runtime.rules import check_ttl
from .session import kept
from .session.messaging import add
from .store.queue import Queue
from .wire.coap import Writer

# CoAP (wire/coap.py)
_CON = const(0)
_POST = const(2)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_MAX_AGE = const(14)
_NUMBER = const(65000)  # of the event, DESIGN decision 7

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)
_COAP_RESET = const(-1002)
_COAP_4XX = const(-1100)
_COAP_5XX = const(-1132)
_TIMEOUT = const(-160)

_TTL = const(60)  # that is not sent (cloud-protocol 4.3)
_ROOM = const(96)  # of a message around name and data
_LONG_MS = const(0x1FFFFFFF)  # the wait for an ACK has no end of its own: 6 days
_PACE_MS = const(250)  # until the limit of four events a second is looked at again
_AGAIN_MS = const(60000)  # after the cloud or the flash could not take it


class Sender:
    """The persisted events of one client."""

    def __init__(self, client):
        self._client = client
        self._queue = Queue(client._store.root, os.urandom)
        self._ops = {}  # number -> operation of this boot
        self._number = None  # of the event that is on its way
        self._mid = 0
        self._conn = None  # on which it is
        self._job = self.send
        self._sent = self._acknowledged = self._dropped = 0

    def publish(self, name, data, ctype, ack, ttl, timeout):
        """Store an event and send it as soon as possible; return its operation.

        Raises ValueError for the ttl, `QueueFull` and `Error(FILE)`; then nothing was stored.
        """
        check_ttl(ttl)
        client = self._client
        conn = client._conn
        numbered = conn is not None and self._udp()

        def build(number):
            w = Writer(bytearray(len(name.encode()) + len(data) + _ROOM))
            w.begin(_CON, _POST, conn.next() if numbered else 0)
            w.option(_URI_PATH, b"E")
            w.option(_URI_PATH, name.encode())
            if ctype:
                w.uint(_CONTENT_FORMAT, ctype)
            if ttl not in (None, _TTL):
                w.uint(_MAX_AGE, ttl)
            w.uint(_NUMBER, number)
            w.payload(data)
            return w.done()

        number = self._queue.add(build)
        op = self._ops[number] = Operation(client, timeout, "Publish " + name)
        self.send(now())
        if ack and not client._busy and not in_task():
            op.wait(timeout)
        return op

    def waiting(self):
        """Return how many events the cloud does not have yet."""
        return len(self._queue.items)

    def counters(self):
        """Return what became of the events since boot."""
        return {
            "queued": self.waiting(),
            "sent": self._sent,
            "acknowledged": self._acknowledged,
            "dropped": self._dropped + self._queue.dropped,
        }

    def dialing(self, conn):
        """Keep the message IDs of `conn` ahead of those on flash: none may mean two messages."""
        for _, mid in self._queue.items:
            kept.skip(conn, mid)

    def ready(self, t):
        """Go on after a connect."""
        conn = self._client._conn
        if conn is not self._conn:
            self._number = None
            self._conn = conn
        if self._number is None:
            self.send(t)
        else:  # it stays with its connection over UDP only
            kept.probe(conn, t, self._mid)

    def _udp(self):
        return self._client._values["transport"] == "udp"

    def _later(self, t, ms):
        self._client._jobs[self._job] = add(t, ms)

    def send(self, t):
        """Send the oldest event, unless one is on its way."""
        client = self._client
        conn = client._conn
        while self._number is None and self._queue.items and client.connected():
            if conn.room() <= 0 or full(client.more.recent, t):
                self._later(t, _PACE_MS)
                return
            number, mid = self._queue.items[0]
            try:
                message = self._queue.get(number)
            except Error as e:
                print(e)
                self._later(t, _AGAIN_MS)
                return
            if message is None:
                self._drop(number, Error(_BAD_DATA, "event is damaged", "store"))
                continue
            count(client, t, "")
            client.ops += 1
            self._conn = conn
            self._number = number
            self._go(t, conn, number, mid, message)

    def _go(self, t, conn, number, mid, message):
        udp = self._udp()
        # over TCP an ID must follow the one before (cloud-protocol 1.5)
        if not (udp and mid and kept.given(conn, mid)):
            mid = conn.next()
            message = message[:2] + bytes((mid >> 8, mid & 255)) + message[4:]
            try:
                if udp:
                    self._queue.put(number, message)
            except Error as e:
                print(e)  # no room: after a reset it gets another ID, and keeps its number
        else:
            kept.probe(conn, t, mid)
        self._mid = mid
        self._sent += 1
        conn.send(message)
        self._wait(t)

    def _wait(self, t):
        kept.wait(self._conn, self._mid, add(t, _LONG_MS))
        self._client._operations[self._mid] = self

    def _end(self, error=None):
        # the client calls it as it does for every operation that waits for an ACK
        t = now()
        number = self._number
        late = error and error.errno == _TIMEOUT
        if late and self._udp() and kept.repeated(self._conn, self._mid):
            self._wait(t)  # it is still repeated
            return
        self._number = None
        if error is None:
            self._acknowledged += 1
            self._queue.remove(number)
            self._done(number)
        elif error.errno == _COAP_4XX:
            self._drop(number, error)
        else:
            if error.errno in (_COAP_5XX, _COAP_RESET):
                # a repetition would get the same answer: the next attempt is another message
                self._queue.items[0][1] = 0
            self._later(t, _AGAIN_MS)  # or with the next connection
            return
        self.send(t)

    def _drop(self, number, error):
        self._dropped += 1
        self._queue.remove(number)
        self._done(number, error)

    def _done(self, number, error=None):
        op = self._ops.pop(number, None)
        if op is not None:  # it was published in this boot; as a bool it would be waited for
            op._end(error)
