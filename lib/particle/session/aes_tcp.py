"""The AES/TCP channel: RSA handshake and AES-128-CBC frames (cloud-protocol 1.3, 1.4).

Carries one CoAP message per frame. Encrypted, both sides proven by their RSA
keys in the handshake, but a frame has no MAC: an attacker on the path can damage
messages unseen. UDP has no such weakness.
"""

from hashlib import sha1

from cryptolib import aes
from micropython import const

from ..crypto import der, rsa
from .conn import Conn
from .messaging import Events, add, diff

# Error numbers of Device OS (errors.py)
_END_OF_STREAM = const(-201)
_NOT_ALLOWED = const(-130)
_PROTOCOL = const(-240)
_TIMEOUT = const(-160)

_NONCE = const(40)
_REPLY = const(384)  # 128 credentials encrypted for the device + 256 signature
_IO_MS = const(20000)  # Device OS limit for each read of the handshake
_HEADER = const(2)
_CBC = const(2)  # mode number of cryptolib, which exports no names

# states
_IDLE = const(0)
_WAIT_NONCE = const(1)
_SEAL_KEY = const(2)
_WAIT_REPLY = const(3)
_OPEN_KEY = const(4)
_OPEN = const(5)


def hmac(key, data):
    """Give the HMAC-SHA-1 of data (RFC 2104); key is at most 64 bytes."""
    key = int.from_bytes(key + bytes(64 - len(key)), "big")
    for octet in (b"\x36", b"\x5c"):
        h = sha1((key ^ int.from_bytes(octet * 64, "big")).to_bytes(64, "big"))
        h.update(data)
        data = h.digest()
    return data


class Tcp(Events):
    """Channel over one TCP connection (DESIGN 5, session; `saved` is not used: no resume).

    size: P of cloud-protocol 1.4; frames announced longer than P - 18 close the connection.
    """

    head = _HEADER  # where in `out` the next message is written before `seal`

    def __init__(self, keys, saved, rng, size=1152):
        self._keys = keys
        self._rng = rng
        self._limit = (size - 18) & ~15  # longest ciphertext in either direction
        self.room = self._limit - 1  # longest CoAP message
        self.out = bytearray(_HEADER + self._limit)
        self.buf = bytearray(_HEADER + self._limit)
        self.at = _HEADER
        self._events = []
        self._state = _IDLE

    def start(self, now):
        """Begin the handshake of a connection just opened."""
        self._have = 0  # bytes in self.buf: of the handshake message or frame being put together
        self._pos = self._n = 0  # what `message` has still to read of the adapter's buffer
        self._pending = 0  # bytes of self.out that are to be written
        self._work = None
        self._expect(_WAIT_NONCE, now)
        self._emit("STAGE", "transport")

    def _expect(self, state, now):
        self._state = state
        self._due = add(now, _IO_MS)

    def _down(self, stage, code):
        self._state = _IDLE
        self._work = None
        self._pending = 0
        self._emit("DOWN", stage, code)

    def receive(self, buf, n, now):
        """Take `n` bytes of the stream; 0 = the peer closed. Frames are read by `message`."""
        state = self._state
        if state == _IDLE:
            return
        self._now = now
        if n == 0:
            # a server says nothing when it refuses: it closes after our key message
            if state == _WAIT_REPLY and not self._have:
                self._down("device key", _NOT_ALLOWED)
            else:
                self._down("transport", _END_OF_STREAM)
            return
        self._frames = buf
        self._pos = 0
        self._n = n
        if state == _OPEN:
            return
        # Nobody may speak between nonce and our key message. A fast server's first frames may
        # follow its reply; they stay in self.buf until the keys are computed.
        have = self._have + n
        limit = _NONCE if state == _WAIT_NONCE else 0 if state == _SEAL_KEY else len(self.buf)
        if have > limit:
            self._down("transport", _PROTOCOL)
            return
        self.buf[self._have : have] = memoryview(buf)[:n]
        self._have = have
        self._n = 0
        if have == _NONCE and state == _WAIT_NONCE:
            self._have = 0
            self._state = _SEAL_KEY
            self._work = self._seal_key(bytes(self.buf[:_NONCE]))
        elif state == _WAIT_REPLY and have >= _REPLY:
            self._state = _OPEN_KEY
            self._work = self._open_key()

    def _seal_key(self, nonce):
        n, e = der.rsa_public(self._keys.server)
        plain = nonce + self._keys.device_id + self._keys.public
        block = yield from rsa.encrypt(n, e, plain, self._rng)
        self.out[: len(block)] = block
        self._pending = len(block)

    def _open_key(self):
        sealed = bytes(self.buf[:128])
        try:
            secret = yield from self._keys.rsa_decrypt(sealed)
        except ValueError:
            secret = b""
        # bad padding and a bad signature must take the same time, or whoever can change our
        # traffic learns bit by bit what is inside
        readable = len(secret) == 40
        proof = hmac(secret if readable else bytes(40), sealed)
        n, e = der.rsa_public(self._keys.server)
        good = yield from rsa.verify(n, e, bytes(self.buf[128:_REPLY]), proof)
        if not (good and readable):
            return self._down("server key" if readable else "device key", _NOT_ALLOWED)
        self._key = secret[:16]
        self._iv_in = self._iv_out = secret[16:32]
        self.seed = secret[32] | secret[33] << 8
        # what came behind the reply is the beginning of the stream of frames
        self._have -= _REPLY
        self._frames = self.buf[_REPLY : _REPLY + self._have]
        self._pos = 0
        self._n = self._have
        self._have = 0
        self._state = _OPEN
        self._emit("OPEN", False)

    def message(self):
        """Return the length of the next CoAP message, 0 when there is none.

        It lies in `self.buf` at `self.at` until the next call.
        """
        buf = self.buf
        while self._state == _OPEN:
            have = self._have
            n = buf[0] << 8 | buf[1]
            # nothing that follows a bad length could be read
            if have >= _HEADER and (n == 0 or n & 15 or n > self._limit):
                self._down("transport", _PROTOCOL)
                break
            need = _HEADER + n if have >= _HEADER else _HEADER
            if have < need:
                take = min(need - have, self._n - self._pos)
                if take == 0:
                    break
                buf[have : have + take] = memoryview(self._frames)[self._pos : self._pos + take]
                self._pos += take
                self._have = have + take
                continue
            self._have = 0
            frame = memoryview(buf)[_HEADER : _HEADER + n]
            iv = bytes(frame[:16])
            aes(self._key, _CBC, self._iv_in).decrypt(frame, frame)
            self._iv_in = iv
            pad = buf[n + 1]
            if not 0 < pad <= 16:
                self._down("transport", _PROTOCOL)
            elif n > pad:
                return n - pad
        return 0

    def fits(self, n):
        """Return True when one more message of `n` bytes fits behind those that are sealed."""
        return self.head + (n & ~15) + 16 <= len(self.out)

    def seal(self, n):
        """Turn the CoAP message of `n` bytes at out[head:] into a frame for `transmit`."""
        out = self.out
        at = self.head
        total = (n & ~15) + 16
        for i in range(at + n, at + total):
            out[i] = total - n
        frame = memoryview(out)[at : at + total]
        aes(self._key, _CBC, self._iv_out).encrypt(frame, frame)
        self._iv_out = bytes(frame[:16])
        out[at - 2] = total >> 8
        out[at - 1] = total & 255
        self._pending = at + total
        self.head = self._pending + _HEADER

    def transmit(self, now):
        """Return how many bytes of `self.out` are to be written in one call, 0 = none."""
        n = self._offered = self._pending
        self._pending = 0
        self.head = _HEADER
        if n and self._state == _SEAL_KEY:
            self._expect(_WAIT_REPLY, now)
        return n

    def unsent(self, k):
        """Offer the last `k` bytes of the last `transmit` again: the socket did not take them."""
        n = self._offered
        if k < n:
            self.out[:k] = bytes(memoryview(self.out)[n - k : n])
        self._pending = k
        self.head = k + _HEADER

    def deadline(self):
        """Return the ticks at which `tick` is due (at once while slices are left), or None."""
        if self._work is not None:
            return self._now
        return self._due if _IDLE < self._state < _OPEN else None

    def tick(self, now):
        """Run due timers, then at most one slice of the calculation."""
        self._now = now
        if self._work is not None:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
        elif _IDLE < self._state < _OPEN and diff(now, self._due) >= 0:
            self._down("transport", _TIMEOUT)


class TcpConn(Conn):
    """The whole connection over TCP (see `Conn`)."""

    CHANNEL = Tcp
    DEFAULTS = 5683, 15

    def announce(self, now):
        """Queue what follows the Hello: descriptions, time request, subscriptions."""
        self.time(now)
        for flags in sorted(self._bodies):
            self._post(flags, *self._bodies[flags])
        for prefix, flags in self._filters:
            self._subscribe(prefix, flags)

    @staticmethod
    def system(platform_id):
        """Return the description of the system as JSON, and its content format (4.2)."""
        return b'{"p":%d,"m":[]}' % platform_id, None
