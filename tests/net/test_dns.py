"""The DNS client against servers that are right, slow, silent and lying (RFC 1035)."""

from particle.errors import Error
from particle.net import sockets
from particle.net.dns import Resolver, answer, literal, question
from particle.session.messaging import add, diff
from support import raises

HOST = "device.example.com"


def header(query, flags=b"\x81\x80", answers=1):
    return query[:2] + flags + b"\x00\x01" + answers.to_bytes(2, "big") + bytes(4) + query[12:]


def record(data, kind=1, name=b"\xc0\x0c", cls=1):
    return (
        name
        + kind.to_bytes(2, "big")
        + cls.to_bytes(2, "big")
        + b"\x00\x00\x00\x3c"
        + len(data).to_bytes(2, "big")
        + data
    )


QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question(HOST)


def says(data):
    return answer(bytearray(data), len(data), QUERY)


def test_literals():
    for host in ("10.0.0.1", "255.255.255.255", "::1", "fe80::1"):
        assert literal(host)
    for host in ("a.b.c.d", "example", "10.example", "", "..."):
        assert not literal(host)


def test_names_that_cannot_be_asked():
    for host in ("", "a..b", "a.", "x" * 64 + ".com", ".".join(["abcdefgh"] * 30)):
        assert raises(Error, question, host).stage == "DNS"
    assert question("A.b") == b"\x01A\x01b\x00\x00\x01\x00\x01"


def test_addresses_of_a_name():
    assert says(header(QUERY) + record(b"\x0a\x00\x00\x01")) == ["10.0.0.1"]
    both = header(QUERY, answers=2) + record(b"\x0a\x00\x00\x01") + record(b"\x0a\x00\x00\x02")
    assert says(both) == ["10.0.0.1", "10.0.0.2"]
    many = header(QUERY, answers=12) + b"".join([record(bytes([10, 0, 0, i])) for i in range(12)])
    assert len(says(many)) == 8
    # no address, but the name exists: an IPv6-only host
    assert says(header(QUERY) + record(bytes(16), 28)) == []
    assert says(header(QUERY, answers=0)) == []
    assert says(header(QUERY, b"\x81\x83", 0)) == []


def test_aliases():
    alias = b"\x03www\xc0\x13"  # www.example.com, by a pointer into the question
    target = b"\x03www\x07example\x03com\x00"
    data = header(QUERY, answers=2) + record(alias, 5) + record(b"\x01\x02\x03\x04", name=target)
    assert says(data) == ["1.2.3.4"]
    # in upper case, and in the other order
    data = (
        header(QUERY, answers=2)
        + record(b"\x01\x02\x03\x04", name=target.upper())
        + record(alias, 5)
    )
    assert says(data) == ["1.2.3.4"]
    assert says(header(QUERY) + record(alias, 5)) == []


def test_answers_that_are_not_ours():
    good = header(QUERY) + record(b"\x0a\x00\x00\x01")
    assert says(b"\x12\x35" + good[2:]) is None  # another ID
    assert says(header(QUERY, b"\x01\x00") + record(bytes(4))) is None  # a question
    other = QUERY[:12] + question("evil.example.com")
    assert says(header(other) + record(b"\x06\x06\x06\x06")) is None
    assert says(header(QUERY, b"\x81\x82", 0)) is None  # SERVFAIL: ask the next
    assert says(header(QUERY, b"\x81\x85", 0)) is None  # refused
    # records of another class are not taken
    assert says(header(QUERY) + record(b"\x06\x06\x06\x06", cls=3)) == []
    assert says(header(QUERY) + record(b"\x06\x06\x06", 1)) == []


def test_malformed_answers():
    good = header(QUERY, answers=2) + record(b"\xc0\x13", 5) + record(b"\x0a\x00\x00\x01")
    for n in range(len(good)):
        assert not says(good[:n])
    # every byte changed: never raises, never hangs
    for i in range(len(good)):
        for x in (0, 1, 63, 64, 191, 192, 255):
            bad = bytearray(good)
            bad[i] = x
            says(bad)


class FakeSock:
    def __init__(self, link):
        self.link = link

    def connect(self, addr, port):
        self.link.asked.append((addr, port))
        if addr in self.link.broken:
            raise OSError(101)
        return True

    def write(self, buf, n):
        self.query = bytes(buf[:n])
        return n

    query = None

    def readinto(self, buf):
        if not self.link.answers or not self.query:
            return None
        data = self.link.answers.pop(0)(self.query)
        if data is None:
            raise OSError(111)
        buf[: len(data)] = data
        return len(data)

    def pollable(self):
        return self

    def close(self):
        self.link.closed += 1


class FakeLink:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.broken = ()
        self.closed = 0

    def open(self, kind):
        assert kind == "udp"
        return FakeSock(self)


def good(query):
    return header(query) + record(b"\x0a\x00\x00\x07")


def resolve(link, host=HOST, server="1.1.1.1"):
    """Return (answer, ms it took); the clock jumps to each deadline."""
    now = 0x3FFFFF00  # close to the wrap
    r = Resolver(link, host, server, lambda n: b"\xab\xcd"[:n])
    for _ in range(100):
        found = r.step(now, diff, add)
        if found is not None:
            r.close()
            return found, diff(now, 0x3FFFFF00)
        if not link.answers:
            now = r.deadline()
    raise AssertionError("does not end")


def test_good_server():
    link = FakeLink(good)
    assert resolve(link) == (["10.0.0.7"], 0)
    assert link.asked == [("1.1.1.1", 53)] and link.closed == 1
    link = FakeLink(good)
    resolve(link, server="127.0.0.1:5353")
    assert link.asked == [("127.0.0.1", 5353)]


def test_lies_before_the_truth():
    def lie(query):
        return b"\x00\x00" + good(query)[2:]

    assert resolve(FakeLink(lie, lie, lambda q: b"", good))[0] == ["10.0.0.7"]


def test_silent_server_is_bounded_and_named():
    link = FakeLink()
    e = raises(Error, resolve, link)
    assert e.stage == "DNS" and e.errno == -160 and "1.1.1.1" in str(e)
    assert len(link.asked) == 3 and link.closed == 2
    assert resolve(FakeLink(lambda q: None, good))[0] == ["10.0.0.7"]  # refused once


def test_server_that_cannot_be_reached():
    link = FakeLink()
    link.broken = ("1.1.1.1",)
    assert raises(Error, resolve, link).stage == "DNS"
    assert len(link.asked) == 3


def test_a_board_without_a_free_socket():
    class Used:
        SOCK_DGRAM = sockets.socket.SOCK_DGRAM

        @staticmethod
        def getaddrinfo(*_):
            raise OSError(23)

    link = FakeLink()
    link.open = sockets.Sock
    kept = sockets.socket
    sockets.socket = Used
    try:
        e = raises(Error, resolve, link)
    finally:
        sockets.socket = kept
    assert e.stage == "DNS" and e.errno == -160


def test_unknown_name():
    e = raises(Error, resolve, FakeLink(lambda q: header(q, b"\x81\x83", 0)))
    assert e.stage == "DNS" and e.errno == -170


def test_literal_and_localhost_ask_nobody():
    link = FakeLink()
    assert resolve(link, "10.1.2.3") == (["10.1.2.3"], 0)
    assert resolve(link, "localhost") == (["localhost"], 0)
    assert resolve(link, "cloud.local") == (["cloud.local"], 0)
    assert link.asked == []
