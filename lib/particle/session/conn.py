"""One connection to the cloud, from the server's name to a lost link and back.

Drives a channel (`aes_tcp.Tcp`, later `dtls.Dtls`): back-off, name, address,
handshake, Hello, what is announced after it, the messages of both directions,
keep-alive (cloud-protocol 6). No socket and no clock: DESIGN 5, session.
"""

from micropython import const

from ..wire.coap import Message
from ..wire.messages import answer, hello
from .messaging import Messaging, add, diff, earliest

# CoAP (wire/coap.py)
_CON = const(0)

# Error numbers of Device OS (errors.py)
_NETWORK = const(-230)
_TIMEOUT = const(-160)
_NO_MEMORY = const(-260)

_LEVEL = const(6200)  # of Device OS, whose messages we speak
_CHUNK = const(512)  # of an update
_MESSAGE = const(1152)  # longest message, as Device OS counts it

_HELLO_MS = const(4000)  # wait for the server's Hello on TCP
_DIAL_MS = const(20000)
_NAME_MS = const(15000)
_GOODBYE_MS = const(1000)  # for the cloud to close; closing first may destroy the goodbye on TCP
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


class Conn(Messaging):
    """The whole connection (DESIGN 5, session).

    hello: `device` of `messages.hello`. limits: server, port, keep_alive (s), wire_profile; names
    and values as in `config`. A transport is a subclass: CHANNEL is its class, DEFAULTS are port
    and keep-alive, `system(platform_id)` describes the system.
    """

    PONG_MS = 10000  # wait for the answer to a ping

    handshakes = pings = 0

    def __init__(self, keys, saved, rng, hello, limits):
        self._rng = rng
        self._state = _OFF
        self._up = False
        self._due = None
        self._pong = None  # ticks at which the answer to a ping is overdue
        self.tx = self.rx = self.failures = 0
        self._channel = self.CHANNEL(keys, saved, rng)
        Messaging.__init__(self, self._channel.room)
        self.out = self._channel.out  # what `transmit` fills
        self._in = Message()
        self._host = limits["server"]
        self._port = limits.get("port", self.DEFAULTS[0])
        self._hello = hello, (_LEVEL, _MESSAGE, 0, _CHUNK)
        self.keep_alive = limits.get("keep_alive", self.DEFAULTS[1])
        self._addresses = []

    # what the adapter tells

    def start(self, now):
        """Want a connection from now on, and again after every failure."""
        if self._state == _CLOSING:
            self._off()  # with the socket, and where a session goes on: the goodbye has a number
        if self._state == _OFF:
            self.failures = 0
            self._retry(now)

    def link(self, now, up):
        """Take note that the network came or went; None: memory ended in the middle of a step."""
        if up == self._up and up is not None:
            return
        self._up = up
        if up and self._state == _LINK:
            self._retry(now)
        elif not up and self._state > _PAUSE:
            if up is None:
                self._fail(now, self.stage(), _NO_MEMORY)
            else:
                self._fail(now, "link", _NETWORK)

    def addresses(self, now, found):
        """Take the answer to RESOLVE: literal addresses, an empty list when there is none."""
        if self._state == _NAME:
            self._addresses = list(found)
            if found:
                self._begin(now)
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
        self._channel.receive(buf, n, now)
        self._messages(now)

    def _messages(self, now):
        channel = self._channel
        self._drain(now)
        m = self._in
        while self._state > _SHAKE:
            n = channel.message()
            if n == 0:
                break
            self._heard = now
            self._pong = None
            if m.parse(channel.buf, channel.at, n):
                self.dispatch(now, m)
        self._drain(now)

    def transmit(self, now):
        """Return how many bytes of `out` to write in one call, 0 = none; repeat until 0."""
        if self._state < _SHAKE:
            return 0
        channel = self._channel
        queue = self._queue
        # what fits goes in one segment or datagram: its headers cost more than a message
        while queue and self._state > _SHAKE and channel.fits(len(queue[0])):
            message = self.take(now)
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
        times = [self._timer()]
        if self._state >= _SHAKE:
            times += [self._channel.deadline()] + self.waits()
        return earliest(times)

    def tick(self, now):
        """Run due timers, then at most one slice of the handshake."""
        if self._state >= _SHAKE:
            self._channel.tick(now)
            self._messages(now)  # the end of the handshake may have come with messages behind it
            self.expire(now)
        t = self._timer()
        if t is None or diff(now, t) < 0:
            return
        state = self._state
        if state == _PAUSE:
            self._begin(now)
        elif state == _ON and self._pong is None:
            self.ping(now)
        else:
            self._fail(now, self.stage(), _TIMEOUT)

    # verbs

    def stage(self):
        """Return what it is doing, in the words that name the stage of a failure."""
        names = {_LINK: "link", _NAME: "DNS", _DIAL: "port", _SHAKE: "transport"}
        return names.get(self._state, "cloud")

    def ping(self, now):
        """Ask for a sign of life."""
        self.pings += 1
        self.send(answer(self._w, _CON, 0, self.next()))
        self._pong = add(now, self.PONG_MS)

    def close(self, now, reason=None, sleep_s=0):
        """End the connection and stay off; with a reason number a goodbye is sent first."""
        if self.ready and reason is not None:
            from ..wire.goodbye import leave

            self.send(leave(self._w, self._type, self.next(), reason, sleep_s))
            self._state = _CLOSING
            self.ready = False
            self._due = add(now, _GOODBYE_MS)
        elif self._state != _OFF:
            self._off()

    # how a connection comes and goes

    def _retry(self, now):
        # cloud-protocol 6: 1 s for the first five failures, doubled after every five, at most
        # 128 s; up to a quarter more, so that a fleet does not come back in one moment
        self._state = _PAUSE if self._up else _LINK
        n = self.failures
        pause = 0
        if n:
            pause = 1000 << min(7, (n - 1) // 5)
            pause += (pause * self._rng(1)[0]) >> 10
        self._due = add(now, pause) if self._up else None

    def _begin(self, now):
        if self._addresses:
            self._state = _DIAL
            self._due = add(now, _DIAL_MS)
            self._emit("DIAL", self._addresses[0], self._port)
        else:
            self._state = _NAME
            self._due = add(now, _NAME_MS)
            self._emit("RESOLVE", self._host)

    def _fail(self, now, stage, code):
        state = self._state
        self._off()
        if state != _CLOSING:
            self._state = _LINK  # if memory ends here it goes on all the same
            if state >= _DIAL:
                self._addresses.pop(0)  # the next attempt takes the next address, or asks again
            if state == _ON and add(now, -self._since) >= _STEADY_MS:
                self.failures = 0
            else:
                self.failures += 1
            self._emit("DOWN", stage, code)
            self._retry(now)

    def _off(self):
        if self._state >= _DIAL:
            self._emit("HANGUP")
        self.abandon()
        self._pong = None
        self._state = _OFF
        self._due = None

    def _timer(self):
        # Keep-alive counts from what was received last: only that tells of the cloud, and a ping
        # keeps the way through NAT open (3.7). Over TCP, where what is lost is repeated, it
        # counts from the older of that and what was sent last, which is what servers look at.
        if self._state != _ON:
            return self._due
        if self._pong is not None:
            return self._pong
        older = self._heard
        if self._type != _CON and diff(self._sent, older) < 0:
            older = self._sent
        return add(older, self.keep_alive * 1000)

    def _drain(self, now):
        # the channel's events: some are ours, the others go on to the client
        while True:
            e = self._channel.event()
            if e is None:
                return
            kind, stage, code = e
            if kind == "DOWN":
                self._fail(now, "cloud" if self._state == _ON else stage, code)
            else:
                self._events.append(e)
                if kind == "OPEN":
                    self._opened(now)

    def _opened(self, now):
        self.handshakes += 1
        self._heard = self._sent = self._since = now
        self.reset(self._channel.seed, self._rng(1)[0])
        self.send(hello(self._w, self._type, self.next(), *self._hello))
        self._state = _HELLO
        self._due = add(now, _HELLO_MS)

    def _server_hello(self, now, m):
        self.acknowledge(m)
        if self._state == _HELLO:
            self._state = _ON
            self.ready = True
            self._due = None
            self._since = now
            self.announce(now)
            self._emit("READY")
