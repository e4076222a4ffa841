"""How a connection begins, holds, fails and ends: a fake clock, a scripted cloud (4, 6)."""

from particle.errors import Error
from support import raises, rng
from tcp_peer import TcpPeer, field
from tcp_world import APP, World


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


def test_a_connection_of_a_week_starts_the_back_off_again():
    for days in (0.001, 3, 7, 12):
        w = World().connect()
        w.conn.failures = 30
        w.now += int(days * 86400000)
        w.now &= 0x3FFFFFFF
        w.conn._fail(w.now, "cloud", -230)
        assert w.conn.failures == 0, days


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
    # who wants a connection while the goodbye is on its way gets a new one, and the socket of
    # the old one is closed
    w = World().connect()
    w.conn.close(w.now, 2)
    w.conn.start(w.now)
    w.step()
    assert w.kinds() == ["HANGUP", "DIAL"] and w.take() == []
