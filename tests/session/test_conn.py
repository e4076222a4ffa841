"""The whole connection on a fake clock, against the scripted cloud (cloud-protocol 4, 6)."""

from particle.errors import Error
from particle.session.aes_tcp import TcpConn
from support import raises, rng
from tcp_peer import Parsed, TcpPeer, VectorKeys, field, vector_rng

HELLO = (6, 1, 0x30, 6)
APP = b'{"f":["led"],"v":{"temp":9}}'


class World:
    """A Conn, its clock and the cloud's end; collects what comes out."""

    def __init__(self, host="10.0.0.1", rng=vector_rng):
        self.now = 5
        self.conn = TcpConn(VectorKeys(), None, rng, HELLO, {"server": host})
        self.events = []
        self.heard = []
        self.raw = b""
        self.peer = None

    def step(self):
        c = self.conn
        c.tick(self.now)
        self.drain()
        while True:
            n = c.transmit(self.now)
            if n == 0:
                break
            data = bytes(c.out[:n])
            if self.peer:
                self.heard += [Parsed(m) for m in self.peer.take(data)]
            else:
                self.raw += data
        self.drain()

    def drain(self):
        while True:
            e = self.conn.event()
            if e is None:
                return
            self.events.append(e)

    def feed(self, data):
        for i in range(0, len(data), 200):
            piece = bytearray(data[i : i + 200])
            self.conn.receive(piece, len(piece), self.now)
        self.drain()

    def say(self, head, rest, token=b""):
        """Send a message: first byte and code, then everything behind ID and token."""
        mid = self.peer.next_mid()
        self.feed(self.peer.seal(bytes([head[0] | len(token), head[1]]) + mid + token + rest))
        self.step()
        return mid

    def settle(self):
        for _ in range(400):
            self.step()
            if self.conn.deadline() != self.now:
                return
        raise AssertionError("a calculation that does not end")

    def kinds(self):
        got = [e[0] for e in self.events]
        self.events = []
        return got

    def take(self):
        got = self.heard
        self.heard = []
        return got

    def dial(self):
        self.conn.start(self.now)
        self.conn.link(self.now, True)
        self.settle()
        if ("RESOLVE", self.conn._host, None) in self.events:
            self.conn.addresses(self.now, ["10.0.0.1"])
            self.drain()

    def shake(self):
        self.peer = None
        self.raw = b""
        self.conn.opened(self.now, True)
        self.drain()
        self.feed(field("server_nonce"))
        self.settle()
        assert self.raw == field("client_message")
        self.peer = TcpPeer()
        self.feed(field("server_reply"))
        self.settle()

    def connect(self):
        self.dial()
        self.shake()
        self.feed(self.peer.hello())
        self.settle()
        assert self.conn.ready
        self.take()
        self.kinds()
        return self


def test_from_start_to_ready():
    w = World("cloud.example")
    w.conn.describe(0, 1, b'{"p":6,"m":[]}')
    w.conn.describe(0, 2, APP)
    w.conn.subscribe(0, "door", None)
    w.dial()
    assert w.kinds() == ["RESOLVE", "DIAL"]
    w.shake()
    assert w.kinds() == ["STAGE", "OPEN"]
    hello = w.take()
    assert len(hello) == 1
    hello = hello[0]
    assert hello.type == 1 and hello.code == 2 and hello.path == "h" and hello.mid == 19451
    assert len(hello.payload) == 20
    # the largest message as Device OS counts it: servers subtract what a frame costs (1.4)
    assert hello.payload[12:14] == b"\x04\x80"
    assert not w.conn.ready
    w.feed(w.peer.hello())
    w.settle()
    assert w.kinds() == ["READY"]
    got = w.take()
    assert [(m.type, m.code, m.path, m.query) for m in got] == [
        (0, 1, "t", b""),
        (0, 2, "d", b"\x01"),
        (0, 2, "d", b"\x02"),
        (1, 1, "e", b""),
        (1, 1, "e", b""),
        (1, 1, "e", b""),
    ]
    assert [m.mid for m in got] == list(range(19452, 19458))
    assert got[2].payload == APP
    assert [m.name for m in got[3:]] == ["particle", "spark", "door"]
    # the answer to the time request
    t = got[0]
    w.say((0x60, 0x45), b"\xff\x65\x53\xf1\x00", b"")  # another ID, no token: not the answer
    assert w.kinds() == []
    answer = bytes((0x61, 0x45)) + t.raw[2:4] + t.token + b"\xff\x65\x53\xf1\x00"
    w.feed(w.peer.seal(answer))
    assert w.events == [("TIME", 0x6553F100, None)]


def test_messages_that_come_behind_the_reply():
    # a server that is faster than our calculation has nothing more to say (cloud-protocol 1.5)
    w = World()
    w.dial()
    w.conn.opened(w.now, True)
    w.feed(field("server_nonce"))
    w.settle()
    w.peer = TcpPeer()
    w.feed(field("server_reply") + w.peer.hello() + w.peer.seal(b"\x40\x00\x12\x34"))
    w.settle()
    assert w.conn.ready and "READY" in w.kinds()
    assert [m.mid for m in w.take() if m.type == 2] == [0x1234]


def test_function_variable_and_events():
    w = World().connect()
    mid = w.say((0x40, 2), b"\xb1f\x05relay\x42on", b"\x11")
    ack = w.take()
    assert [m.raw for m in ack] == [b"\x60\x00" + mid]
    assert w.events == [("CALL", 0x11, ("relay", "on"))]
    w.conn.respond(w.now, 0x11, 0x44, b"\x00\x00\x00\x01")
    w.step()
    got = w.take()[0]
    assert (got.type, got.code, got.token, got.payload) == (1, 0x44, b"\x11", b"\0\0\0\1")
    w.kinds()
    mid = w.say((0x40, 1), b"\xb1v\x04temp", b"\x12")
    assert [m.raw for m in w.take()] == [b"\x60\x00" + mid]
    assert w.events == [("READ", 0x12, "temp")]
    w.kinds()
    w.say((0x50, 2), b"\xb1E\x04door\x04open\xff1")
    assert w.take() == []
    w.say((0x40, 2), b"\xb1E\x0d\x01spark/resetnow")
    assert len(w.take()) == 1
    assert w.events == [
        ("EVENT", "door/open", (b"1", 0)),
        ("SYSTEM", "spark/resetnow", (b"", 0)),
    ]


def test_tokens_of_other_lengths():
    for token in (b"\x01\x02", b"12345678"):
        w = World().connect()
        w.say((0x40, 2), b"\xb1f\x03led\x40", token)
        w.take()
        assert w.events == [("CALL", token, ("led", ""))]
        w.conn.respond(w.now, token, 0x44, bytes(4))
        w.step()
        assert w.take()[0].token == token
    w = World().connect()
    mid = w.say((0x40, 2), b"\xb1f\x03led\x40")
    assert [m.raw for m in w.take()] == [b"\x70\x00" + mid]
    mid = w.say((0x40, 1), b"\xb1v\x03led")
    assert [m.raw for m in w.take()] == [b"\x70\x00" + mid]
    assert w.kinds() == [] and w.conn.ready


def test_function_argument_too_long_or_not_text():
    for arg in (b"x" * 1025, b"\xff\xfe"):
        w = World().connect()
        n = len(arg)
        head = bytes([0x40 | n]) if n < 13 else b"\x4e" + (n - 269).to_bytes(2, "big")
        mid = w.say((0x40, 2), b"\xb1f\x03led" + head + arg, b"\x07")
        assert [m.raw for m in w.take()] == [b"\x60\x80" + mid]
        assert w.kinds() == []


def test_unknown_requests():
    w = World().connect()
    mid = w.say((0x40, 2), b"\xb1z", b"\x05")
    assert [m.raw for m in w.take()] == [b"\x61\x84" + mid + b"\x05"]
    mid = w.say((0x40, 1), b"\xb1z")
    assert [m.raw for m in w.take()] == [b"\x70\x00" + mid]
    w.say((0x50, 1), b"\xb1z", b"\x05")
    w.say((0x70, 0), b"")
    w.say((0x50, 0), b"")
    w.say((0x40, 0x45), b"\xff1234", b"\x63")  # a separate answer nobody asked for
    got = w.take()
    assert [(m.type, m.code) for m in got] == [(2, 0)]
    assert w.kinds() == [] and w.conn.ready


def test_requests_with_other_options_first_or_in_excess():
    # a device dispatches on the first option (cloud-protocol 3.1): an ETag hides the path
    w = World().connect()
    mid = w.say((0x40, 2), b"\x41\x07\x71f\x03led\x40", b"\x05")
    assert [m.raw for m in w.take()] == [b"\x61\x84" + mid + b"\x05"]
    # options behind the argument are nobody's business
    w.say((0x40, 2), b"\xb1f\x03led\x42on\x80\xd0\x01", b"\x06")
    assert w.events == [("CALL", 6, ("led", "on"))]
    w.kinds()
    # a name without a segment, and one that is no text
    for path in (b"\xb1f\x40", b"\xb1f\x02\xff\xfe\x40"):
        mid = w.say((0x40, 2), path, b"\x07")
        assert b"\x60\x80" + mid in [m.raw for m in w.take()]
    assert w.kinds() == [] and w.conn.ready


def test_answers_late_twice_and_never():
    w = World().connect()
    mid = w.conn.publish(w.now, "a", b"", 0, True)
    w.step()
    w.now += 20000
    ack = b"\x60\x00" + mid.to_bytes(2, "big")
    w.say((0x50, 2), b"\xb1E\x01a")  # the connection is alive, only the ACK is missing
    w.step()
    assert ("ACKED", mid, -160) in w.events
    w.kinds()
    for _ in range(2):
        w.feed(w.peer.seal(ack))
    again = w.conn.publish(w.now, "b", b"", 0, True)
    w.step()
    for _ in range(2):
        w.feed(w.peer.seal(b"\x60\x00" + again.to_bytes(2, "big")))
    assert w.events == [("ACKED", again, 0)]
    assert w.conn.ready


def test_answers_to_the_wrong_question():
    # a 2.05 is the time only with the token of the time request and four bytes
    w = World().connect()
    w.conn.time(w.now)
    w.step()
    asked = w.take()[0]
    token, mid = asked.token, asked.raw[2:4]
    other = bytes([token[0] ^ 1])
    for answer in (
        b"\x61\x45" + mid + other + b"\xff\x65\x53\xf1\x00",
        b"\x60\x45" + mid + b"\xff\x65\x53\xf1\x00",
        b"\x61\x45" + mid + token + b"\xff\x65\x53\xf1",
        b"\x61\x45" + mid + token + b"\xff\x65\x53\xf1\x00\x00",
        b"\x61\x45" + mid + token,
        b"\x61\x44" + mid + token + b"\xff\x65\x53\xf1\x00",
        b"\x61\x84" + mid + token,
        b"\x62\x45" + mid + token + token + b"\xff\x65\x53\xf1\x00",
    ):
        w.feed(w.peer.seal(answer))
        w.step()
        assert w.kinds() == [] and w.conn.time_token == token[0] and w.conn.ready
    # late, separately and twice: it counts once, and every copy of a CON is acknowledged
    w.now += 9000
    for _ in range(2):
        w.say((0x40, 0x45), b"\xff\x65\x53\xf1\x00", token)
    assert w.events == [("TIME", 0x6553F100, None)] and w.conn.time_token is None
    assert [(m.type, m.code) for m in w.take()] == [(2, 0)] * 2


def test_describe_requests():
    w = World()
    w.conn.describe(0, 1, b'{"p":6,"m":[]}')
    w.conn.describe(0, 2, APP)
    w.connect()
    both = APP[:-1] + b',"p":6,"m":[]}'
    for query, want in ((b"", both), (b"\x41\x03", both), (b"\x41\x02", APP)):
        mid = w.say((0x40, 1), b"\xb1d" + query, b"\x21")
        ack, answer = w.take()
        assert ack.raw == b"\x60\x00" + mid
        assert (answer.type, answer.code, answer.token) == (0, 0x45, b"\x21")
        assert answer.payload == want
    mid = w.say((0x40, 1), b"\xb1d\x41\x04", b"\x21")
    assert [m.raw for m in w.take()] == [b"\x61\x84" + mid + b"\x21"]


def test_ping_and_signal_are_acknowledged_with_the_requests_id():
    w = World().connect()
    last = w.conn._mid
    mid = w.say((0x40, 0), b"")
    assert [m.raw for m in w.take()] == [b"\x60\x00" + mid]
    mid = w.say((0x40, 3), b"\xb1s\x41\x01", b"\x0d")
    assert [m.raw for m in w.take()] == [b"\x61\x44" + mid + b"\x0d"]
    assert w.events == [("SIGNAL", True, None)]
    w.conn.publish(w.now, "a", b"", 0, None)
    w.step()
    assert w.take()[0].mid == (last + 1) & 0xFFFF


def test_messages_that_are_not_coap_are_ignored():
    w = World().connect()
    for junk in (b"\x00", b"\xff" * 20, b"GET / HTTP/1.1", b"\x4f\x02\x00\x01"):
        w.feed(w.peer.seal(junk))
        w.step()
    assert w.kinds() == [] and w.take() == [] and w.conn.ready


def test_keep_alive():
    w = World().connect()
    start = w.now
    w.now = start + 14999
    w.step()
    assert w.take() == []
    w.now = start + 15000
    assert w.conn.deadline() == w.now
    w.step()
    ping = w.take()
    assert [m.raw[:2] for m in ping] == [b"\x40\x00"]
    w.step()
    assert w.take() == []
    w.feed(w.peer.seal(b"\x60\x00" + ping[0].raw[2:4]))
    w.now += 10000
    w.step()
    assert w.conn.ready and w.take() == []
    # traffic from the cloud does not spare the ping: servers look at what the device sends
    for _ in range(4):
        w.now += 4000
        w.say((0x50, 2), b"\xb1E\x01a")
    assert [m.raw[:2] for m in w.take()] == [b"\x40\x00"]


def test_ping_without_answer_ends_the_connection():
    w = World().connect()
    w.now += 15000
    w.step()
    assert len(w.take()) == 1
    w.now += 9999
    w.step()
    assert w.conn.ready
    w.now += 1
    w.step()
    assert w.kinds() == ["HANGUP", "DOWN"]
    assert w.conn.deadline() is not None


def test_closed_while_publishes_wait():
    w = World().connect()
    a = w.conn.publish(w.now, "a", b"", 0, True)
    w.step()
    b = w.conn.publish(w.now, "b", b"", 0, None)
    w.conn.receive(bytearray(1), 0, w.now)
    w.drain()
    assert w.events[0] == ("HANGUP", None, None)
    assert sorted(w.events[1:3]) == sorted([("ACKED", a, -150), ("ACKED", b, -150)])
    assert w.events[3] == ("DOWN", "cloud", -201)
    raises(Error, w.conn.publish, w.now, "a", b"", 0, None)


def test_hello_that_never_comes():
    w = World()
    w.dial()
    w.shake()
    w.kinds()
    w.now += 3999
    w.settle()
    assert w.kinds() == []
    w.now += 1
    w.settle()
    assert w.events == [("HANGUP", None, None), ("DOWN", "cloud", -160)]


def pauses(fail, count):
    """Return the pauses between `count` attempts that all fail."""
    out = []
    w = World("cloud.example")
    w.conn.start(w.now)
    w.conn.link(w.now, True)
    for _ in range(count):
        w.settle()
        fail(w)
        w.drain()
        d = w.conn.deadline()
        out.append((d - w.now) & 0x3FFFFFFF)
        w.now = d
        w.kinds()
    return out


def test_back_off():
    got = pauses(lambda w: w.conn.addresses(w.now, []), 40)
    for n, pause in enumerate(got):
        base = 1000 << min(7, n // 5)
        assert base <= pause <= base * 5 // 4, (n, pause)


def test_a_fleet_does_not_come_back_in_one_moment():
    # the pauses of boards that lost their cloud together are spread over a quarter of the pause
    for failures, base in ((0, 1000), (36, 128000)):
        fleet = []
        for seed in range(1, 41):
            w = World("cloud.example", rng(seed))
            w.conn.start(w.now)
            w.conn.failures = failures
            w.conn.link(w.now, True)
            w.step()
            w.conn.addresses(w.now, [])
            fleet.append(w.conn.deadline() - w.now)
        assert min(fleet) >= base and max(fleet) <= base * 5 // 4
        assert max(fleet) - min(fleet) > base // 8, fleet
        assert len(set(fleet)) > 20, fleet


def test_stage_tells_what_it_is_doing():
    w = World("cloud.example")
    w.conn.start(w.now)
    assert w.conn.stage() == "link"
    w.conn.link(w.now, True)
    w.settle()
    assert w.conn.stage() == "DNS"
    w.conn.addresses(w.now, ["10.0.0.1"])
    assert w.conn.stage() == "port"
    w.conn.opened(w.now, True)
    assert w.conn.stage() == "transport"
    w.shake()
    assert w.conn.stage() == "cloud"


def test_stages_of_failures():
    w = World("cloud.example")
    w.conn.start(w.now)
    w.settle()
    assert w.events == []  # nothing is tried without a link
    w.conn.link(w.now, True)
    w.settle()
    w.kinds()
    w.now += 15000
    w.step()
    assert w.events == [("DOWN", "DNS", -160)]
    w.kinds()
    w.now = w.conn.deadline()
    w.step()
    w.conn.addresses(w.now, ["10.0.0.1", "10.0.0.2"])
    w.drain()
    assert w.events[-1] == ("DIAL", "10.0.0.1", 5683)
    w.conn.opened(w.now, False)
    w.drain()
    assert w.events[-2:] == [("HANGUP", None, None), ("DOWN", "port", -230)]
    w.now = w.conn.deadline()
    w.step()
    assert w.events[-1] == ("DIAL", "10.0.0.2", 5683)  # the name's other address is next
    w.now += 20000
    w.step()
    assert w.events[-1] == ("DOWN", "port", -160)
    w.now = w.conn.deadline()
    w.step()
    assert w.events[-1][0] == "RESOLVE"
    w.conn.link(w.now, False)
    w.drain()
    assert w.events[-1] == ("DOWN", "link", -230)
    assert w.conn.deadline() is None


def test_reconnect_after_a_lost_connection():
    w = World().connect()
    w.now += 60000
    w.conn.receive(bytearray(1), 0, w.now)
    w.drain()
    assert w.conn.deadline() == w.now  # at once: the connection had held
    w.kinds()
    w.settle()
    w.drain()
    assert w.kinds() == ["RESOLVE"]
    w.conn.addresses(w.now, ["10.0.0.1"])
    w.shake()
    w.feed(w.peer.hello())
    w.settle()
    assert w.conn.ready and w.conn.handshakes == 2
    # a connection that is lost again at once makes the next one wait: two boards with one id
    # would otherwise throw each other out without end
    w.conn.receive(bytearray(1), 0, w.now)
    assert w.conn.deadline() != w.now


def test_close():
    w = World().connect()
    w.conn.close(w.now, 2)
    w.settle()
    got = w.take()
    assert [m.path for m in got] == ["x"] and got[0].payload == b"\x01\x02"
    # The cloud closes when it has read it. Were we first, an RST for what we had not read yet
    # could take the goodbye away before the cloud has seen it.
    assert w.kinds() == [] and not w.conn.ready
    w.now += 1000
    w.step()
    assert w.kinds() == ["HANGUP"]
    assert not w.conn.ready and w.conn.deadline() is None
    # a cloud that closes when it has read the goodbye is no reason to come back
    w = World().connect()
    w.conn.close(w.now, 2)
    w.conn.transmit(w.now)
    w.conn.receive(bytearray(1), 0, w.now)
    w.drain()
    assert w.kinds() == ["HANGUP"] and w.conn.deadline() is None
    w = World().connect()
    w.conn.close(w.now)
    w.step()
    assert w.take() == [] and w.kinds() == ["HANGUP"]
    w.conn.start(w.now)
    w.settle()
    assert w.kinds()[-1] == "DIAL"  # the address is still known


def test_late_registrations_are_announced():
    w = World().connect()
    w.conn.describe(w.now, 2, APP)
    w.conn.subscribe(w.now, "door", "b")
    w.step()
    got = w.take()
    assert [(m.path, m.query) for m in got] == [("d", b"\x02"), ("e", b"b")]
    w.conn.describe(w.now, 2, APP)
    w.conn.subscribe(w.now, "door", "b")
    w.step()
    assert w.take() == []
