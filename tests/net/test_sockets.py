"""Datagram sockets on the loopback interface: one datagram per call, whatever memory is left."""

import os
import socket
import time

from particle.net.sockets import Sock
from support import raises

_PORT = 12000  # below those the system gives to others


def _server():
    # a bound socket and its port, and a `Sock` connected to it
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(40):
        a, b = os.urandom(2)
        port = _PORT + (a << 4) + (b >> 4)  # not where another run of this file is
        try:
            s.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
            break
        except OSError:
            pass
    c = Sock("udp")
    assert c.connect("127.0.0.1", port)
    assert c.write(b"hello-", 5) == 5
    data, back = s.recvfrom(100)
    assert data == b"hello"
    return s, c, back


def _take(c, buf):
    # what readinto gives within a second
    for _ in range(1000):
        n = c.readinto(buf)
        if n is not None:
            return bytes(buf[:n])
        time.sleep(0.001)
    raise AssertionError("nothing came")


def test_one_datagram_per_call():
    s, c, back = _server()
    buf = bytearray(1280)
    assert c.readinto(buf) is None
    for data in (b"first", b"x" * 1200, b"", b"last"):
        s.sendto(data, back)
    assert _take(c, buf) == b"first"
    assert _take(c, buf) == b"x" * 1200
    assert _take(c, buf) == b"last"  # an empty datagram closes nothing
    assert c.readinto(buf) is None
    c.close()
    c.close()
    s.close()


class _Poor:
    # a socket on a heap that has no room for what recv returns
    def __init__(self, s):
        self._s = s
        self.asked = 0

    def recv(self, n):
        self.asked += 1
        raise MemoryError


def test_no_memory_for_a_second_buffer():
    s, c, back = _server()
    real = c._s
    c._s = poor = _Poor(real)
    buf = bytearray(1280)
    assert c.readinto(buf) is None
    assert poor.asked == 0  # nothing there, so nothing allocated
    s.sendto(b"needs no other memory", back)
    assert _take(c, buf) == b"needs no other memory"
    assert poor.asked == 1
    assert c.readinto(buf) is None
    c._s = real
    s.sendto(b"as before", back)
    assert _take(c, buf) == b"as before"
    c.close()
    s.close()


def test_no_memory_for_the_number_of_an_error():
    s, c, _ = _server()

    def read(buf):
        raise OSError  # what MicroPython makes of it then

    c._read = read
    raises(OSError, c.readinto, bytearray(100))
    c.close()
    s.close()


def test_nobody_listens():
    s, c, _ = _server()
    s.close()
    c.write(b"hello", 5)
    buf = bytearray(100)
    for _ in range(1000):
        try:
            assert c.readinto(buf) is None
        except OSError:
            break
        time.sleep(0.001)
    else:
        raise AssertionError("not told")
    c.close()
