"""What the cloud asks and answers in a connection, and what is no question (3, 4)."""

from tcp_world import APP, World


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
