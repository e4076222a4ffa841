"""Sockets that never block (DESIGN 5, net).

The same code meets lwIP boards, the unix port and CPython: all differences of
their socket modules are in this file (micropython-platform 1.3).
"""

import select
import socket

from micropython import const

# "not now, try again": EAGAIN, EALREADY, EINPROGRESS; 118, 119 esp32; 110 rp2 (ETIMEDOUT of lwIP)
_BUSY = (11, 114, 115, 118, 119)
_ECONNREFUSED = const(111)
_DATAGRAM = const(1280)  # bytes; none that is for us is longer


class Sock:
    """One non-blocking IPv4 or IPv6 socket; `kind` is "tcp" or "udp". Raises OSError only."""

    def __init__(self, kind):
        self._kind = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
        self._s = self._poll = None

    def connect(self, addr, port):
        """Return True when connected to the literal `addr`, False to be called again."""
        if not self._s:
            info = socket.getaddrinfo(addr, port, 0, self._kind)[0]
            self._s = s = socket.socket(info[0], self._kind)
            s.setblocking(False)
            # CPython has other names for the calls that MicroPython makes without allocation
            self._read = getattr(s, "readinto", None) or s.recv_into
            self._write = getattr(s, "write", None)
            try:
                s.connect(info[-1])
            except OSError as e:
                if e.errno not in _BUSY:
                    raise
            self._poll = p = select.poll()
            if self._kind != socket.SOCK_STREAM:
                p.register(s, select.POLLIN)
                self._ready = getattr(p, "ipoll", None) or p.poll
                self._into = self._read
                self._read = self._datagram
                return True
            p.register(s, select.POLLOUT)
        for _, flags in self._poll.poll(0):
            if flags & (select.POLLERR | select.POLLHUP):
                raise OSError(_ECONNREFUSED)
            self._poll = None
            return True
        return False

    def readinto(self, buf):
        """Return the bytes read into `buf`, None when there are none yet, 0 when closed.

        A bytearray grows with a datagram that is longer.
        """
        try:
            return self._read(buf)
        except OSError as e:
            if e.errno not in _BUSY:
                raise

    # MicroPython's readinto fills the buffer from as many datagrams as there are, which spoils all
    # of them if the first is garbage: it is for a heap that has no room for a second buffer.
    def _datagram(self, buf):
        n = 0
        for _ in self._ready(0):  # asked first: an attempt costs a buffer
            try:
                data = self._s.recv(_DATAGRAM)
                n = len(data)
                buf[:n] = data  # which grows when it has to
            except MemoryError:
                n = self._into(buf)
        return n or None  # an empty datagram closes nothing

    def write(self, buf, n):
        """Return how many of the first `n` bytes of `buf` were taken, None for "not now"."""
        try:
            if self._write:
                return self._write(buf, n)
            return self._s.send(memoryview(buf)[:n])
        except OSError as e:
            if e.errno not in _BUSY:
                raise

    def pollable(self):
        """Return the object for `select.poll`, None before `connect`."""
        return self._s

    def close(self):
        """Close the socket; may be called twice."""
        if self._s:
            self._s.close()
            self._s = None
