"""publish(..., persist=True): numbers, message IDs, order and counters (DESIGN decision 7)."""

import os
import sys

from fake_cloud import connected, make, settle
from kept_events import (
    PERSISTED,
    ROOT,
    Client,
    Cloud,
    begin,
    boot,
    clean,
    option,
    options,
    silent,
)
from particle import Error, QueueFull
from particle.operation import now
from stored_session import Board, Flash, joined
from support import FullFlash, raises


def test_goes_once_and_leaves_the_flash():
    c, cloud, b, flash, numbers = begin()
    op = c.publish(b"1")
    assert not op.done() and c.sender.waiting() == 1
    cloud.take(c)
    assert op.done() and op.result() is True and cloud.events == [b"1"]
    assert os.listdir(ROOT + "/queue") == ["next"]
    counters = {"queued": 0, "sent": 1, "acknowledged": 1, "dropped": 0}
    assert c.sender.counters() == counters


def test_order_is_kept_and_one_is_on_its_way():
    c, cloud, b, flash, numbers = begin()
    ops = [c.publish(b"%d" % i) for i in range(10)]
    assert len([m for m in c.board.said if m.path == "E"]) == 1
    cloud.take(c)
    assert cloud.events == [b"%d" % i for i in range(10)] and all(op.done() for op in ops)


def test_number_and_id_stay_over_a_lost_connection():
    c, cloud, b, flash, numbers = begin()
    op = c.publish(b"1")
    cloud.take(c, silent)
    b.conn._fail(b.now, "link", -230)
    b.run(3000)
    c.step()
    cloud.take(c, silent)
    # and over a full handshake
    b.conn.forget()
    b.conn._fail(b.now, "link", -230)
    b.run(5000)
    c.step()
    got = cloud.take(c)
    c.step()
    cloud.take(c)
    assert "h" in [m.path for m in got]
    assert op.done() and cloud.events == [b"1"]
    assert len(cloud.mids) == 3 and len(set(cloud.mids)) == 1


def test_number_and_id_stay_over_a_reset():
    c, cloud, b, flash, numbers = begin()
    c.publish(b"1")
    cloud.take(c, silent)
    for _ in range(3):
        c = boot(flash, numbers)
        c.step()
        cloud.take(c, silent)
    cloud.take(c, lambda m: True)
    c.board.run(7000)
    c.step()
    cloud.take(c)
    assert cloud.events == [b"1"] and len(set(cloud.mids)) == 1 and c.sender.waiting() == 0
    assert len(set(numbers)) == len(numbers)


def test_an_old_acknowledgement_does_not_open_a_resumed_session():
    c, cloud, b, flash, numbers = begin()
    c.publish(b"1")
    cloud.take(c, silent)
    mid = cloud.mids[0]
    c = boot(flash, numbers)
    c.step()
    said = c.board.take()
    # the event goes with its old ID, so a ping goes before it, the ACK of which is new
    assert [m.path for m in said] == ["", "E"]
    assert said[0].raw[:2] == b"\x40\x00" and said[1].mid == mid
    c.board.feed(b"\x60\x00" + mid.to_bytes(2, "big"))
    assert c.board.conn._closed and c.sender.waiting() == 1
    c.board.ack(said[0])
    assert not c.board.conn._closed
    c.board.feed(b"\x60\x00" + mid.to_bytes(2, "big"))
    c.step()
    assert c.sender.waiting() == 0


def test_id_is_renewed_when_it_lies_32768_behind():
    for behind, same in ((32767, True), (32768, False), (40000, False)):
        c, cloud, b, flash, numbers = begin()
        c.publish(b"1")
        cloud.take(c, silent)
        first = cloud.mids[0]
        c = boot(Flash(), [])
        c.board.ack_all()
        c.board.conn._mid = (first + behind) & 0xFFFF
        c.step()
        cloud.take(c)
        assert cloud.events == [b"1"]
        assert (cloud.mids[-1] == first) == same, behind


def test_ids_on_flash_never_mean_something_else_after_the_session_file_is_lost():
    c, _, b, flash, numbers = begin()
    b.conn._mid = 20
    c.publish(b"1")
    mid = b.conn._mid
    lost = Board(Flash(), [])
    # before the connection is made the counter of the new boot goes past what is on flash
    lost.conn._mid = 3
    Client.__init__(c, None)
    c.sender.dialing(lost.conn)
    assert lost.conn._mid == mid
    lost.conn._mid = mid + 5
    c.sender.dialing(lost.conn)
    assert lost.conn._mid == mid + 5


def test_without_a_connection_it_waits():
    clean()
    c = Client()
    for i in range(3):
        c.publish(b"%d" % i)
    assert c.sender.waiting() == 3
    b, flash, numbers = joined()
    c, cloud = Client(b), Cloud()
    c.step()
    cloud.take(c)
    assert cloud.events == [b"0", b"1", b"2"] and c.sender.waiting() == 0
    assert 0 not in cloud.mids and len(set(cloud.mids)) == 3


def test_refused_by_the_cloud():
    c, cloud, b, flash, numbers = begin()
    op = c.publish(b"bad")
    c.publish(b"good")
    b.ack([m for m in b.take() if m.path == "E"][0], 0x80)
    c.step()
    cloud.take(c)
    assert op.status == "FAILED" and op.error.errno == -1100
    assert cloud.events == [b"good"]
    assert c.sender.counters()["dropped"] == 1 and c.sender.waiting() == 0


def test_a_cloud_that_cannot_take_it_now_gets_it_again():
    for code in (0xA0, None):  # 5.00, and RST
        c, cloud, b, flash, numbers = begin()
        op = c.publish(b"1")
        m = [m for m in b.take() if m.path == "E"][0]
        b.ack(m, code) if code else b.feed(b"\x70\x00" + m.raw[2:4])
        c.step()
        assert not op.done() and c.sender.waiting() == 1
        assert list(c._jobs.values()) != []
        c.sender.send(b.now)
        c.step()
        cloud.take(c)
        assert op.done() and cloud.events == [b"1"]
        # the answer to the old ID would have been the same again
        assert cloud.mids[-1] != m.mid and option(m) == cloud.numbers[0]


def test_given_up_by_the_connection_it_is_tried_again():
    c, cloud, b, flash, numbers = begin()
    op = c.publish(b"1")
    cloud.take(c, silent)
    mid = c.sender._mid
    # the wait for the ACK is over but it is still repeated
    b.conn._waiting.pop(mid)
    b.conn._emit("ACKED", mid, -160)
    c.step()
    assert list(c._jobs) == [] and mid in b.conn._waiting
    # it is not repeated any more
    del b.conn._open[mid], b.conn._waiting[mid]
    b.conn._emit("ACKED", mid, -160)
    c.step()
    assert len(c._jobs) == 1 and not op.done()
    c.sender.send(b.now)
    c.step()
    cloud.take(c)
    assert op.done() and cloud.events == [b"1"] and set(cloud.mids) == {mid}


def test_no_faster_than_a_device_may_publish():
    c, _, b, flash, numbers = begin()
    c.more.recent = [b.now] * 4
    c.sender.publish("n", b"1", 0, None, 60, 20)
    b.step()
    assert [m for m in b.said if m.path == "E"] == [] and len(c._jobs) == 1
    c.sender.send(b.now + 1000)
    b.step()
    assert len([m for m in b.said if m.path == "E"]) == 1


def test_damaged_on_flash_is_counted_and_the_next_goes():
    clean()
    c = Client()
    bad = c.publish(b"1")
    c.publish(b"2")
    number = c.sender._queue.items[0][0]
    with open("%s/queue/%08x" % (ROOT, number), "wb") as f:
        f.write(b"PT")
    b, flash, numbers = joined()
    c.board = b
    cloud = Cloud()
    c.step()
    cloud.take(c)
    assert cloud.events == [b"2"] and c.sender.counters()["dropped"] == 1
    assert bad.status == "FAILED" and bad.error.errno == -280


def test_full_queue_and_full_flash():
    clean()
    c = Client()
    for i in range(32):
        c.publish(b"%d" % i)
    raises(QueueFull, c.publish, b"33")
    clean()
    c = Client()
    with FullFlash():
        e = raises(Error, c.publish, b"1")
    assert e.errno == -225 and e.stage == "store"
    assert c.sender.waiting() == 0
    c.publish(b"2")
    b, flash, numbers = joined()
    c.board = b
    cloud = Cloud()
    with FullFlash():  # no room to renew an ID: the event goes all the same, and keeps its number
        c.step()
    cloud.take(c)
    assert cloud.events == [b"2"]


def with_store(c):
    PERSISTED.now = now
    c._store.root = clean()
    return c


def test_client_over_tcp_at_least_once():
    c, link = connected()
    with_store(c)
    p = c.publish("keep/this", {"a": 1}, persist=True)
    settle(c, link, p.done)
    m = link.take("E")[0]
    assert (m.type, m.name, m.payload) == (0, "keep/this", b'{"a": 1}')
    assert c.flush(1) is True
    assert c.usage()["acknowledged"] == 1 and c.usage()["queued"] == 0
    link.acks = False
    p = c.publish("keep/this", "2", persist=True)
    assert c.flush(0.05) is False
    settle(c, link, lambda: link.take("E"))
    link.acks = True
    link.sock.closed = True
    settle(c, link, p.done)
    assert p.result() is True and os.listdir(ROOT + "/queue") == ["next"]


def test_client_takes_up_what_earlier_boots_left():
    c, link = make()
    with_store(c)
    # never connected yet
    c.publish("a", b"\x01", persist=True, ttl=5)
    raises(Error, lambda: c.publish("a", "x" * 1025, persist=True))
    c, link = make()
    c._store.root = ROOT
    assert c.connect(timeout=30, background=False)
    settle(c, link, lambda: [m for m in link.heard if m.name == "a"])
    m = [m for m in link.heard if m.name == "a"][0]
    assert m.payload == b"\x01" and options(m)[14] == b"\x05" and options(m)[12] == b"\x2a"
    assert c.flush(5)


def test_without_the_queue_it_is_refused():
    c, link = connected()
    with_store(c)
    kept = sys.modules["particle.persisted"]
    sys.modules["particle.persisted"] = None  # what CPython takes for "not installed"
    try:
        if sys.implementation.name == "cpython":
            e = raises(Error, lambda: c.publish("a", "1", persist=True))
            assert e.errno == -120 and "queue" in str(e)
            # what others left on flash does not keep it from connecting
            os.mkdir(ROOT + "/queue")
            d, _ = make()
            d._store.root = ROOT
            assert d.connect(timeout=30, background=False)
    finally:
        sys.modules["particle.persisted"] = kept
    assert c.publish("a", "1", ack=True).wait(5)
