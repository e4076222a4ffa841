"""Sockets of the host: UART 1 is a pipe to a tool of the host's that owns them.

Both ways go frames `channel u8, kind u8, length u16be, payload`. Kinds: T and U open a stream or
a datagram socket to "host:port", O it is open, E it is not, D data (one datagram or any piece of a
stream), C closed.
"""

import io

from machine import mem32
from micropython import const

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2

_DATA = const(0x40005000)
_STATE = const(0x40005004)
_CTRL = const(0x40005008)
_BAUDDIV = const(0x40005010)
_TX_FULL = const(1)
_RX_FULL = const(2)

_EAGAIN = const(11)
_EINPROGRESS = const(115)
_ECONNREFUSED = const(111)

_POLL = const(3)  # request of ioctl and its flags
_IN = const(1)
_OUT = const(4)
_ERR = const(8)

mem32[_BAUDDIV] = 16
mem32[_CTRL] = 3

_sockets = {}
_current = [None, 0]  # the socket whose data frame is being received, bytes of it still to come


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    """Return one entry; the host's tool resolves names."""
    return [(AF_INET, type or SOCK_STREAM, proto, "", (host, port))]


def _get():
    while not mem32[_STATE] & _RX_FULL:
        pass
    return mem32[_DATA] & 255


def _put(octet):
    while mem32[_STATE] & _TX_FULL:
        pass
    mem32[_DATA] = octet


def _send(channel, kind, data, n):
    _put(channel)
    _put(kind)
    _put(n >> 8)
    _put(n & 255)
    for i in range(n):
        _put(data[i])


# Takes frames until one holds data; what is left of one for another socket is kept there.
def _pump(wanted):
    while True:
        owner, n = _current
        if n:
            if owner is wanted:
                return
            data = bytearray(n)
            _current[1] = 0
            for i in range(n):
                data[i] = _get()
            if owner is not None:
                owner._kept.append(data)
        if not mem32[_STATE] & _RX_FULL:
            return
        owner = _sockets.get(_get())
        kind = _get()
        n = _get() << 8
        n |= _get()
        if kind == 68:  # D
            _current[0] = owner
            _current[1] = n
        elif owner is not None:
            owner._state = kind


class socket(io.IOBase):
    """A socket that never blocks; as of lwIP as far as the library uses it."""

    def __init__(self, af=AF_INET, type=SOCK_STREAM):
        self._channel = 1
        while self._channel in _sockets:
            self._channel += 1
        _sockets[self._channel] = self
        self._stream = type == SOCK_STREAM
        self._state = 0
        self._kept = []

    def setblocking(self, flag):
        """Do nothing: it never blocks."""

    def connect(self, address):
        """Begin; raises OSError(EINPROGRESS) for a stream."""
        name = ("%s:%d" % address).encode()
        _send(self._channel, 84 if self._stream else 85, name, len(name))
        if self._stream:
            raise OSError(_EINPROGRESS)
        self._state = 79  # O

    def readinto(self, buf):
        """Return the bytes read into `buf`, None when there are none, 0 when closed."""
        _pump(self)
        if self._kept:
            data = self._kept[0]
            n = min(len(buf), len(data))
            buf[:n] = data[:n]
            if self._stream and n < len(data):
                self._kept[0] = data[n:]
            else:
                self._kept.pop(0)
            return n
        left = _current[1] if _current[0] is self else 0
        n = min(len(buf), left)
        if n:
            for i in range(n):
                buf[i] = _get()
            _current[1] = left - n
            if not self._stream:  # the rest of a datagram is lost
                for _ in range(n, left):
                    _get()
                _current[1] = 0
            return n
        if self._state == 69:  # E
            raise OSError(_ECONNREFUSED)
        return 0 if self._state == 67 else None  # C

    def recv(self, n):
        """Return at most `n` bytes; raises OSError(EAGAIN) when there are none."""
        data = bytearray(n)
        n = self.readinto(data)
        if n is None:
            raise OSError(_EAGAIN)
        return bytes(memoryview(data)[:n])

    def write(self, buf, n=None):
        """Send the first `n` bytes of `buf` and return their number."""
        if n is None:
            n = len(buf)
        if self._state != 79:
            raise OSError(_ECONNREFUSED)
        _send(self._channel, 68, buf, n)
        return n

    send = write

    def close(self):
        """Close the socket; may be called twice."""
        if _sockets.pop(self._channel, None):
            _send(self._channel, 67, b"", 0)
            if _current[0] is self:
                _current[0] = None

    def ioctl(self, request, flags):
        """Answer select.poll."""
        if request != _POLL:
            return -22
        _pump(self)
        ready = 0
        if self._kept or _current[1] and _current[0] is self or self._state in (67, 69):
            ready |= flags & _IN
        if self._state == 79:
            ready |= flags & _OUT
        if self._state == 69:
            ready |= _ERR
        return ready
