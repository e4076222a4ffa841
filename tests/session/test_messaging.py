"""Ticks, IDs and the queue (cloud-protocol 1.5, 3)."""

from particle.errors import QueueFull
from particle.session import messaging
from particle.session.messaging import add, diff
from particle.wire.coap import Message
from support import raises


def make(size):
    m = messaging.Messaging(size)
    m.ready = True
    return m


def events(m):
    got = []
    while True:
        e = m.event()
        if e is None:
            return got
        got.append(e)


def test_ticks_wrap():
    assert diff(5, 3) == 2
    assert diff(3, 5) == -2
    late = 0x3FFFFFFF
    assert add(late, 10) == 9
    assert diff(add(late, 10), late) == 10
    assert diff(late, add(late, 10)) == -10
    # the unix port counts beyond 2**30; the difference does not care
    assert diff(0x3FFFFFFF + 7, 0x3FFFFFFF) == 7


def mids(m):
    out = []
    while m._queue:
        message = m.take(0)
        out.append(message[2] << 8 | message[3])
    return out


def test_ids_are_consecutive_and_wrap():
    m = make(1119)
    m.reset(0xFFFD, 7)
    for _ in range(5):
        m.publish(0, "a", b"", 0, None)
    assert mids(m) == [0xFFFE, 0xFFFF, 0, 1, 2]


def test_a_refused_message_leaves_no_gap():
    m = make(200)
    m.reset(9, 0)
    m.publish(0, "a", b"x", 0, None)
    raises(OSError, m.publish, 0, "a", bytes(300), 0, None)
    m.publish(0, "a", b"x", 0, None)
    assert mids(m) == [10, 11]


def test_full_queue_refuses_the_application_but_not_the_answers():
    m = make(1119)
    for _ in range(16):
        m.publish(0, "a", b"", 0, None)
    raises(QueueFull, m.publish, 0, "a", b"", 0, None)
    for _ in range(20):
        m.respond(0, 1, 0x44, bytes(4))
    got = mids(m)
    assert got == list(range(1, 25))
    m.publish(0, "a", b"", 0, None)
    assert mids(m) == [25]  # what did not fit gave its ID back


def test_acknowledgement_of_a_publish():
    m = make(1119)
    first = m.publish(0, "a", b"", 0, True)
    second = m.publish(0, "a", b"", 0, True)
    third = m.publish(0, "a", b"", 0, None)
    assert events(m) == []
    mids(m)
    assert events(m) == [("ACKED", third, 0)]

    inbound = Message()
    for code, mid in ((0, 99), (0, first), (0x80, second)):
        data = bytes((0x60, code, 0, mid))
        inbound.parse(data, 0, 4)
        m.dispatch(1, inbound)
    assert events(m) == [("ACKED", first, 0), ("ACKED", second, -1100)]


def test_wait_for_an_acknowledgement_ends():
    m = make(1119)
    mid = m.publish(100, "a", b"", 0, True)
    assert m.waits() == [20100]
    m.expire(20099)
    assert events(m) == []
    m.expire(20100)
    assert events(m) == [("ACKED", mid, -160)]
    assert m.waits() == []
