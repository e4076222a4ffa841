"""The client over a scripted cloud: servicing, operations, handlers (device-api 1, 2)."""

import asyncio

from fake_cloud import ID, Board, CloudLink, Files, connected, make, settle
from particle import Cloud, ConfigError, Disconnected, Error
from particle.client import now
from particle.session.messaging import diff
from support import raises


def test_connect_and_names():
    c, link = make()
    assert c.device_id == ID and c.disconnected()
    raises(Error, c.publish, "a")
    assert c.connect(timeout=30, background=False) is True
    assert c.connected() and not c.disconnected()
    assert c.connect(timeout=1, background=False) is True
    assert link.opened == 1


def test_process_alone_is_enough():
    c, link = make()
    c._open()
    for _ in range(3000):
        c.process()
        if c.connected():
            break
    assert c.connected()


def test_small_writes():
    c, link = make()
    link.chunk = 7
    assert c.connect(timeout=30, background=False)
    op = c.publish("a", "x" * 300, ack=True)
    assert op
    assert link.take("E")[0].payload == b"x" * 300


def test_publish():
    c, link = connected()
    cases = (
        (None, b"", b""),
        ("21.5", b"21.5", b""),
        (21.5, b"21.5", b""),
        (True, b"true", b""),
        (7, b"7", b""),
        (b"\x00\xff", b"\x00\xff", b"\x2a"),
        ({"a": [1]}, b'{"a": [1]}', b""),
        ("gr\u00fc\u00df", "gr\u00fc\u00df".encode(), b""),
    )
    for data, payload, _ in cases:
        c.more.recent = []  # the limit of four a second has its own test
        p = c.publish("door/x", data)
        assert p.status == "SENDING" or p.done()
        assert bool(p) and p.status == "SENT" and p.error is None
        m = link.take("E")[0]
        assert (m.type, m.name, m.payload) == (1, "door/x", payload)
    assert repr(p).startswith("<Publish door/x sent ")


def test_publish_with_acknowledgement():
    c, link = connected()
    p = c.publish("a", "1", ack=True)
    assert p.wait(5) and p.result() is True
    assert link.take("E")[0].type == 0
    link.acks = False
    p = c.publish("a", "1", ack=True, timeout=0.05)
    assert not p and not p.done()
    raises(Error, p.result)
    link.sock.closed = True
    settle(c, link, p.done)
    assert p.status == "FAILED" and p.error.errno == -150
    assert isinstance(p.error, Disconnected)
    raises(Error, p.result)


def test_publish_refuses_what_it_cannot_send():
    c, link = connected()
    for name in ("", "x" * 65, None, 5, "\u00e4" * 33):
        raises(ValueError, c.publish, name)
    e = raises(Error, c.publish, "a", "x" * 1025)
    assert e.errno == -190 and "1025 bytes, at most 1024" in str(e)
    assert c.publish("x" * 64, "y" * 1024, ack=True)
    assert len(link.take("E")) == 1


def test_functions():
    c, link = make()
    calls = []

    @c.function("led")
    def led(arg):
        calls.append(arg)
        return {"on": True, "none": None, "big": 1 << 31, "text": "x", "7": 7}[arg]

    c.connect(timeout=30, background=False)
    for arg, want in (("on", 1), ("none", 0), ("7", 7), ("big", -1), ("text", -1), ("other", -1)):
        head = b"\xb1f\x03led" + bytes([0x40 | len(arg)]) + arg.encode()
        link.heard = []
        link.say(b"\x41\x02" + b"\x33" + head)
        settle(c, link, lambda: [m for m in link.heard if m.code == 0x44])
        m = [m for m in link.heard if m.code == 0x44][0]
        assert m.token == b"\x33" and m.payload == (want & 0xFFFFFFFF).to_bytes(4, "big")
    assert calls == ["on", "none", "7", "big", "text", "other"]
    link.say(b"\x41\x02\x34\xb1f\x04none\x40")
    settle(c, link, lambda: [m for m in link.heard if m.code == 0x84])


def test_a_call_is_acknowledged_before_the_function_runs():
    c, link = connected()
    link.heard = []
    said = []
    c.function("slow", lambda text: said.extend(link.heard) or 1)
    link.say(b"\x41\x02\x07\xb1f\x04slow\x40")
    settle(c, link, lambda: said)
    assert [m.raw[:2] for m in said if m.type == 2] == [b"\x60\x00"]


def test_what_lets_an_acknowledgement_out_comes_before_functions():
    c, link = connected()
    order = []
    c._conn.saved = lambda ok: order.append("saved")
    c.function("f", lambda text: order.append(text) or 1)
    for text in ("first", "second"):
        c._conn._emit("CALL", 7, ("f", text))
    c._conn._emit("SAVE", b"session")
    c.process()
    assert order == ["saved", "first", "second"]


def test_variables():
    import struct

    c, link = make()
    temp = c.variable("temp", 21.5)
    c.variable("count", 3)
    c.variable("on", True)
    c.variable("name", "porch")
    c.variable("late", lambda: 1.5, type=float)
    c.variable("bad", lambda: 1 // 0, type=int)
    raises(ValueError, c.variable, "x", [1])
    raises(ValueError, c.variable, "x", 1 << 31)
    temp.value = 22
    c.connect(timeout=30, background=False)

    def read(name):
        link.heard = []
        link.say(b"\x41\x01\x21\xb1v" + bytes([len(name)]) + name.encode())
        settle(
            c,
            link,
            lambda: [
                m for m in link.heard if m.token == b"\x21" and m.code >= 0x40 and m.type != 2
            ],
        )
        m = [m for m in link.heard if m.token == b"\x21" and m.code >= 0x40][-1]
        return m.code, m.payload

    assert read("temp") == (0x45, struct.pack("<d", 22.0))
    assert read("count") == (0x45, b"\0\0\0\3")
    assert read("on") == (0x45, b"\1")
    assert read("name") == (0x45, b"porch")
    assert read("late") == (0x45, struct.pack("<d", 1.5))
    assert read("bad") == (0xA0, b"")
    assert read("none") == (0x84, b"")


def test_description():
    c, link = make()
    c.function("b", lambda a: 1)
    c.function("a", lambda a: 1)
    c.variable("v", 1.0)
    c.connect(timeout=30, background=False)
    c.wait_until(lambda: False, 0.1)
    got = link.take("d")
    assert [(m.query, m.payload) for m in got] == [
        (b"\x01", b'{"p":6,"m":[]}'),
        (b"\x02", b'{"f":["a","b"],"v":{"v":9}}'),
    ]
    c.function("late", lambda a: 1)
    c.variable("more", 1)
    settle(c, link, lambda: [m for m in link.heard if m.path == "d"])
    got = link.take("d")
    assert len(got) == 1  # both in one description
    assert got[0].payload == b'{"f":["a","b","late"],"v":{"more":2,"v":9}}'


def test_subscriptions():
    c, link = make()
    got = []
    c.subscribe("door", lambda n, d: got.append((1, n, d)))
    c.subscribe("door/f", lambda n, d: got.append((2, n, d)))
    c.subscribe("pic", lambda n, d: got.append((3, n, d)), binary=True)
    raises(ValueError, c.subscribe, "")
    c.connect(timeout=30, background=False)
    c.wait_until(lambda: False, 0.1)
    names = [(m.name, m.query) for m in link.take("e")]
    assert names == [
        ("particle", b""),
        ("spark", b""),
        ("door", b""),
        ("door/f", b""),
        ("pic", b"b"),
    ]
    link.say(b"\x50\x02\xb1E\x04door\x05front\xffopen")
    link.say(b"\x50\x02\xb1E\x04door")
    link.say(b"\x50\x02\xb1E\x03pic\x11\x2a\xff\x00\x01")
    link.say(b"\x50\x02\xb1E\x04door\x11\x2a\xff\x00\x01")
    settle(c, link, lambda: len(got) == 4)
    assert got == [
        (1, "door/front", "open"),
        (2, "door/front", "open"),
        (1, "door", None),
        (3, "pic", b"\x00\x01"),
    ]
    c.subscribe("more", print)
    raises(Error, c.subscribe, "too many", print)
    c.unsubscribe("door")
    link.say(b"\x50\x02\xb1E\x04door")
    link.say(b"\x50\x02\xb1E\x06door/f")
    settle(c, link, lambda: len(got) == 5)
    assert got[4][0] == 2
    c.unsubscribe()
    assert c.subscribe("again", print)
    # the filters of the system are not the application's to remove
    c.subscribe("spark", print)
    c.unsubscribe("spark")
    assert [f[0] for f in c._conn._filters] == ["particle", "spark", "again"]


def test_handler_that_raises_or_calls_the_library():
    c, link = make()
    got = []

    def handler(name, data):
        got.append(c.process())  # re-entrant: nothing happens
        c.publish("answer", data)
        raise RuntimeError("the application's mistake")

    c.subscribe("ask", handler)
    c.connect(timeout=30, background=False)
    link.say(b"\x50\x02\xb1E\x03ask\xff1")
    settle(c, link, lambda: [m for m in link.heard if m.path == "E"])
    assert got == [0] and c.connected()


def test_handler_that_raises_what_ends_a_task():
    c, link = make()
    kinds = [GeneratorExit, asyncio.CancelledError]

    def handler(text):
        raise kinds[int(text)]

    c.function("f", handler)
    c.connect(timeout=30, background=False)
    for i in range(2):
        link.say(b"\x41\x02\x07\xb1f\x01f\x41%d" % i)
        settle(c, link, lambda i=i: len([m for m in link.heard if m.code == 0x44]) == i + 1)
    assert link.heard[-1].payload == b"\xff\xff\xff\xff" and c.connected()


def test_waiting_in_a_handler_is_refused():
    # nothing could come while it waits: it would only last as long as the time-out
    c, link = make()
    said = []

    def handler(text):
        try:
            c.publish("x", text, ack=True).wait(20)
        except Error as e:
            said.append(e.errno)
        return 1

    c.function("f", handler)
    c.connect(timeout=30, background=False)
    start = now()
    link.say(b"\x41\x02\x07\xb1f\x01f\x41a")
    settle(c, link, lambda: said)
    assert said == [-210] and diff(now(), start) < 5000


def test_waiting_inside_a_task_is_refused_and_await_works():
    c, link = make()
    seen = []

    async def main():
        raises(Error, c.run)
        op = c.connect(timeout=30)
        raises(Error, op.wait, 1)
        assert await op is True
        p = c.publish("a", "1", ack=True)
        assert await p is True
        link.acks = False
        p = c.publish("a", "1", ack=True, timeout=0.05)
        try:
            await p
        except Error as e:
            seen.append(e.errno)
        task = asyncio.create_task(c.run_forever())
        link.acks = True
        p = c.publish("b", "2", ack=True)
        while not p.done():
            await asyncio.sleep(0.01)
        seen.append(p.status)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            seen.append("cancelled")

    asyncio.run(main())
    assert seen == [-160, "SENT", "cancelled"]


def test_time_out_names_the_stage():
    c, link = make()
    link.refuses = True
    start = now()
    e = raises(Error, lambda: c.connect(timeout=2, background=False))
    assert e.errno == -160 and e.stage == "port" and "firewall" in str(e)
    assert 1900 < diff(now(), start) < 60000
    # nothing has failed yet when the time is over
    c, link = make()
    link.answers = False
    e = raises(Error, lambda: c.connect(timeout=1, background=False))
    assert e.errno == -160 and e.stage == "transport"


def test_missing_settings_are_told_before_any_io():
    store = Files()
    store.files["config.json"] = None
    link = CloudLink()
    c = Cloud(board=Board, store=store, link=link, device_id=ID)
    e = raises(ConfigError, c.connect, 1)
    assert "particle.server" in str(e)
    c, link = make()
    del c._store.files["device.rsa.der"]
    e = raises(ConfigError, c.connect, 1)
    assert e.stage == "device key"
    assert link.opened == 0


def test_config():
    c, link = make()
    assert c.config("server") == "10.0.0.1"
    c.config(keep_alive=30, product_id=7)
    assert c.config()["keep_alive"] == 30
    raises(ConfigError, lambda: c.config(keep_alive=0, product_id=8))
    assert c.config("product_id") == 7
    again = Cloud(board=Board, store=c._store, link=link)
    assert again.config("product_id") == 7
    from tcp_peer import field

    again.server("cloud.example", 5000, key=field("server_public_key_der"))
    assert again.config("server") == "cloud.example" and again.config("port") == 5000
    raises(ValueError, lambda: again.server("cloud.example", key=b"junk"))


def test_settings_take_effect_on_a_connection_that_is_tried():
    c, link = make()
    link.refuses = True
    e = raises(Error, lambda: c.connect(timeout=2, background=False))
    assert e.stage == "port"
    link.port = 7000
    link.refuses = False
    c.server("10.0.0.1", 7000)
    assert c.connect(timeout=30, background=False) and c.connected()


def test_settings_take_effect_on_a_connection_that_stands():
    c, link = make()
    c.function("led", lambda text: 1)
    c.subscribe("door", print)
    c.connect(timeout=30, background=False)
    first = link.sock
    waiting = c.publish("a", "1", ack=None)
    link.heard = []
    c.config(auto_connect=True)
    assert c.connected() and link.sock is first
    c.config(product_version=9)
    assert first.closed and not c.connected() and waiting.done()
    settle(c, link, lambda: [m for m in link.heard if m.name == "door"])
    assert c.connected() and [m for m in link.heard if m.path == "d"]
    # in a handler it happens after it
    link.heard = []
    c.subscribe("order", lambda name, data: c.config(product_version=10))
    second = link.sock
    link.say(b"\x50\x02\xb1E\x05order")
    settle(c, link, lambda: [m for m in link.heard if m.name == "door"])
    assert second.closed and c.connected()


def test_handler_that_names_another_server():
    c, link = make()
    c.function("move", lambda port: c.server("10.0.0.1", int(port)) or 1)
    c.connect(timeout=30, background=False)
    first = link.sock
    link.port = 7000
    link.say(b"\x41\x02\x07\xb1f\x04move\x447000")
    settle(c, link, lambda: first.closed and c.connected())
    assert link.opened == 2


def test_settings_do_not_connect_what_was_off():
    c, link = make()
    c.connect(timeout=30, background=False)
    c.disconnect()
    c.config(product_version=9)
    for _ in range(50):
        c.process()
    assert link.opened == 1 and not c.connected()
    c.connect(timeout=30, background=False)
    assert link.opened == 2


def test_another_server_counts_from_the_next_connect_on():
    c, link = connected()
    old = link.sock
    c.server("10.0.0.1", 5683)
    assert old.closed and not c.connected()
    c.server("10.9.9.9")
    c._open()
    assert c._conn._host == "10.9.9.9"


def test_disconnect():
    c, link = connected()
    c.disconnect()
    assert not c.connected() and link.sock.closed
    assert link.take("x") == []
    for _ in range(5):
        c.process()
    assert link.opened == 1
    c.connect(timeout=30, background=False)
    c.disconnect(graceful=True)
    assert link.take("x")[0].payload == b"\x01\x02" and link.sock.closed


def test_connection_lost_and_found():
    c, link = connected()
    link.sock.closed = True
    settle(c, link, lambda: link.opened == 2 and c.connected())
