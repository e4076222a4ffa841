"""Echo requests: what is sent, what is taken for an answer, and how long it is waited for."""

import struct

from particle.errors import Error
from particle.net.ping import answers, checksum, ping, request
from support import raises

MARK = b"abcdefgh"
IP = b"\x45" + bytes(19)


def reply(packet, kind=0):
    """Return what a host answers to a request."""
    body = bytes((kind, 0, 0, 0)) + packet[4:]
    return IP + body[:2] + struct.pack(">H", checksum(body)) + body[4:]


class Net:
    """`socket` with one host behind it; a clock that goes on by looking at it."""

    AF_INET = 2
    SOCK_RAW = 3

    def __init__(self, *replies):
        self.replies = list(replies)  # functions of a request -> packet, None, OSError
        self.inbox = []
        self.sent = []
        self.open = 0
        self.ms = 0x3FFFFF00

    def ticks(self):
        self.ms = (self.ms + 10) & 0x3FFFFFFF
        return self.ms

    def socket(self, family, kind, protocol):
        assert (family, kind, protocol) == (2, 3, 1)
        self.open += 1
        return self

    def getaddrinfo(self, host, port):
        return [(2, 3, 1, "", (host, port))]

    def setblocking(self, on):
        assert on is False

    def sendto(self, packet, where):
        assert where == ("10.0.0.1", 0)
        self.sent.append(packet)
        found = self.replies.pop(0)(packet)
        if isinstance(found, OSError):
            raise found
        self.inbox += found

    def recv(self, n):
        if not self.inbox:
            raise OSError(11)
        return self.inbox.pop(0)

    def close(self):
        self.open -= 1

    def ping(self, tries):
        """Return what `ping` returns."""
        steps = ping("10.0.0.1", tries, 1000, self.ticks, lambda n: MARK[:n], self)
        while True:
            try:
                next(steps)
            except StopIteration as e:
                return e.value


def test_packets():
    # of iputils ping: the sum over a packet that holds it is 0
    assert checksum(bytes((0x08, 0, 0x4D, 0x5A, 0, 1, 0, 1)) + b"\0\0") == 0xAAA3
    packet = request(MARK, 7)
    assert packet[:2] == b"\x08\x00" and packet[6:] == b"\x00\x07" + MARK
    assert checksum(packet) == 0
    assert answers(reply(packet), MARK, 7)
    for wrong in (b"", IP, reply(packet)[:-1], reply(packet, 8), reply(packet)[:-2] + b"xx"):
        assert not answers(wrong, MARK, 7)
    assert not answers(reply(packet), MARK, 8) and not answers(reply(packet), b"another!", 7)
    # options in the IP header
    assert answers(b"\x46" + bytes(23) + reply(packet)[20:], MARK, 7)


def test_counted():
    good = lambda packet: [reply(packet)]  # noqa: E731
    net = Net(good, good, good)
    assert net.ping(3) == 3 and len(net.sent) == 3 and net.open == 0
    others = lambda packet: [b"noise", reply(request(b"another!", 0)), reply(packet)]  # noqa: E731
    assert Net(others).ping(1) == 1
    assert Net(good, lambda packet: []).ping(2) == 1
    net = Net(lambda packet: OSError(113), good)
    assert net.ping(2) == 1
    # nothing is waited for longer than it may take
    net = Net(lambda packet: [])
    start = net.ms
    assert net.ping(1) == 0 and (net.ms - start) & 0x3FFFFFFF <= 1020
    assert Net().ping(0) == 0


def test_no_raw_sockets():
    net = Net()
    net.socket = lambda *args: raise_(OSError(1))
    e = raises(Error, net.ping, 1)
    assert e.errno == -120 and e.stage == "link"


def raise_(e):
    raise e
