"""Updates of version 3: window, order, acknowledgements, resume (cloud-protocol 5.2)."""

from update_cloud import CANCEL, CHUNK, DIGEST, DISCARD, IMAGE, INDEX, SHA, SIZE, Sending, number
from update_world import Memory, options


def test_a_whole_update():
    w = Sending().start()
    acks = []
    for i in range(1, w.count() + 1):
        acks += w.send(i)
        w.pass_(10)
    assert acks == [(i, b"") for i in (2, 4, 6, 8, 10)]
    assert w.target.data == IMAGE
    (answer,) = w.finish()
    assert (answer.type, answer.code, answer.token) == (0, 0x44, b"\x16")
    assert answer.payload.startswith(
        b'{"recv_chunks":10,"dup_chunks":0,"ooo_chunks":0,"sent_acks":'
    )
    assert w.completed == 0
    w.ack(answer)
    assert w.completed == 1 and not w.transfer.active()
    assert w.told_of == [0] + [2] * 10 + [1] and w.conn.ready


def test_acknowledgements_as_of_device_os():
    # measured (5.2.3): chunks 2, 4, 1, 4 again, 3, 10
    w = Sending(bytes(10240)).start()
    got = []
    for i in (2, 4, 1, 4, 3, 10):
        got += w.send(i)
    assert got == [
        (0, b"\x02\0\0\0"),
        (0, b"\x0a\0\0\0"),
        (2, b"\x02\0\0\0"),
        (2, b"\x02\0\0\0"),
        (4, b""),
        (4, b"\x20\0\0\0"),
    ]


def test_bitmap_of_a_chunk_far_ahead():
    w = Sending(bytes(512 * 256)).start()
    ((index, payload),) = w.send(256)
    assert index == 0 and len(payload) == 32 and payload[-1] == 0x80 and not any(payload[:-1])


def test_when_an_acknowledgement_can_wait():
    # measured (5.2.3): a single chunk after 200 ms, two in a row at once
    w = Sending(bytes(51200)).start()
    w.pass_(1000)
    assert w.send(1) == []
    w.pass_(190)
    assert w.acks() == []
    w.pass_(20)
    assert w.acks() == [(1, b"")]
    assert w.send(2) == [(2, b"")]  # 200 ms after the one before
    assert w.send(3, 4) == [(4, b"")]
    w.pass_(50)
    assert w.send(5) == []
    w.pass_(200)
    assert w.acks() == [(5, b"")]


def test_no_more_than_four_chunks_are_kept():
    w = Sending(bytes(51200)).start()
    last = w.send(2, 3, 4, 5, 6, 7)[-1]
    assert last == (0, b"\x1e\0\0\0")  # 2 to 5
    assert len(w.transfer._room) == 4 * 512
    assert w.send(1)[-1] == (5, b"")
    assert w.send(6, 7)[-1] == (7, b"")
    assert w.target.stored == 7 * 512


def test_a_chunk_again_with_other_content():
    # the first copy counts, stored or kept; if it was the wrong one the SHA-256 will tell
    w = Sending().start()
    for index in (1, 3):
        w.send(index)
        other = options(b"C", [(INDEX, index)]) + b"\xff" + bytes(512)
        w.say(1, 2, other)
    w.send(*range(2, 11))
    assert w.target.data == IMAGE
    (answer,) = w.finish()
    assert b'"dup_chunks":3,' in answer.payload  # 3 came a third time


def test_answers_that_all_waits_for_are_repeated_sooner():
    w = Sending()
    o = options(b"S", [(SIZE, 5000), (SHA, DIGEST), (CHUNK, 512)])
    w.say(0, 2, o, b"\x15")
    w.step()
    begin = w.now
    times = []
    for _ in range(900):
        times += [w.now - begin for m in w.take() if m.code == 0x41]
        w.pass_(10)
    assert times[0] == 0 and 1000 <= times[1] <= 1010 and 3000 <= times[2] <= 3010
    assert 7000 <= times[3] <= 7010 and len(times) == 4


def test_beyond_the_window():
    w = Sending(bytes(300 * 512)).start()
    assert w.send(257) == []  # counts as lost
    w.pass_(200)
    assert w.acks() == [(0, b"")]
    assert w.transfer.active()


def test_any_order_loss_and_doubles():
    from support import rng

    take = rng(3)
    w = Sending(bytes([i * 31 >> 3 & 255 for i in range(40000)])).start()
    while w.transfer._have < w.count():
        have = w.transfer._have
        for _ in range(8):
            index = have + 1 + take(1)[0] % 7
            if index <= w.count():
                w.send(index)
        w.pass_(take(1)[0])
    assert w.target.data == w.image
    (answer,) = w.finish()
    assert answer.code == 0x44
    w.ack(answer)
    assert w.completed == 1


def test_the_last_chunk_may_be_short_and_only_that():
    for size, at_end in ((512, 512), (513, 1), (1024, 512), (1000, 488)):
        w = Sending(bytes(size)).start()
        assert len(w.part(w.count())) == at_end
        w.send(*range(1, w.count() + 1))
        assert w.target.stored == size


def test_start_during_an_update_takes_its_place():
    w = Sending().start()
    w.send(1, 2)
    w.target.calls = []
    w.start()
    assert w.offset == 1024 and w.told_of[-2:] == [-1, 0]
    w.send(*range(1, w.count() + 1))
    assert w.target.data == IMAGE


def test_it_goes_on_where_it_was():
    target = Memory()
    w = Sending(target=target).start()
    w.send(1, 2, 3, 5)
    w.conn.link(w.now, False)
    w.step()
    assert not w.transfer.active() and w.told_of[-1] == -1
    w.conn.link(w.now, True)
    w.pass_(2000)
    w.conn.addresses(w.now, ["10.0.0.1"])
    w.conn.opened(w.now, True)
    w.step()
    for m in w.take():
        w.ack(m)
    w.take()
    w.start()
    assert w.offset == 3 * 512 and w.count() == 7
    w.send(*range(1, 8))
    assert target.data == IMAGE
    # everything is there: nothing is to be sent
    w.finish(CANCEL)
    w.start()
    assert w.offset == 5000 and w.count() == 0
    (answer,) = w.finish()
    assert answer.payload.startswith(
        b'{"recv_chunks":0,"dup_chunks":0,"ooo_chunks":0,"sent_acks":0,'
    )


def test_resume_with_another_size_of_chunks():
    w = Sending().start()
    w.send(1, 2, 3)
    w.chunk = 700
    w.start()
    assert w.offset == 1536 and w.count() == 5
    w.send(2, 1, 3, 5, 4)
    assert w.target.data == IMAGE


def test_start_with_discard():
    w = Sending().start()
    w.send(1)
    w.start()
    assert w.offset == 512
    o = options(b"S", [(SIZE, 5000), (SHA, DIGEST), (CHUNK, 512), (DISCARD, b"")])
    w.say(0, 2, o, b"\x15")
    w.step()
    assert number(w.take()[1], SIZE) == 0
