"""Retransmission, de-duplication and keep-alive over datagrams, on a fake clock (3.3-3.7)."""

from particle.session.messaging import diff
from plain_channel import Driven, Keys, PlainConn
from tcp_peer import Parsed

HELLO = (6, 1, 0xB6, 6)


class World(Driven):
    """A connection over datagrams and what it says, with the time it said it."""

    def __init__(self, random=0):
        self.now = 1000
        self.conn = PlainConn(
            Keys, lambda kind: None, lambda n: bytes([random] * n), HELLO, {"server": "::1"}
        )
        self.events = []
        self.said = []
        self.conn.start(self.now)
        self.conn.link(self.now, True)
        self.step()
        self.conn.addresses(self.now, ["10.0.0.1"])
        self.conn.opened(self.now, True)
        self.step()

    def step(self):
        c = self.conn
        c.tick(self.now)
        while True:
            n = c.transmit(self.now)
            if n == 0:
                break
            self.said.append((self.now, Parsed(bytes(c.out[:n]))))
        while True:
            e = c.event()
            if e is None:
                return
            self.events.append(e)

    def take(self):
        got = [m for _, m in self.said]
        self.said = []
        return got

    def connect(self):
        self.ack(self.take()[0])
        for m in self.take():
            self.ack(m)
        assert self.conn.ready and self.take() == []
        self.events = []
        return self


def test_hello():
    w = World()
    hello = w.take()[0]
    assert (hello.type, hello.path, hello.mid) == (0, "h", 1)
    assert len(hello.raw) == 39 and hello.payload[10:22] == Keys.device_id
    assert not w.conn.ready
    w.ack(hello)
    assert w.conn.ready and ("READY", None, None) in w.events
    got = w.take()
    assert [(m.type, m.path) for m in got] == [(0, "t"), (0, "e"), (0, "e")]
    assert [m.mid for m in got] == [2, 3, 4]


def times(w):
    got = [t for t, _ in w.said]
    return [t - got[0] for t in got]


def test_times_of_retransmission():
    for random, want in ((0, [0, 4000, 12000, 28000]), (255, [0, 5992, 17976, 41944])):
        w = World(random)
        w.run(200000)
        assert times(w)[:4] == want
        assert len({m.raw for _, m in w.said[:4]}) == 1  # the same message each time
        down = [e for e in w.events if e[0] == "DOWN"]
        assert down[0] == ("DOWN", "cloud", -160)
        assert w.conn.repeats == 3


def test_publish_is_repeated_until_its_ack():
    w = World().connect()
    mid = w.conn.publish(w.now, "a", b"1", 0, None)
    w.step()
    w.run(5000)
    got = w.take()
    assert len(got) == 2 and got[0].raw == got[1].raw and got[0].type == 0
    w.ack(got[0])
    assert w.events == [("ACKED", mid, 0)]
    w.ack(got[0])
    w.run(15000)
    assert w.take() == [] and w.events == [("ACKED", mid, 0)]


def test_ack_that_comes_when_the_repeat_is_queued():
    w = World().connect()
    w.conn.publish(w.now, "a", b"1", 0, None)
    w.step()
    m = w.take()[0]
    w.now += 4000
    w.conn.expire(w.now)
    w.conn.receive(bytearray(b"\x60\x00" + m.raw[2:4]), 4, w.now)
    w.step()
    assert w.take() == []


def test_publish_without_acknowledgement_goes_once():
    w = World().connect()
    mid = w.conn.publish(w.now, "a", b"1", 0, False)
    w.step()
    assert w.events == [("ACKED", mid, 0)]
    w.run(20000)
    assert [m.type for m in w.take()] == [1]


def test_requests_run_once_and_are_answered_again():
    w = World().connect()
    call = b"\x41\x02\x20\x05\x11\xb1f\x03led\x42on"
    w.feed(call)
    assert [m.raw for m in w.take()] == [b"\x60\x00\x20\x05"]
    for _ in range(3):
        w.feed(call)
    assert [m.raw for m in w.take()] == [b"\x60\x00\x20\x05"] * 3
    assert w.events == [("CALL", 0x11, ("led", "on"))]
    w.conn.respond(w.now, 0x11, 0x44, b"\0\0\0\1")
    w.step()
    result = w.take()[0]
    assert (result.type, result.code) == (0, 0x44)
    w.ack(result)
    # a record that was held back for long is still a repetition
    for _ in range(20):
        w.run(20000)
        for m in w.take():
            w.ack(m)
    w.events = []
    w.feed(call)
    assert w.events == [] and [m.raw for m in w.take()] == [b"\x60\x00\x20\x05"]
    # under other keys the ID means something else
    w.conn._fail(w.now, "cloud", -160)
    w.run(5000)
    w.conn.addresses(w.now, ["10.0.0.1"])
    w.conn.opened(w.now, True)
    w.step()
    w.connect()
    w.feed(call)
    assert w.events == [("CALL", 0x11, ("led", "on"))]


def test_more_requests_than_are_remembered():
    w = World().connect()
    for i in range(20):
        w.feed(b"\x40\x02\x30" + bytes([i]) + b"\xb1E\x01a")
    w.feed(b"\x40\x02\x30\x13\xb1E\x01a")
    assert len(w.events) == 20
    assert len(w.take()) == 21
    assert len(w.conn._seen) <= 8


def test_keep_alive():
    w = World().connect()
    start = w.now
    w.run(24999)
    assert w.take() == []
    w.run(1)
    ping = w.take()[0]
    assert ping.raw[:2] == b"\x40\x00" and w.now - start == 25000
    w.ack(ping)
    w.run(24000)
    w.feed(b"\x50\x02\x30\x01\xb1E\x01a")
    w.run(24000)
    assert w.take() == []  # what was received counts


def test_an_answered_ping_leaves_the_connection_alone():
    w = World().connect()
    for turn in range(10):
        w.run(25000)
        got = w.take()
        assert [m.raw[:2] for m in got] == [b"\x40\x00"], turn
        w.ack(got[0])
    assert w.events == [] and w.conn.ready


def test_unanswered_ping_ends_the_connection_after_30_seconds():
    w = World().connect()
    w.run(25000)
    start = w.now
    w.run(29999)
    assert len(w.take()) == 4 and w.events == []  # the ping is a CON: 0, 4, 12, 28 s
    w.run(1)
    assert w.now - start == 30000
    assert ("DOWN", "cloud", -160) in w.events


def test_ids_go_on_over_connections():
    w = World().connect()
    last = w.conn._mid
    w.conn._fail(w.now, "cloud", -160)
    w.run(5000)
    w.conn.addresses(w.now, ["10.0.0.1"])
    w.conn.opened(w.now, True)
    w.step()
    hello = [m for m in w.take() if m.path == "h"][0]
    assert hello.mid == last + 1


def test_a_refused_hello_is_no_connection():
    for answer in (b"\x70\x00", b"\x60\x80", b"\x60\xa0"):
        w = World()
        hello = w.take()[0]
        w.feed(answer + hello.raw[2:4])
        assert not w.conn.ready and ("DOWN", "cloud", -240) in w.events
        w.run(3000)
        assert w.conn.stage() != "cloud"


def test_a_reset_or_refused_publish_is_told_and_nothing_else_happens():
    for answer, code in ((b"\x70\x00", -1002), (b"\x60\x80", -1100), (b"\x60\xa0", -1132)):
        w = World().connect()
        mid = w.conn.publish(w.now, "a", b"1", 0, None)
        other = w.conn.publish(w.now, "b", b"1", 0, None)
        w.step()
        w.feed(answer + mid.to_bytes(2, "big"))
        assert w.events == [("ACKED", mid, code)] and w.conn.ready
        w.run(7000)
        assert {m.mid for m in w.take()} == {mid, other}  # only the other was repeated
        w.feed(b"\x60\x00" + other.to_bytes(2, "big"))
        w.run(30000)
        assert w.conn.ready or w.take()
    # out of the blue: anybody's old message
    w = World().connect()
    w.feed(b"\x70\x00\x77\x77")
    assert w.events == [] and w.conn.ready and w.take() == []


def test_what_is_not_understood_is_reset():
    w = World().connect()
    w.feed(b"\x40\x02\x30\x01\xb1z")  # POST /z without a token
    w.feed(b"\x41\x02\x30\x02\x05\xb1z")  # with one
    assert [m.raw for m in w.take()] == [b"\x70\x00\x30\x01", b"\x61\x84\x30\x02\x05"]
    w.feed(b"\x40\x02\x30\x01\xb1z")
    assert [m.raw for m in w.take()] == [b"\x70\x00\x30\x01"]


def test_devices_of_a_fleet_do_not_repeat_in_step():
    waits = set()
    for seed in range(0, 256, 5):
        w = World(seed)
        w.run(7000)
        waits.add(times(w)[1])
    assert len(waits) > 40 and min(waits) >= 4000 and max(waits) <= 6000
    assert max(waits) - min(waits) > 1500


def test_keep_alive_of_the_user():
    for seconds in (10, 1380):
        w = World().connect()
        w.conn.keep_alive = seconds
        start = w.now
        w.run(seconds * 1000 - 1)
        assert w.take() == []
        w.run(1)
        assert len(w.take()) == 1 and w.now - start == seconds * 1000


def test_clock_that_jumps():
    # ticks are of the board's timer and can stand still in a sleep or jump over days
    for jump in (1 << 29, (1 << 29) - 1, 86_400_000 * 3, -5000, -86_400_000, (1 << 30) - 1):
        w = World().connect()
        mid = w.conn.publish(w.now, "a", b"1", 0, None)
        w.step()
        sent = w.take()
        w.now = (w.now + jump) & 0x3FFFFFFF
        for _ in range(8):
            w.step()
        # it is still there, or connects anew, and a message is not repeated without end
        assert len(w.said) < 12
        for _ in range(40):
            d = w.conn.deadline()
            if w.conn.stage() in ("DNS", "port"):
                w.conn.addresses(w.now, ["10.0.0.1"])
                w.conn.opened(w.now, True)
            elif d is not None and diff(d, w.now) > 0:
                w.now = d
            w.step()
            for m in w.take():
                if m.type == 0:
                    w.ack(m)
        assert w.conn.ready, jump
        acked = [e for e in w.events if e[0] == "ACKED"]
        assert [e[1] for e in acked] == [mid] and sent
