"""An update by the older protocol: chunks in order, answered one by one (slow) or together at the
end (fast) (cloud-protocol 5.1).

Fast mode is taken on a transport that loses nothing. It has no checksum of the file: what the
target finds out about it decides.
"""

import binascii

from micropython import const

from ..wire import ota
from ..wire.messages import answer
from .transfer import Transfer

# what the host is told, and states (transfer.py)
_BEGIN = const(0)
_PROGRESS = const(2)
_IDLE = const(0)
_STARTING = const(1)
_RECEIVING = const(2)
_FINISHING = const(3)

# CoAP (wire/coap.py)
_NON = const(1)
_ACK = const(2)
_CHANGED = const(0x44)
_BAD_REQUEST = const(0x80)
_UNAVAILABLE = const(0xA3)

# first path characters
_C = const(0x63)
_PUT = const(3)

# Error numbers of Device OS (errors.py)
_INVALID_STATE = const(-210)
_PROTOCOL = const(-240)

_LIST = const(40)  # chunks asked for at once (5.1)


class Chunked(Transfer):
    """The device's side of the older updates (see `Transfer`)."""

    def message(self, now, m):
        """Act on a begin, chunk or done."""
        if m.path == _C:
            self._chunk(now, m)
        elif m.code == _PUT:
            self._done(now, m)
        else:
            self._begin(now, m)

    def _begin(self, now, m):
        fields = ota.begin(m)
        # the store 0 is that of firmware; others are of the first devices
        if m.token < 0 or not fields or fields[3]:
            refused = _PROTOCOL, "no token, or a payload that is wrong"
        else:
            refused = self._host.refusal(fields[2])
        if refused:
            self._unavailable(self._conn._token_of(m), *refused, _ACK, m.mid)
            return
        self.stop()
        self._acknowledge(m)
        self._token = m.token
        fast, self._size, self._of, _ = fields
        self._fast = fast and self._conn._type == _NON
        self._do(_STARTING, self._target.begin(self._of, None, None), self._started)

    def _started(self, now, _, error, text):
        if error:
            self._over()
            self._unavailable(self._token, error, text, self._conn._type)
            return
        self._count = (self._of + self._size - 1) // self._size
        self._have = 0
        self._since = 0  # chunks that came since the last list of those that did not
        self._state = _RECEIVING
        self._say(self._conn._type, _CHANGED, self._token, bytes((self._fast,)))
        self._silence(now)
        self._host.told(_BEGIN)

    def _unavailable(self, token, error, text, type, mid=None):
        # the code is all that is documented; clouds that know the payload of version 3 say why
        self._fails(token, error, text, type, mid, _UNAVAILABLE)

    def _chunk(self, now, m):
        if self._state != _RECEIVING:
            return
        self._silence(now)
        self._since += 1
        good = False
        found = ota.piece(m)
        if found:
            crc, index = found
            data = memoryview(m.buf)[m.payload_at : m.payload_at + m.payload_n]
            index = self._have if index is None else index
            good = index < self._count and binascii.crc32(data) == crc
            try:
                good = good and self._take(index, data)
            except OSError:
                self._drop(now)
                return
        if not self._fast:
            self._acknowledge(m)
            self._say(self._conn._type, _CHANGED if good else _BAD_REQUEST, m.token)

    def _take(self, index, data):
        # whether the chunk is, or was, what it should be
        left = self._of - index * self._size
        n = len(data)
        # the last one may be filled up to the size of the others
        if n > self._size or n < min(left, self._size):
            return False
        if index == self._have:
            self._target.write(data[:left] if n > left else data)
            self._have += 1
            self._host.told(_PROGRESS)
        return index < self._have

    def _done(self, now, m):
        conn = self._conn
        self._reply = m.mid, conn._token_of(m)
        if self._state == _RECEIVING and self._have == self._count:
            self._do(_FINISHING, self._target.verify(), self._verified)
        elif self._state == _RECEIVING:
            conn.acknowledge(m, _BAD_REQUEST)
            r = self._since
            most = min(r + max(r // 5, 2), _LIST)
            last = min(self._count, self._have + most) - 1
            self._since = 0
            conn.send(ota.missing(conn._w, conn._type, conn.next(), self._have, last))
        elif self._state == _IDLE:
            self._result(_INVALID_STATE)

    def _verified(self, now, _, error, text):
        self._result(error)
        if error:
            self.stop()
        else:
            self._over()
            self._host.complete()

    def _result(self, error):
        conn = self._conn
        mid, token = self._reply
        conn.send(answer(conn._w, _ACK, _CHANGED, mid, token, '{"r":%d}' % error))

    def _timeout(self, now):
        self._drop(now)
