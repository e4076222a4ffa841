"""What is said on a connection: message IDs, the send queue, acknowledgements, requests of the
cloud and of the application (cloud-protocol 3 and 4).

One object per connection. Messages are built once and kept as `bytes`; the queue is in order
of their IDs, because strict servers refuse a gap (cloud-protocol 1.5).
"""

from micropython import const

from ..errors import Error
from ..wire import messages
from ..wire.coap import Writer

# CoAP (wire/coap.py)
_ACK = const(2)
_BAD_REQUEST = const(0x80)
_CHANGED = const(0x44)
_CONTENT = const(0x45)
_CON = const(0)
_CONTENT_FORMAT = const(12)
_GET = const(1)
_NON = const(1)
_NOT_FOUND = const(0x84)
_POST = const(2)
_PUT = const(3)
_RST = const(3)

# Error numbers of Device OS (errors.py)
_COAP_4XX = const(-1100)
_COAP_5XX = const(-1132)
_ABORTED = const(-150)
_LIMIT_EXCEEDED = const(-200)
_INVALID_STATE = const(-210)
_COAP_RESET = const(-1002)
_TIMEOUT = const(-160)
_TOO_LARGE = const(-190)

_PERIOD = const(0x3FFFFFFF)
_HALF = const(0x20000000)
_ROOM = const(24)  # messages that may wait to be sent
_FREE = const(8)  # of these, kept free for answers to the cloud
_ACK_MS = const(20000)  # wait for the ACK of a confirmable publish (cloud-protocol 3.5)
_MAX_TEXT = const(1024)  # argument of a function
_SMALL = const(200)  # bytes of most messages: the buffer grows with the first one that is longer
_OVERHEAD = const(20)  # of a message around a description

_ROWS = {  # code << 8 | first path character: the method that acts on such a request
    _POST << 8 | 0x45: "_event",  # E
    _POST << 8 | 0x65: "_event",  # e, of former public events
    _POST << 8 | 0x66: "_request",  # f
    _POST << 8 | 0x68: "_server_hello",  # h, in conn.py
    _GET << 8 | 0x76: "_request",  # v
    _GET << 8 | 0x64: "describe_request",  # d
    _PUT << 8 | 0x73: "_signal",  # s
}


def add(ticks, ms):
    """Return the ticks `ms` later; ticks count modulo 2**30 on every port."""
    return (ticks + ms) & _PERIOD


def diff(a, b):
    """Return a - b in ms for ticks less than 6 days apart."""
    return ((a - b + _HALF) & _PERIOD) - _HALF


def earliest(times):
    """Return the first of these ticks, None when there are none; None in between means nothing."""
    first = None
    for t in times:
        if t is not None and (first is None or diff(t, first) < 0):
            first = t
    return first


class Events:
    """What the adapter is to be told: a list `_events` of (kind, a, b), see DESIGN 5."""

    def event(self):
        """Return the next event of DESIGN 5, or None."""
        return self._events.pop(0) if self._events else None

    def _emit(self, kind, a=None, b=None):
        self._events.append((kind, a, b))


class Messaging(Events):
    """Build, number, queue and match messages; turn requests of the cloud into events.

    The part of a connection that does not care how it came about (`conn.Conn` does).
    size: largest CoAP message in bytes. `ready` is True while the application's are taken.
    """

    _blocks = None  # the module, when a description does not fit into one message

    def __init__(self, size):
        self.ready = False
        self._mid = self._token = 0
        self._events = []
        self._w = Writer(bytearray(min(size, _SMALL)), size)
        self._most = size - _OVERHEAD  # of a description in one message
        self._type = _NON  # of events, answers and subscriptions on a transport that loses nothing
        self._bodies = {}  # describe flags -> (body, content format)
        self._filters = [("particle", None), ("spark", None)]
        self._rows = {}  # as _ROWS; what `on` was given
        self.reset(0, 0)

    def on(self, code, char, handler):
        """Have `handler(now, message)` called for requests with this code and path character."""
        self._rows[code << 8 | ord(char)] = handler

    def reset(self, mid, token):
        """Start again after a handshake: the next message gets `mid` + 1 and `token` + 1."""
        self._mid = mid
        self._token = token
        self._queue = []
        # message ID -> ticks at which the wait for its ACK ends, None: it is over when it is sent
        self._waiting = {}
        self.time_token = None

    def abandon(self):
        """Forget everything queued and waited for; ACKED tells about each event."""
        for mid in self._waiting:
            self._emit("ACKED", mid, _ABORTED)
        self.reset(0, 0)
        self.ready = False

    def take(self, now):
        """Return the next message, which is sent now; there is one."""
        message = self._queue.pop(0)
        mid = message[2] << 8 | message[3]
        if self._waiting.get(mid, 0) is None:
            del self._waiting[mid]
            self._emit("ACKED", mid, 0)
        return message

    def waits(self):
        """Return the ticks at which the waits for ACKs end, in a list; None means nothing."""
        return list(self._waiting.values())

    def expire(self, now):
        """End the waits that are due."""
        for mid, due in list(self._waiting.items()):
            if due is not None and diff(now, due) >= 0:
                del self._waiting[mid]
                self._emit("ACKED", mid, _TIMEOUT)

    # what the device says

    def publish(self, now, name, data, ctype, con, mid=None, ttl=60):
        """Queue an event; return its message ID, under which ACKED(mid, code) comes.

        con: None = as the transport does, True = confirmable, False = not. code: 0 or an error
        number; a non-confirmable event is over when it is handed to the channel.
        Raises `Error` (INVALID_STATE, TOO_LARGE) and `QueueFull`.
        """
        if not self.ready:
            raise Error(_INVALID_STATE, "not connected", "cloud")
        if self.room() <= 0:
            from ..errors import QueueFull

            raise QueueFull(_LIMIT_EXCEEDED, "too many messages wait")
        kind = self._type if con is None else _CON if con else _NON
        mid = self.next()
        try:
            message = messages.event(self._w, kind, mid, name, data, ctype, ttl)
        except ValueError:
            self._mid = (mid - 1) & 0xFFFF  # a gap would end the connection
            raise Error(_TOO_LARGE, "event of %d bytes" % len(data)) from None
        self.send(message)
        self._waiting[mid] = add(now, _ACK_MS) if kind == _CON else None
        return mid

    def room(self):
        """Return how many events may still be queued."""
        return _ROOM - _FREE - len(self._queue)

    def subscribe(self, now, prefix, flags):
        """Ask for events whose name starts with `prefix`; flags: None, "c" (CBOR), "b" (binary).

        Remembered, and asked for again after every handshake.
        """
        if (prefix, flags) not in self._filters:
            self._filters.append((prefix, flags))
            if self.ready:
                self._subscribe(prefix, flags)

    def describe(self, now, flags, body, ctype=None):
        """Keep a description and post it when connected and changed; body: bytes.

        flags: 1 system, 2 application. Raises `Error(TOO_LARGE)` when it does not fit and cannot
        go in blocks.
        """
        if len(body) > self._most:
            try:
                from . import blocks

                self._blocks = blocks
            except ImportError:
                raise Error(_TOO_LARGE, "description of %d bytes" % len(body)) from None
        if self._bodies.get(flags) != (body, ctype):
            self._bodies[flags] = body, ctype
            if self.ready:
                self._post(flags, body, ctype)

    def respond(self, now, token, code, data):
        """Answer a CALL or READ; data: bytes of the payload, None for an error code."""
        self.send(messages.answer(self._w, self._type, code, self.next(), token, data))

    def time(self, now):
        """Ask for the time; TIME comes with the answer."""
        self._token = self.time_token = (self._token + 1) & 0xFF
        self.send(messages.request(self._w, _CON, _GET, self.next(), self._token, b"t"))

    def next(self):
        """Take the next message ID: every CON and NON has one of its own, an ACK never."""
        self._mid = (self._mid + 1) & 0xFFFF
        return self._mid

    def send(self, message):
        """Queue a message that is built; when the queue is full it is lost."""
        if len(self._queue) < _ROOM:
            self._queue.append(message)
        elif message[0] & 0x20 == 0:
            # a CON or NON that is not sent gives its ID back, a gap would end the connection
            self._mid = (self._mid - 1) & 0xFFFF

    def _subscribe(self, prefix, flags):
        mid = self.next()
        kind = self._type
        self.send(messages.request(self._w, kind, _GET, mid, -1, b"e", prefix, None, flags))

    def _post(self, flags, body, ctype):
        if len(body) > self._most:
            self._blocks.post(self, flags, body, ctype)
            return
        self._token = (self._token + 1) & 0xFF
        mid = self.next()
        query = bytes((flags,))
        message = messages.request(
            self._w, _CON, _POST, mid, self._token, b"d", None, ctype, query, body
        )
        self.send(message)

    # what the cloud says

    def dispatch(self, now, m):
        """Act on a received message: answer it, or turn it into an event."""
        if m.token == self.time_token:
            epoch = messages.time_answer(m)
            if epoch is not None:
                self.time_token = None
                self._emit("TIME", epoch)
        if m.type >= _ACK:
            if self._blocks:
                self._blocks.go_on(self, m)
            if self._waiting.get(m.mid) is not None:
                del self._waiting[m.mid]
                error = 0
                if m.type == _RST:
                    error = _COAP_RESET
                elif m.code >= 0x80:
                    error = _COAP_5XX if m.code >= 0xA0 else _COAP_4XX
                self._emit("ACKED", m.mid, error)
        elif m.code == 0 or m.code >= 0x40:
            self.acknowledge(m)  # of a ping, or an answer sent separately
        else:
            row = m.code << 8 | m.path
            handler = self._rows.get(row)
            if handler:
                handler(now, m)
            elif row in _ROWS:
                getattr(self, _ROWS[row])(now, m)
            elif m.type == _CON:
                self._refuse(m, _NOT_FOUND)

    def acknowledge(self, m, code=0):
        """Queue the empty ACK if `m` is a CON, or with a code the answer with its token."""
        if code or m.type == _CON:
            token = self._token_of(m) if code else -1
            self.send(messages.answer(self._w, _ACK, code, m.mid, token))

    def _token_of(self, m):
        # -1, an int for one byte, or bytes
        if m.tkl < 2:
            return m.token
        return bytes(memoryview(m.buf)[m.token_at : m.token_at + m.tkl])

    def _refuse(self, m, code):
        if m.tkl:
            self.acknowledge(m, code)
        else:
            self.send(messages.answer(self._w, _RST, 0, m.mid))

    def _event(self, now, m):
        self.acknowledge(m)
        name = m.name()
        if name:
            data = bytes(memoryview(m.buf)[m.payload_at : m.payload_at + m.payload_n])
            system = name.startswith("particle") or name.startswith("spark")
            ctype = m.uint(_CONTENT_FORMAT, 0)
            self._emit("SYSTEM" if system else "EVENT", name, (data, ctype))

    def _request(self, now, m):
        # a function call or the read of a variable
        name = m.name()
        arg = m.query()
        try:
            if len(arg) > _MAX_TEXT or not name:
                raise ValueError
            arg = arg.decode()
        except ValueError:  # UnicodeError is one
            self.send(messages.answer(self._w, _ACK, _BAD_REQUEST, m.mid))
            return
        if m.tkl == 0:
            self._refuse(m, _BAD_REQUEST)
            return
        self.acknowledge(m)
        token = self._token_of(m)
        if m.code == _POST:
            self._emit("CALL", token, (name, arg))
        else:
            self._emit("READ", token, name)

    def describe_request(self, now, m):
        """Answer GET /d with what `describe` was given."""
        flags = m.query()
        flags = flags[0] if flags else 3  # spark-server asks without a query
        bodies = self._bodies
        body, ctype = bodies.get(flags, (b"", None))
        if flags == 3 and 1 in bodies and 2 in bodies:
            body = bodies[2][0][:-1] + b"," + bodies[1][0][1:]
        self.answer_describe(m, body, ctype)

    def answer_describe(self, m, body, ctype=None):
        """Queue `body` as the answer to the GET /d in `m`; refuse what there is not."""
        if self._blocks and len(body) > self._most:
            self._blocks.answer(self, m, body, ctype)
            return
        if not 0 < len(body) <= self._most:
            self._refuse(m, _NOT_FOUND)
            return
        self.acknowledge(m)
        token = self._token_of(m)
        self.send(messages.answer(self._w, _CON, _CONTENT, self.next(), token, body, ctype))

    def _signal(self, now, m):
        if m.type == _CON:
            self.acknowledge(m, _CHANGED)
        self._emit("SIGNAL", m.query() == b"\x01")
