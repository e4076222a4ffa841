"""The DTLS channel: handshake of the Particle dialect, one CoAP message per record
(cloud-protocol 2.1-2.3, 2.7, 2.8).

Both sides are proven by their P-256 keys; what is needed only for a handshake is loaded by it.
"""

import gc
from hashlib import sha256

from micropython import const

from ..wire.dtls_record import Records
from .messaging import Events, add, diff

# Error numbers of Device OS (errors.py)
_ABORTED = const(-150)
_END_OF_STREAM = const(-201)
_NOT_ALLOWED = const(-130)
_NETWORK = const(-230)
_PROTOCOL = const(-240)
_TIMEOUT = const(-160)

# Content types, RFC 5246 section 6.2.1
_CHANGE = const(20)
_ALERT = const(21)
_HANDSHAKE = const(22)
_DATA = const(23)

# Handshake types and alerts, RFC 5246 section 7
_CERTIFICATE = const(11)
_VERIFY = const(15)
_EXCHANGE = const(16)
_FINISHED = const(20)
_FATAL = const(2)
_ILLEGAL = const(47)
_DENIED = const(49)
_DECRYPT = const(51)

_FIRST_MS = const(3000)  # until a flight is repeated; then twice as long each time
_LAST_MS = const(24000)
_ALERT_MS = const(1000)  # for the socket to take it
_HELLOS = const(4)
_UNSAVED = const(0x3FFFFFF)  # a session that is not stored needs no reserve of record numbers
_SMALL = const(160)  # bytes of most datagrams: the buffer grows with the first one that is longer
_FLIGHT = const(512)  # bytes of the longest flight
_MARGIN = const(53)  # of a record around a message: header 21, CID 8, type, padding 15, tag 8

# states
_IDLE = const(0)
_DYING = const(1)
_WORK = const(2)
_HELLO = const(3)
_FINISH = const(4)
_OPEN = const(5)


class Dtls(Events):
    """Channel over datagrams (DESIGN 5, session).

    size: longest CoAP message. profile: 0 = compact, 1 = as Device OS; set it before `start`.
    In compact form OPEN comes when our last flight is ready, so that the first messages can be
    sealed behind it into the same datagram; a server that then refuses is told by DOWN.
    """

    seed = 0  # message IDs begin with 1
    profile = 0
    left = _UNSAVED  # records that may be sent before more numbers are reserved

    def __init__(self, keys, saved, rng, size=1152):
        self._keys = keys
        self._rng = rng
        self.room = size
        self._most = size + _MARGIN  # of a datagram
        self.out = bytearray(min(_SMALL, self._most))
        self.buf = b""
        self.at = 0
        self._events = []
        self._state = _IDLE

    def start(self, now):
        """Begin a handshake."""
        self.left = _UNSAVED
        gc.collect()  # what is going to stay must not lie between garbage
        self._grow(_FLIGHT)
        self._shake = self.dialect(self._rng(32))
        self._begin(now, self.records())
        self._emit("STAGE", "transport")
        self._say_hello(b"")

    def state(self, ahead):
        """Return key block, connection ID, the number `ahead` of the next record, the top."""
        r = self._records
        lo = r.lo + ahead
        return r.block, r.cid, r.hi + (lo >> 24), lo & 0xFFFFFF, r.top_hi, r.top_lo

    def restore(self, now, block, cid, *numbers):
        """Go on with what `state` gave; OPEN(True) follows at once."""
        r = self.records()
        r.keys(block, cid)
        r.hi, r.lo, r.top_hi, r.top_lo = numbers
        self._begin(now, r)
        self.heard()
        r.moved = True
        self._state = _OPEN
        self._place(0)
        self._emit("OPEN", True)

    def heard(self):
        """Take all numbers below the highest received for used, and the new address for known."""
        self._records.moved = False
        self._records.window[:] = b"\xff" * 8

    def records(self):
        """Return what reads and writes the records of this profile; keys come later."""
        return Records(15 if self.profile else 0)

    def dialect(self, random):
        """Return what reads and writes the messages of a handshake."""
        from ..wire.dtls_handshake import Handshake

        return Handshake(random, self.profile)

    def _begin(self, now, records):
        self._records = records
        self._pos = self._n = 0  # what has still to be read of the adapter's buffer
        self._got = 0  # length of the message that `message` gives next
        self._pending = 0  # bytes of `out` that are to be sent
        self._work = self._finished = None
        self._now = now

    def _say_hello(self, cookie):
        self._state = _HELLO
        self._fly([self._shake.hello(cookie)])

    def _fly(self, flight):
        # send a flight, and again until the answer comes
        self._flight = flight
        self._wait = _FIRST_MS
        self._pending = self._launch()

    def _launch(self):
        at = 0
        for content in self._flight:
            at += self._records.plain(_HANDSHAKE, self.out, at, content)
        if self._finished:
            at += self._records.plain(_CHANGE, self.out, at, b"\x01")
            at += self._protect(_HANDSHAKE, at, self._finished)
        self._due = add(self._now, self._wait)
        self._place(at)
        return at

    def _place(self, at):
        # where in `out` the next message is written before `seal`
        self.head = at + self._records.head()

    def _protect(self, kind, at, content):
        head = at + self._records.head()
        self.out[head : head + len(content)] = content
        return self._records.seal(kind, self.out, at, len(content))

    def _down(self, stage, code, alert=0):
        self._work = None
        self._error = stage, code
        self._state = _DYING
        self._pending = 0
        if alert:
            content = bytes((_FATAL, alert))
            if self._finished:
                self._pending = self._protect(_ALERT, 0, content)
            else:
                self._pending = self._records.plain(_ALERT, self.out, 0, content)
        self._due = add(self._now, _ALERT_MS)

    def receive(self, buf, n, now):
        """Take the datagram buf[:n]; what is in it is read by `message`. 0 = the socket failed."""
        self._now = now
        if n == 0 and self._state > _DYING:
            self._down(self._stage(), _NETWORK)
        elif self._state > _WORK:
            self.buf = buf
            self._pos = 0
            self._n = n
            if self._state < _OPEN:
                self._got = self._read()

    def message(self):
        """Return the length of the next CoAP message, 0 when there is none.

        It lies in `self.buf` at `self.at` until the next call.
        """
        n = self._got
        self._got = 0
        return n or self._read()

    def _read(self):
        # records up to the next application data: its length, 0 = nothing more in the datagram
        r = self._records
        while self._pos < self._n and self._state > _WORK:
            self._pos = r.open(self.buf, self._pos, self._n)
            if r.type == _DATA and r.epoch:
                # data in place of a Finished that was lost: only who has verified ours sends it
                self._opened()
                if r.n:
                    self.at = r.at
                    return r.n
            elif r.type == _ALERT and r.n == 2:
                self._alert(self.buf[r.at], self.buf[r.at + 1])
            elif r.type == _HANDSHAKE and self._state == _HELLO + r.epoch:
                self._shake.add(self.buf, r.at, r.n)
                self._messages()
        return 0

    def _alert(self, level, code):
        # In clear it may be from anybody: it counts only while nothing better can be had. Other
        # warnings than close_notify mean nothing.
        protected = self._records.epoch
        if level != _FATAL and (code or not protected) or self._state == _OPEN and not protected:
            return
        if self._state == _FINISH or code == _DENIED:
            self._down("device key", _NOT_ALLOWED)
        elif code == 0:
            self._down("cloud", _END_OF_STREAM)
        else:
            self._down("cloud" if protected else "transport", _PROTOCOL)

    def _messages(self):
        shake = self._shake
        while self._state > _WORK:
            m = shake.take()
            if m is None:
                return
            try:
                if self._state == _FINISH:
                    if m[0] == _FINISHED and m[12:] == self._expected:
                        self._opened()
                    else:
                        self._down("transport", _PROTOCOL, _DECRYPT)
                    return
                cookie = shake.cookie(m)
                if cookie:
                    if shake.sent == _HELLOS:
                        raise ValueError
                    self._say_hello(cookie)
                elif shake.accept(m):
                    self._state = _WORK
                    self._work = self._answer()
            except (ValueError, IndexError):
                self._down("transport", _PROTOCOL, _ILLEGAL)

    def _opened(self):
        if self._state == _FINISH:
            self._state = _OPEN
            if self.profile:
                self._emit("OPEN", False)
            self._shake = self._flight = self._finished = None

    # the calculation between the server's flight and ours

    def _answer(self):
        gc.collect()
        from ..crypto import p256
        from ..crypto.prf import prf
        from ..wire.dtls_handshake import signature

        yield
        shake = self._shake
        hello = shake.random + shake.server_random
        server = self._keys.server[-65:]
        digest = sha256(hello + shake.params).digest()
        if not (yield from p256.verify(server, digest, *shake.signature)):
            return self._down("server key", _NOT_ALLOWED, _DECRYPT)
        yield
        d = p256.scalar(self._rng)
        try:
            secret = yield from p256.ecdh(d, shake.params[4:])
        except ValueError:
            return self._down("transport", _PROTOCOL, _ILLEGAL)
        yield
        flight = [shake.message(_CERTIFICATE, b"\x00\x00\x5b" + self._keys.public)]
        flight.append(shake.message(_EXCHANGE, b"\x41" + (yield from p256.public(d))))
        yield
        proof = signature(*(yield from self._keys.sign(shake.transcript())))
        proof = bytes((4, 3, 0, len(proof))) + proof
        flight.append(shake.message(_VERIFY, proof))
        yield
        secret = prf(secret, b"master secret", hello, 48)
        yield
        hello = shake.server_random + shake.random
        block = prf(secret, b"key expansion", hello, 40)
        yield
        self._records.keys(block, shake.cid)
        yield
        verify = prf(secret, b"client finished", shake.transcript(), 12)
        self._finished = shake.message(_FINISHED, verify)
        self._expected = prf(secret, b"server finished", shake.transcript(), 12)
        self._state = _FINISH
        if not self.profile:
            flight = [b"".join(flight)]
            self._emit("OPEN", False)
        self._fly(flight)

    # what is sent

    def fits(self, n):
        """Return True when one more message of `n` bytes fits and has a number reserved."""
        if self._state < _FINISH or self.left <= 0 or self.profile and self._pending:
            return False
        n += self.head + 24
        if n > self._most:
            return False
        self._grow(n)
        return True

    def _grow(self, n):
        # in place: others know the buffer
        if n > len(self.out):
            self.out += bytes(n - len(self.out))

    def seal(self, n):
        """Turn the CoAP message of `n` bytes at out[head:] into a record for `transmit`."""
        self.left -= 1
        self._pending += self._records.seal(_DATA, self.out, self._pending, n)
        self._place(self._pending)

    def transmit(self, now):
        """Return how many bytes of `self.out` are one datagram, 0 = none."""
        n = self._pending
        self._pending = 0
        self._place(0)
        return n

    def unsent(self, k):
        """Offer the datagram of `k` bytes again: the socket did not take it."""
        self._pending = k
        self._place(k)

    def deadline(self):
        """Return the ticks at which `tick` is due (at once while slices are left), or None."""
        if self._work is not None or self._state == _DYING:
            return self._now
        return self._due if _WORK < self._state < _OPEN else None

    def tick(self, now):
        """Run due timers, then at most one slice of the calculation."""
        self._now = now
        if self._state == _WORK:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
                if self._state == _WORK:  # it ended with an error that the caller has seen
                    self._down("transport", _ABORTED)
            except (ValueError, OSError):  # a key that does not sign
                self._down("device key", _NOT_ALLOWED)
        elif _IDLE < self._state < _OPEN:
            due = diff(now, self._due) >= 0
            if self._state == _DYING:
                if due or not self._pending:
                    self._state = _IDLE
                    self._pending = 0
                    self._emit("DOWN", *self._error)
            elif due and self._wait < _LAST_MS:
                self._wait *= 2
                self._pending = self._launch()
            elif due:
                # who has our key message and says nothing does not want it
                stage = "device key" if self._state == _FINISH else self._stage()
                self._down(stage, _TIMEOUT)

    def _stage(self):
        return "port" if self._state == _HELLO and self._shake.sent == 1 else "transport"
