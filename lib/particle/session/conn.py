"""One connection to the cloud, from the server's name to a lost link and back.

Drives a channel (`aes_tcp.Tcp`, later `dtls.Dtls`): back-off, name, address,
handshake, Hello, what is announced after it, the messages of both directions,
keep-alive (cloud-protocol 6). No socket and no clock: DESIGN 5, session.
"""

from micropython import const

from ..errors import Error
from ..wire.coap import Message
from .messaging import Messaging, add, diff

# CoAP (wire/coap.py)
_CON = const(0)
_POST = const(2)

# Error numbers of Device OS (errors.py)
_ABORTED = const(-150)
_INVALID_STATE = const(-210)
_NETWORK = const(-230)
_TIMEOUT = const(-160)

_HELLO_MS = const(4000)  # wait for the server's Hello on TCP
_DIAL_MS = const(20000)
_NAME_MS = const(15000)
_PONG_MS = const(10000)
_GOODBYE_MS = const(1000)  # for the socket to take it
_STEADY_MS = const(30000)  # a connection that held this long starts the back-off again

# states
_OFF = const(0)
_LINK = const(1)  # waits for the link
_PAUSE = const(2)  # waits for the back-off
_NAME = const(3)
_DIAL = const(4)
_SHAKE = const(5)
_HELLO = const(6)
_ON = const(7)
_CLOSING = const(8)


class Conn:
    """The whole connection (DESIGN 5, session).

    channel: class of the transport. host, port: whom to dial. hello: the fields of
    `messages.hello` from product_id to system_version. keep_alive: seconds.
    Events beyond the channel's: ACKED(mid, code) has code 0 or a Device OS error
    number, and comes for a non-confirmable publish when it is handed to the channel.
    """

    def __init__(self, keys, saved, rng, channel, host, port, hello, keep_alive=15, size=1152):
        self._rng = rng
        self._channel = channel(keys, saved, rng, size)
        self._events = []
        self._m = Messaging(self._channel.room, self._events)
        self._m.on(_POST, "h", self._server_hello)
        self._in = Message()
        self._host = host
        self._port = port
        self._hello = hello
        self.keep_alive = keep_alive
        self._state = _OFF
        self._due = None
        self._up = False
        self._failures = 0
        self._addresses = []
        self._pong = None  # ticks at which the answer to a ping is overdue
        self.tx = self.rx = self.handshakes = self.pings = 0

    @property
    def out(self):
        """Return the buffer that `transmit` fills."""
        return self._channel.out

    def on(self, code, char, handler):
        """Have `handler(now, message)` called for requests with this code and path character."""
        self._m.on(code, char, handler)

    # what the adapter tells

    def start(self, now):
        """Want a connection from now on, and again after every failure."""
        if self._state in (_OFF, _CLOSING):
            self._failures = 0
            self._retry(now)

    def link(self, now, up):
        """Take note that the network came or went."""
        if up == self._up:
            return
        self._up = up
        if up and self._state == _LINK:
            self._retry(now)
        elif not up and self._state > _PAUSE:
            self._fail(now, "link", _NETWORK)

    def addresses(self, now, found):
        """Take the answer to RESOLVE: literal addresses, an empty list when there is none."""
        if self._state != _NAME:
            return
        self._addresses = list(found)
        if found:
            self._dial(now)
        else:
            self._fail(now, "DNS", _NETWORK)

    def opened(self, now, ok):
        """Take the answer to DIAL."""
        if self._state != _DIAL:
            return
        if not ok:
            self._fail(now, "port", _NETWORK)
            return
        self._state = _SHAKE
        self._due = None
        self._channel.start(now)

    def receive(self, buf, n, now):
        """Take `n` bytes of the stream (or one datagram); 0 = the peer closed."""
        if self._state < _SHAKE:
            return
        self.rx += n
        channel = self._channel
        channel.receive(buf, n, now)
        self._drain(now)
        m = self._in
        while self._state > _SHAKE:
            n = channel.message()
            if n == 0:
                break
            self._heard = now
            if m.parse(channel.buf, channel.at, n):
                self._m.dispatch(now, m)
        self._drain(now)

    def transmit(self, now):
        """Return how many bytes of `out` to write in one call, 0 = none; repeat until 0."""
        if self._state < _SHAKE:
            return 0
        channel = self._channel
        n = channel.transmit(now)
        if n == 0 and self._state > _SHAKE:
            message = self._m.take()
            if message:
                head = channel.head
                channel.out[head : head + len(message)] = message
                channel.seal(len(message))
                self._sent = now
                n = channel.transmit(now)
        self.tx += n
        return n

    def unsent(self, k):
        """Take back the last `k` bytes of the last `transmit`; they are offered again first."""
        self.tx -= k
        self._channel.unsent(k)

    def deadline(self):
        """Return the ticks at which `tick` has to be called, None if nothing is due."""
        first = self._due
        if self._state < _SHAKE:
            return first
        for t in (self._channel.deadline(), self._m.deadline(), self._ping_at()):
            if t is not None and (first is None or diff(t, first) < 0):
                first = t
        return first

    def tick(self, now):
        """Run due timers, then at most one slice of the handshake."""
        state = self._state
        if state >= _SHAKE:
            self._channel.tick(now)
            self._drain(now)
            state = self._state
        if state >= _HELLO:
            self._m.tick(now)
            t = self._ping_at()
            if t is not None and diff(now, t) >= 0:
                self._keep(now)
        if state == _CLOSING and not self._m.waiting():
            self._off()
        elif self._due is not None and diff(now, self._due) >= 0:
            self._timeout(now)

    def event(self):
        """Return the next event of DESIGN 5, or None."""
        return self._events.pop(0) if self._events else None

    # verbs

    def publish(self, now, name, data, ctype, con, mid=None, ttl=60):
        """Queue an event; return its message ID, under which ACKED comes.

        con: None = as the transport does, True = confirmable, False = not.
        Raises `Error` (INVALID_STATE, TOO_LARGE) and `QueueFull`.
        """
        self._need(_ON)
        return self._m.publish(now, name, data, ctype, con, ttl)

    def subscribe(self, now, prefix, flags):
        """Ask for events whose name starts with `prefix`; flags: None, "c" (CBOR), "b" (binary).

        Remembered, and asked for again after every handshake.
        """
        self._m.subscribe(prefix, flags, self._state == _ON)

    def unsubscribe(self, now, prefix):
        """Forget a filter; the cloud does so at the next handshake."""
        self._m.unsubscribe(prefix)

    def describe(self, now, flags, body, ctype=None):
        """Keep a description and post it when connected and changed; body: bytes.

        flags: 1 system, 2 application, 4 vitals. Raises `Error(TOO_LARGE)`.
        """
        self._m.describe(flags, body, ctype, self._state == _ON)

    def respond(self, now, token, code, data):
        """Answer a CALL or READ; data: bytes of the payload, None for an error code."""
        if self._state >= _HELLO:
            self._m.respond(token, code, data)

    def time(self, now):
        """Ask for the time; TIME comes with the answer."""
        self._need(_HELLO)
        self._m.time(now)

    def ping(self, now):
        """Ask for a sign of life."""
        self._need(_HELLO)
        self.pings += 1
        self._m.ping()
        self._pong = add(now, _PONG_MS)

    def close(self, now, reason=None, sleep_s=0):
        """End the connection and stay off; with a reason number a goodbye is sent first."""
        if self._state == _ON and reason is not None:
            self._m.goodbye(reason, sleep_s)
            self._state = _CLOSING
            self._due = add(now, _GOODBYE_MS)
        elif self._state != _OFF:
            self._off()

    def is_ready(self):
        """Return True while messages of the application are taken."""
        return self._state == _ON

    # how a connection comes and goes

    def _need(self, state):
        if self._state < state or self._state == _CLOSING:
            raise Error(_INVALID_STATE, "not connected", "cloud")

    def _retry(self, now):
        # cloud-protocol 6: 1 s for the first five failures, doubled after every five, at most
        # 128 s; up to a quarter more, so that a fleet does not come back in one moment
        self._state = _PAUSE if self._up else _LINK
        n = self._failures
        pause = 0
        if n:
            pause = 1000 << min(7, (n - 1) // 5)
            pause += (pause * self._rng(1)[0]) >> 10
        self._due = add(now, pause) if self._up else None

    def _begin(self, now):
        if self._addresses:
            self._dial(now)
        else:
            self._state = _NAME
            self._due = add(now, _NAME_MS)
            self._events.append(("STAGE", "DNS", self._host))
            self._events.append(("RESOLVE", self._host, None))

    def _dial(self, now):
        self._state = _DIAL
        self._due = add(now, _DIAL_MS)
        self._events.append(("STAGE", "port", self._addresses[0]))
        self._events.append(("DIAL", self._addresses[0], self._port))

    def _fail(self, now, stage, code):
        if self._state > _PAUSE:
            if self._state >= _DIAL:
                self._events.append(("HANGUP", None, None))
                self._addresses.pop(0)  # the next attempt takes the next address, or asks again
            if self._state == _ON and diff(now, self._since) >= _STEADY_MS:
                self._failures = 0
            else:
                self._failures += 1
            self._m.abandon(_ABORTED)
            self._pong = None
            self._events.append(("DOWN", stage, code))
            self._retry(now)

    def _off(self):
        if self._state >= _DIAL:
            self._events.append(("HANGUP", None, None))
        self._m.abandon(_ABORTED)
        self._pong = None
        self._state = _OFF
        self._due = None

    def _timeout(self, now):
        state = self._state
        if state == _PAUSE:
            self._begin(now)
        elif state == _CLOSING:
            self._off()
        else:
            stage = "DNS" if state == _NAME else "port" if state == _DIAL else "cloud"
            self._fail(now, stage, _TIMEOUT)

    def _drain(self, now):
        # the channel's events: some are ours, the others go on to the client
        while True:
            e = self._channel.event()
            if e is None:
                return
            if e[0] == "DOWN":
                stage = "cloud" if self._state == _ON else e[1]
                self._fail(now, stage, e[2])
            else:
                self._events.append(e)
                if e[0] == "OPEN":
                    self._opened(now)

    def _opened(self, now):
        self.handshakes += 1
        self._heard = self._sent = self._since = now
        self._m.reset(self._channel.seed, self._rng(1)[0])
        self._m.hello(*self._hello, self._channel.room, 0, 512)
        self._state = _HELLO
        self._due = add(now, _HELLO_MS)
        self._events.append(("STAGE", "cloud", None))

    def _server_hello(self, now, m):
        if m.type == _CON:
            self._m.acknowledge(m)
        if self._state == _HELLO:
            self._state = _ON
            self._due = None
            self._since = now
            self._m.announce(now)
            self._events.append(("READY", None, None))

    def _ping_at(self):
        # counts from the older of last sent and last received: servers look at what we send,
        # and only what we receive tells that they are there (cloud-protocol section 0)
        if self._state != _ON:
            return None
        if self._pong is not None:
            return self._pong
        older = self._sent if diff(self._sent, self._heard) < 0 else self._heard
        return add(older, self.keep_alive * 1000)

    def _keep(self, now):
        if self._pong is None:
            self.ping(now)
        elif diff(self._heard, add(self._pong, -_PONG_MS)) >= 0:
            self._pong = None  # something came since the ping
        else:
            self._fail(now, "cloud", _TIMEOUT)
