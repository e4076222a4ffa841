"""Going on with a stored session, over a channel without encryption on a fake clock (2.4-2.6)."""

import struct

from particle.errors import Error
from stored_session import Board, Flash, Keys, joined, unique


def test_resume_says_what_there_is_to_say_and_nothing_else():
    b, flash, numbers = joined()
    b = Board(flash, numbers)
    assert b.conn.ready and b.take() == []
    mid = b.conn.publish(b.now, "temp", b"1", 0, None)
    b.step()
    got = b.take()
    assert [(m.path, m.mid) for m in got] == [("E", mid)]
    b.ack(got[0])
    assert ("ACKED", mid, 0) in b.events
    b.run(20000)
    assert b.take() == []
    assert b.conn.resumes == 1 and b.conn.handshakes == 0
    unique(numbers)


def test_ping_when_there_is_nothing_to_say():
    b, flash, numbers = joined()
    b = Board(flash, numbers)
    b.run(199)
    assert b.take() == []
    b.run(1)
    assert [m.raw[:2] for m in b.take()] == [b"\x40\x00"]


def test_what_changed_is_announced():
    b, flash, numbers = joined()
    b = Board(flash, numbers, app=b'{"f":[],"v":{}}', filters=("door", "bell"))
    got = b.ack_all()
    assert [m.path for m in got] == ["d", "e", "e", "e", "e"]
    b = Board(flash, numbers, app=b'{"f":[],"v":{}}', filters=("door", "bell"))
    assert b.take() == []


def test_a_refused_announcement_is_made_again():
    flash = Flash()
    b = Board(flash, [])
    b.ack(b.take()[0])
    for m in b.take():
        b.ack(m, 0x80 if m.path == "e" else 0)
    assert b.conn.ready
    b = Board(flash, [])
    assert "e" in [m.path for m in b.take()]


def test_closed_receive_side():
    b, flash, numbers = joined()
    old = b.conn.publish(b.now, "a", b"", 0, None)
    b.step()
    b = Board(flash, numbers)
    mid = b.conn.publish(b.now, "b", b"", 0, None)
    b.step()
    # records of earlier boots: a function call, an event, ACKs of IDs not sent since
    b.feed(b"\x41\x02\x20\x05\x11\xb1f\x03led\x40")
    b.feed(b"\x50\x02\x20\x06\xb1E\x01x")
    b.feed(b"\x60\x00" + old.to_bytes(2, "big"))
    b.feed(b"\x60\x00" + ((mid + 1) & 0xFFFF).to_bytes(2, "big"))
    assert [e for e in b.events if e[0] in ("CALL", "EVENT", "ACKED")] == []
    b.feed(b"\x60\x00" + mid.to_bytes(2, "big"))
    assert ("ACKED", mid, 0) in b.events
    b.feed(b"\x50\x02\x20\x06\xb1E\x01x")
    assert ("EVENT", "x", (b"", 0)) in b.events


def test_numbers_never_repeat_over_power_cuts():
    b, flash, numbers = joined()
    mids = []
    for boot in range(30):
        b = Board(flash, numbers)
        for _ in range(boot * 17 % 60):
            mids.append(b.conn.publish(b.now, "a", b"", 0, None))
            b.step()
            if boot % 3:
                b.ack_all()
            if b.conn.room() < 4:
                break
    unique(numbers)
    unique(mids)
    assert len(numbers) > 300


def test_a_new_connection_while_the_goodbye_is_on_its_way():
    for acknowledged in (False, True):
        b, flash, numbers = joined()
        event = b.conn.publish(b.now, "a", b"", 0, None)
        b.conn.close(b.now, 2)
        b.step()
        said = b.take()
        assert [m.path for m in said] == ["E", "x"] and b.events[-1][0] != "HANGUP"
        if acknowledged:
            b.ack(said[1])
        b.events = []
        b.conn.start(b.now)
        b.step()
        # the socket of the old one is closed before; the session goes on behind its last record
        assert [e[0] for e in b.events] == ["HANGUP", "OPEN", "READY"] and b.conn.ready
        b.run(1)
        unique(numbers)
        got = b.take()
        assert [(m.path, m.mid) for m in got] == [("E", event)]
        b.ack(got[0])
        b.run(20000)
        assert b.take() == [] and ("ACKED", event, 0) in b.events
        assert b.conn.resumes == 1 and b.conn.failures == 0


def test_numbers_are_reserved_in_steps():
    b, flash, numbers = joined()
    b = Board(flash, numbers)
    b.conn.publish(b.now, "a", b"", 0, None)
    b.step()
    b.ack_all()
    before = flash.writes
    for _ in range(1024):
        b.conn.publish(b.now, "a", b"", 0, None)
        b.step()
        b.ack_all()
        b.events = []
        del numbers[:]
    assert flash.writes - before <= 5


def test_unanswered_resume_takes_a_new_socket_then_a_handshake():
    b, flash, numbers = joined()
    b = Board(flash, numbers)
    b.conn.publish(b.now, "a", b"1", 0, None)
    b.step()
    start = b.now
    while not [m for m in b.said if m.path == "h"]:
        b.run(100)
        assert b.now - start < 60000
    got = b.take()
    assert b.dials == 3
    assert len([m for m in got if m.path == "E"]) == 6  # three times on each of two sockets
    assert len({m.raw for m in got if m.path == "E"}) == 1
    b.ack(got[-1])
    # the event is sent again behind what the new session wants to know
    assert [m.path for m in b.ack_all()][-1] == "E"
    # whoever waited was told after 20 s that nothing is known; the event went on all the same
    assert [e[2] for e in b.events if e[0] == "ACKED"] == [-160]


def test_a_long_blackout_costs_no_session():
    b, flash, numbers = joined()
    mid = b.conn.publish(b.now, "a", b"1", 0, None)
    b.step()
    attempts = []
    b.conn._channel.start = attempts.append  # a handshake that nobody answers
    for _ in range(40):
        b.run(20000)
        if len(attempts) % 2:
            attempts.append(None)
            b.conn._fail(b.now, "port", -160)
    assert len(attempts) > 8 and b.conn.resumes > 5
    while b.conn._state != 7:
        b.run(1000)
        if b.conn._state == 5:
            b.conn._fail(b.now, "port", -160)
    b.said = b.said[-1:]
    assert [m.mid for m in b.ack_all()] == [mid]
    assert b.conn.ready and b.conn.handshakes == 1
    unique(numbers)


def test_a_socket_that_fails_is_no_answer_of_the_cloud():
    b, flash, numbers = joined()
    for _ in range(20):
        b.conn._fail(b.now, "port", -230)
        b.run(4000)
    assert b.conn.handshakes == 1 and b.conn.resumes > 5
    unique(numbers)


def test_a_lost_connection_goes_on():
    b, flash, numbers = joined()
    writes = flash.writes
    mids = [b.conn.publish(b.now, name, b"", 0, None) for name in ("a", "b", "c")]
    b.step()
    b.ack(b.take()[1])
    b.conn._fail(b.now, "link", -230)
    b.run(3000)
    got = [m for m in b.take() if m.path == "E"]
    assert [m.name for m in got][:2] == ["a", "c"] and [m.mid for m in got][:2] == [
        mids[0],
        mids[2],
    ]
    for m in got:
        b.ack(m)
    acked = [e[1] for e in b.events if e[0] == "ACKED"]
    assert sorted(acked) == mids and b.conn.resumes == 1
    assert flash.writes - writes == 2
    unique(numbers)


def test_end_of_the_session_by_the_cloud():
    b, flash, numbers = joined()
    b.conn._channel._events.append(("DOWN", "cloud", -201))
    b.step()
    b.run(5000)
    assert "h" in [m.path for m in b.take()]


def test_damaged_truncated_foreign_and_old_files():
    b, flash, numbers = joined()
    good = flash.data
    Keys.public = b"another"
    try:
        assert [m.path for m in Board(flash, []).take()] == ["h"]
    finally:
        Keys.public = b"device"
    flash.data = good
    assert [m.path for m in Board(flash, [], host="10.0.0.8").take()] == ["h"]
    for data in [b"damaged", b""] + [good[:n] for n in range(0, len(good), 7)] + [good + b"x"]:
        flash.data = data
        assert [m.path for m in Board(flash, []).take()] == ["h"], data


def test_full_flash():
    # a session that cannot be stored works, and is not gone on with after a reset
    flash = Flash()
    flash.full = True
    b = Board(flash, [])
    b.ack_all()
    for _ in range(600):
        b.conn.publish(b.now, "a", b"", 0, None)
        b.step()
        b.ack_all()
        b.events = []
    assert b.conn.ready and flash.data is None
    # one that is stored but cannot reserve numbers any more ends: they would be used twice
    b, flash, numbers = joined()
    flash.full = True
    for _ in range(300):
        if not b.conn.ready:
            break
        b.conn.publish(b.now, "a", b"", 0, None)
        b.step()
        b.ack_all()
    b.run(5000)
    assert "h" in [m.path for m in b.take()]
    stored = struct.unpack_from("<II40s8sII", flash.data)
    assert stored[5] >= max(numbers[: len(numbers)]) or stored[5] >= 256


def test_the_other_wire_profile_is_tried():
    flash = Flash()
    b = Board(flash, [])
    profiles = []
    for _ in range(6):
        profiles.append(b.conn._channel.profile)
        b.conn._fail(b.now, "transport", -160)
        b.run(4000)
    assert profiles == [0, 0, 1, 1, 0, 0]
    # what worked is remembered with the session
    while not b.conn._channel.profile:
        b.conn._fail(b.now, "transport", -160)
        b.run(4000)
    b.said = [m for m in b.said if m.path == "h"][-1:]
    b.ack_all()
    assert b.conn.ready and Board(flash, []).conn._channel.profile == 1


def test_unacknowledged_publishes_go_again_in_order_before_new_ones():
    b, flash, numbers = joined()
    names = "abcdef"
    mids = [b.conn.publish(b.now, name, b"", 0, None) for name in names]
    b.step()
    for m in b.take():
        if m.name in ("b", "e"):
            b.ack(m)
    for _ in range(2):  # also when it is lost a second time
        b.conn._fail(b.now, "link", -230)
        b.run(3000)
        b.conn.publish(b.now, "new", b"", 0, None)
        b.step()
        got = [m for m in b.take() if m.path == "E"]
        assert [m.name for m in got][:4] == ["a", "c", "d", "f"]
        assert [m.name for m in got][4:] == ["new"] * (len(got) - 4)
        assert [m.mid for m in got][:4] == [mids[0], mids[2], mids[3], mids[5]]
    for m in got:
        b.ack(m)
    assert {e[1] for e in b.events if e[0] == "ACKED"} >= set(mids)
    assert b.conn.resumes == 2 and b.conn.handshakes == 1


def test_a_blackout_with_a_talkative_application_loses_no_number():
    # what has no ACK is bounded: everything that was taken can go again at once
    b, flash, numbers = joined()
    taken = []
    for i in range(60):
        try:
            taken.append(b.conn.publish(b.now, "n", b"%d" % i, 0, None))
        except Error as e:
            assert e.errno == -200
        b.step()
    assert 10 <= len(taken) < 24
    said = {}
    for m in b.take():
        assert said.setdefault(m.mid, m.raw) == m.raw
    b.conn.forget()
    b.conn._fail(b.now, "link", -230)
    b.run(3000)
    for m in b.ack_all():
        assert said.setdefault(m.mid, m.raw) == m.raw
    assert sorted(e[1] for e in b.events if e[0] == "ACKED") == taken


def test_why_there_was_a_handshake():
    b, flash, numbers = joined()
    assert b.conn.why == "none"
    good = flash.data
    for data, host, why in (
        (good[:-1], "10.0.0.9", "damaged"),
        (b"damaged", "10.0.0.9", "damaged"),
        (good, "10.0.0.8", "changed"),
        (None, "10.0.0.9", "none"),
    ):
        flash.data = data
        c = Board(flash, [], host=host)
        assert ("OPEN", False, None) in c.events and c.conn.why == why
    b.conn.forget()
    assert b.conn.why == "cleared"
    b.conn._fail(b.now, "cloud", -201)
    assert b.conn.why == "ended"


def test_boots_at_any_time_of_the_clock():
    # the ticks of a boot begin anywhere, and the time of day is of no interest
    b, flash, numbers = joined()
    for start in (0, 1, (1 << 29) - 1, 1 << 29, (1 << 30) - 2, (1 << 30) - 1):
        b = Board(flash, numbers, start=start)
        mid = b.conn.publish(b.now, "a", b"", 0, None)
        b.step()
        got = b.ack_all()
        assert [m.mid for m in got] == [mid] and b.conn.resumes == 1, start
    unique(numbers)
