"""Verbs that are loaded on first use: what they do over a scripted cloud (device-api 2, 5, 11)."""

import struct

import particle
from fake_cloud import connected, hurried, make, settle
from particle import Error
from particle.runtime import clock, vitals
from particle.runtime.limiter import full
from support import raises


def take(c, link, path):
    settle(c, link, lambda: [m for m in link.heard if m.path == path])
    return link.take(path)


def test_four_events_in_a_second():
    c, link = connected()
    sent = 0
    for _ in range(8):
        try:
            c.publish("a")
            sent += 1
        except Error as e:
            assert e.errno == -200
    assert sent == 4
    assert c.usage()["limited"] == 4 and not c.can_publish()
    # refused attempts count too: the oldest of the last four decides
    c.more.recent = [(t - 900) & 0x3FFFFFFF for t in c.more.recent]
    raises(Error, c.publish, "a")
    c.more.recent = [(t - 1100) & 0x3FFFFFFF for t in c.more.recent]
    assert c.can_publish()
    c.publish("a")


def test_events_of_weeks_ago_are_no_limit():
    """Ticks go round in 12 days: what was long ago must not look like the future."""
    day = 86400000
    for t in (0, 500, 0x3FFFFFFF):
        recent = [t] * 4
        assert full(recent, t) and full(recent, (t + 999) & 0x3FFFFFFF)
        assert full(recent, (t - 20) & 0x3FFFFFFF)  # a step that began before them
        for later in (1000, day, 6 * day, 7 * day, 12 * day):
            assert not full(recent, (t + later) & 0x3FFFFFFF), later


def test_limit_of_system_events():
    c, link = connected()
    link.chunk = 0  # nothing leaves, so that the test is quick
    c.more.window = -1
    for i in range(255):
        c._system(70000, "PUBLISH", "particle/x" if i & 1 else "spark/x")
    raises(Error, c._system, 70000, "PUBLISH", "spark/x")
    c._system(70000, "PUBLISH", "Spark/x")  # the comparison minds the case
    c._system(70000 + 65536, "PUBLISH", "spark/x")


def test_names_the_cloud_knows():
    c, link = connected()
    link.answer = {"particle/device/name": b"lamp", "particle/device/ip": b"10.1.2.3"}
    assert c.get_name() == "lamp"
    assert c.get_ip() == "10.1.2.3"
    e = raises(Error, lambda: c.get_random(timeout=0.05))
    assert e.errno == -160
    assert c.usage()["ops"] == 6


def test_answers_that_come_late_twice_or_never():
    c, link = connected()
    name = b"\x50\x02\xb1E\x08particle\x06device\x04name\xfflamp"
    link.mute = "t"  # and nothing answers the event
    e = raises(Error, lambda: c.get_name(timeout=0.05))
    assert e.errno == -160
    late = c.more.asked["particle/device/name"]
    for _ in range(2):
        link.say(name)
    settle(c, link, lambda: "particle/device/name" not in c.more.asked)
    # the late answer changes nothing of what was said, nor does it answer the next question
    assert late.status == "FAILED" and late.error is e
    raises(Error, lambda: c.get_name(timeout=0.05))
    link.answer = {"particle/device/name": b"lamp"}
    c.more.recent = []
    assert c.get_name(timeout=5) == "lamp"
    hurried(lambda: raises(Error, c.sync_time))
    link.mute = ""
    assert c.sync_time() == 0x6553F100


def test_time():
    c, link = connected()
    assert c.sync_time() == 0x6553F100
    assert c.time_synced_last()[1] == 0x6553F100 and not c.sync_time_pending()
    link.mute = "t"
    e = hurried(lambda: raises(Error, c.sync_time))
    assert e.errno == -160
    assert c.sync_time_pending()
    # a board's clock was set to the cloud's time, long ago; a host's is never set
    assert clock.now() >= 0x6553F100
    clock.set(1767225600)
    assert clock.valid()


def test_keep_alive():
    c, link = make()
    assert c.keep_alive() == 15
    assert c.keep_alive(30) == 30
    c.connect(timeout=30, background=False)
    assert c._conn.keep_alive == 30 and c.keep_alive(7) == 7 == c._conn.keep_alive
    raises(Error, c.keep_alive, 0)


def test_usage():
    c, link = make()
    assert c.usage()["ops"] == 0 and c.usage()["bytes_tx"] == 0
    assert c.usage()["queued"] == c.usage()["dropped"] == 0
    c.function("f", lambda a: 1)
    c.variable("v", 1)
    c.connect(timeout=30, background=False)
    got = []
    c.subscribe("in", lambda n, d: got.append(d))
    c.publish("out", "x", ack=True).wait(5)
    link.say(b"\x41\x02\x11\xb1f\x01f\x40")
    link.say(b"\x41\x01\x12\xb1v\x01v")
    link.say(b"\x50\x02\xb1E\x02in")
    settle(c, link, lambda: got)
    u = c.usage()
    assert u["ops"] == 4 and u["handshakes"] == 1 and u["pings"] == 0 and u["drops"] == 0
    assert u["bytes_tx"] == link.sock.taken and u["bytes_rx"] == link.sock.given


def test_flush():
    c, link = connected()
    link.chunk = 0
    c.publish("a")
    assert c.flush(0.05) is False
    link.chunk = 1000
    assert c.flush(5) is True
    assert len(link.take("E")) == 1


def test_vitals():
    c, link = connected()
    vitals.register(40000, "app:one", lambda: 7)
    vitals.register(40001, "app:two", lambda: 1 // 0)
    raises(ValueError, vitals.register, 1, "x", int)
    link.say(b"\x41\x01\x13\xb1d\x41\x04")
    settle(c, link, lambda: [m for m in link.heard if m.token == b"\x13" and m.code >= 0x40])
    data = [m for m in link.heard if m.token == b"\x13" and m.code >= 0x40][0].payload
    c.publish_vitals()
    posted = take(c, link, "d")
    assert posted[0].query == b"\x04" and len(posted[0].payload) == len(data)
    assert data[:7] == b"\x00\x04\x00\x02\x00\x04\x00"
    entries = {}
    for at in range(7, len(data), 6):
        number, value = struct.unpack_from("<HI", data, at)
        entries[number] = value
    assert entries[10] == 2 and entries[40000] == 7
    assert entries[40001 | 0x8000] == (-120) & 0xFFFFFFFF
    assert vitals.snapshot(c)["app:one"] == 7 and vitals.snapshot(c)["app:two"] is None


def test_vitals_repeated():
    c, link = connected()
    c.publish_vitals(0.05)
    for _ in range(3):
        assert len(take(c, link, "d")) == 1
    c.publish_vitals(0)
    take(c, link, "d")
    c.wait_until(lambda: False, 0.15)
    assert link.take("d") == []


def test_disconnect_options():
    c, link = connected()
    c.set_disconnect_options(graceful=True, timeout=1)
    c.disconnect()
    assert link.take("x")[0].payload == b"\x01\x02"


def test_diagnose():
    c, link = connected()
    stages = {stage: ok for stage, ok, _ in c.diagnose()}
    assert all(ok is not False for ok in stages.values())
    assert stages["cloud"] is True and stages["server key"] is True
    assert "MAC" in "".join([text for _, _, text in c.diagnose()])
    assert "MAC" in repr(c) and c.device_id in repr(c)
    c, link = make()
    link.refuses = True
    raises(Error, lambda: c.connect(timeout=2, background=False))
    found = {stage: (ok, text) for stage, ok, text in c.diagnose()}
    assert found["port"][0] is False and "firewall" in found["port"][1]
    assert found["link"][0] is True and found["cloud"][0] is None
    c, link = make()
    del c._store.files["device.rsa.der"]
    found = {stage: (ok, text) for stage, ok, text in c.diagnose()}
    assert found["device key"][0] is False and "provision" in found["device key"][1]


def test_values():
    c, link = make()
    assert c.max_event_data_size == c.max_variable_value_size == 1024
    assert Cloud622().max_function_argument_size == 622
    assert c.interface == "host"
    raises(AttributeError, getattr, c, "no_such_verb")
    raises(AttributeError, getattr, c, "check")  # a helper of the file, not a verb
    assert particle.WITH_ACK == 8 and particle.NO_ACK == 2 and particle.BINARY == 42


def Cloud622():
    return make(limits="622")[0]


def test_smaller_limits():
    c, link = connected(limits="622")
    raises(Error, c.publish, "a", "x" * 623)
    c.publish("a", "x" * 622)


def test_system_events():
    c, link = make()
    c._store.put(4, b"CLAIM")
    c.connect(timeout=30, background=False)
    settle(c, link, lambda: [m for m in link.heard if m.name == "spark/device/claim/code"])
    m = [m for m in link.heard if m.name == "spark/device/claim/code"][0]
    assert m.payload == b"CLAIM" and m.type == 1
    link.say(b"\x50\x02\xb1E\x05spark\x06device\x05claim\x01x")
    settle(c, link, lambda: c._store.get(4) == b"1")
    # a value that changed is echoed, an empty one is nothing
    link.heard = []
    forced = b"\x50\x02\xb1E\x08particle\x06device\x07updates\x06forced"
    link.say(forced)
    link.say(forced + b"\xfftrue")
    link.say(forced + b"\xfft")
    link.say(forced.replace(b"\x06forced", b"\x07pending") + b"\xfftrue")
    settle(c, link, lambda: c.more.updates_pending)
    c.wait_until(lambda: False, 0.05)
    assert [(m.name, m.payload) for m in link.take("E")] == [
        ("particle/device/updates/forced", b"true")
    ]
    assert c.more.updates_forced is True
    # what cannot be read is nobody's answer
    link.say(b"\x50\x02\xb1E\x05spark\x07unheard\xff\xff\xfe")
    link.say(b"\x50\x02\xb1E\x08particle\x06device\x04name\xff\xff\xfe")
    link.say(b"\x40\x00")
    settle(c, link, lambda: [m for m in link.heard if m.type == 2])


class Week:
    """`time` of a board whose uptime nobody asked for in `days` days."""

    def __init__(self, since, days):
        self.now = (since + days * 86400000) & 0x3FFFFFFF

    def ticks_ms(self):
        return self.now

    def ticks_diff(self, later, earlier):
        half = 0x20000000
        return ((later - earlier + half) & 0x3FFFFFFF) - half


def test_uptime_is_right_after_a_week_without_a_question():
    real = vitals.time, vitals._ticks, vitals._ms
    try:
        for start in (0, 0x3FFFFFF0):
            for days in (1, 6, 7, 12):
                vitals._ticks = start
                vitals._ms = 5000
                vitals.time = Week(start, days)
                assert [vitals.uptime(), vitals.uptime()] == [5 + days * 86400] * 2
    finally:
        vitals.time, vitals._ticks, vitals._ms = real


def test_claim_that_cannot_be_stored_or_read_does_not_end_the_program():
    c, link = connected()
    real = c._store.put, c._store.get

    def fails(kind, *_):
        raise Error(-225, "cannot write claim: no room, remove files", "store")

    for c._store.put, c._store.get in ((fails, real[1]), (real[0], fails)):
        link.say(b"\x50\x02\xb1E\x05spark\x06device\x05claim\x01x")
        link.say(b"\x40\x00")
        link.heard = []
        settle(c, link, lambda: [m for m in link.heard if m.type == 2])
        assert c.connected()


def test_claim_code_that_cannot_be_read():
    c, link = make()

    def damaged(kind):
        raise Error(-280, "claim is damaged", "store")

    c._store.get = damaged
    c.connect(timeout=30, background=False)
    assert c.connected()


def test_updates_flags_on_every_connect_when_wanted():
    c, link = make(connect_events=True)
    c.connect(timeout=30, background=False)
    settle(c, link, lambda: len([m for m in link.heard if "updates" in (m.name or "")]) == 2)


def test_reconnect_on_the_clouds_order():
    c, link = connected()
    link.say(b"\x50\x02\xb1E\x05spark\x06device\x05reset\xffnetwork")
    settle(c, link, lambda: link.opened == 2 and c.connected())


def test_signal_and_key_change():
    c, link = connected()
    link.say(b"\x41\x03\x21\xb1s\x41\x01")
    settle(c, link, lambda: c.more.signal)
    link.say(b"\x41\x03\x22\xb1s\x41\x00")
    settle(c, link, lambda: not c.more.signal)
    link.heard = []
    link.say(b"\x41\x03\x0f\xb1k\x41\x01")
    settle(c, link, lambda: link.heard)
    assert link.heard[0].type == 2 and link.heard[0].code == 0 and c.connected()
