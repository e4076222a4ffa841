"""Updates of version 3 that are refused, spoilt or given up: the last answers (5.2.2-5.2.5)."""

import tcp_world
from particle.errors import UpdateError
from particle.session.update import Update
from update_cloud import CANCEL, CHUNK, DIGEST, DISCARD, INDEX, SHA, SIZE, Sending
from update_world import Memory, options


def bad(w, rest, type=1, token=b""):
    """Send a bad chunk; return the answers."""
    mid = w.say(type, 2, rest, token)
    return mid, w.take()


def test_bad_chunks_end_update_and_connection():
    part = bytes(512)
    for index, data in (
        (0, part),
        (11, part),
        (1, part[:511]),
        (1, part + b"1"),
        (10, part),
        (10, b""),
        (1 << 31, part),
    ):
        w = Sending().start()
        w.send(1)
        rest = options(b"C", [(INDEX, index)]) + (b"\xff" + data if data else b"")
        mid, got = bad(w, rest)
        assert [m.raw for m in got if m.type == 3] == [b"\x70\x00" + mid], index
        assert not w.transfer.active() and w.told_of[-1] == -1
        w.pass_(30)
        assert w.downs == [("cloud", -1390)]
        assert w.target.stored == 512


def test_chunk_without_index():
    w = Sending().start()
    mid, got = bad(w, b"\xb1C\xff" + bytes(512))
    assert [m.raw for m in got] == [b"\x70\x00" + mid]


def test_chunk_with_a_token_and_a_confirmable_one():
    w = Sending().start()
    rest = options(b"C", [(INDEX, 1)]) + b"\xff" + bytes(512)
    mid, got = bad(w, rest, 0)
    assert (got[0].type, got[0].code, got[0].raw[2:4]) == (2, 0xA3, mid)
    assert b'"code":-240' in got[0].payload and w.transfer.active()
    mid, got = bad(w, rest, 1, b"\x07")
    assert (got[0].type, got[0].code, got[0].token) == (1, 0xA3, b"\x07")
    assert not w.transfer.active()
    w.pass_(30)
    assert len(w.downs) == 1


def test_chunk_without_an_update():
    w = Sending()
    mid, got = bad(w, options(b"C", [(INDEX, 1)]) + b"\xff" + bytes(512))
    assert [m.raw for m in got] == [b"\x70\x00" + mid] and w.conn.ready
    w.pass_(100)
    assert w.downs == []


def test_options_of_a_start():
    good = {SIZE: 5000, SHA: DIGEST, CHUNK: 512}
    for wrong in (
        {SIZE: None},
        {CHUNK: None},
        {SIZE: 0},
        {CHUNK: 256},
        {CHUNK: 510},
        {CHUNK: 1140},
        {SHA: DIGEST[:31]},
        {SHA: b""},
        {SIZE: b"\x01\0\0\0\0"},
        {SIZE: 1 << 31},
    ):
        o = dict(good)
        o.update(wrong)
        rest = options(b"S", sorted((k, v) for k, v in o.items() if v is not None))
        for token in (b"\x15", b""):
            w = Sending()
            mid = w.say(0, 2, rest, token)
            (got,) = w.take()
            assert (got.type, got.code, got.raw[2:4], got.token) == (2, 0xA3, mid, token), wrong
            assert got.payload.startswith(b'{"code":-240,"message":"')
            assert not w.transfer.active() and w.told_of == []
    w = Sending()
    w.say(0, 2, options(b"S", sorted(good.items())))  # no token
    assert w.take()[0].code == 0xA3


def test_start_that_is_refused_or_fails():
    w = Sending()
    w.refused = -1380, "updates are disabled"
    o = options(b"S", [(SIZE, 5000), (SHA, DIGEST), (CHUNK, 512)])
    w.say(0, 2, o, b"\x15")
    ack, answer = w.take()
    assert (ack.type, ack.code) == (2, 0)
    assert (answer.type, answer.code, answer.token) == (0, 0xA3, b"\x15")
    assert answer.payload == b'{"code":-1380,"message":"updates are disabled"}'
    w.ack(answer)
    w.refused = None
    for error, code, number_ in (
        (UpdateError(-1351, 'no "room"'), 0xA3, -1351),
        (UpdateError(-120, "x"), 0xA1, -120),
        (OSError(28), 0xA3, -219),
        (MemoryError(), 0xA3, -260),
    ):
        w.target.error = "begin", error
        w.say(0, 2, o, b"\x16")
        w.step()
        answer = w.take()[1]
        assert (answer.type, answer.code) == (0, code)
        assert b'"code":%d,' % number_ in answer.payload and b'""' not in answer.payload
        w.ack(answer)
    w.target.error = None
    w.pass_(1000)
    assert w.downs == [] and w.told_of == []
    assert w.start().transfer.active()


def test_cancel_and_discard():
    for flags, gone in (((CANCEL,), False), ((DISCARD, CANCEL), True)):
        w = Sending().start()
        w.send(1)
        w.target.calls = []
        (answer,) = w.finish(*flags)
        assert (answer.type, answer.code, answer.payload) == (0, 0x44, b"")
        w.ack(answer)
        assert w.told_of[-1] == -1 and w.conn.ready and not w.completed
        assert w.target.calls == [("discard",) if gone else ("pause",)]
    for flags in ((), (CANCEL,)):
        w = Sending()
        (answer,) = w.finish(*flags)
        assert (answer.type, answer.code) == (0, 0xA3) and b"-210" in answer.payload
        w.ack(answer)
        w.pass_(100)
        assert w.conn.ready and w.downs == []


def test_finish_before_everything_came():
    w = Sending().start()
    w.send(1)
    (answer,) = w.finish()
    assert (answer.type, answer.code) == (0, 0xA3) and b'"code":-240' in answer.payload
    assert w.downs == []
    w.ack(answer)
    w.pass_(30)
    assert w.downs == [("cloud", -1390)] and not w.transfer.active()
    assert ("discard",) not in w.target.calls


def test_image_that_is_refused():
    for error in (UpdateError(-1330, "damaged"), UpdateError(-1360, "another board")):
        w = Sending().start()
        w.send(*range(1, 11))
        w.target.error = "verify", error
        (answer,) = w.finish()
        assert (answer.type, answer.code) == (0, 0xA3)
        assert answer.payload == b'{"code":%d,"message":"%s"}' % (
            error.args[0],
            error.text.encode(),
        )
        w.ack(answer)
        w.pass_(30)
        assert len(w.downs) == 1 and not w.completed and w.told_of[-1] == -1


def test_nothing_is_applied_without_the_last_acknowledgement():
    w = Sending().start()
    w.send(*range(1, 11))
    (answer,) = w.finish()
    w.pass_(10000)
    again = w.take()[0]
    assert again.raw == answer.raw and not w.completed
    # the cloud asks once more: the same answer under its token
    w.say(0, 2, b"\xb1F", b"\x33")
    ack, another = w.take()
    assert another.token == b"\x33" and another.payload == answer.payload
    w.ack(another)
    assert w.completed == 1
    w.ack(again)
    assert w.completed == 1


def test_connection_lost_before_the_last_acknowledgement():
    w = Sending().start()
    w.send(*range(1, 11))
    w.finish()
    w.conn.link(w.now, False)
    w.step()
    assert not w.transfer.active() and not w.completed and w.told_of[-1] == -1
    assert w.target.kept


def test_silence_ends_it():
    w = Sending().start()
    w.send(1)
    w.now += 299990
    w.transfer.tick(w.now)
    assert w.transfer.active()
    w.now += 10
    w.transfer.tick(w.now)
    assert not w.transfer.active() and w.told_of[-1] == -1


def test_flash_that_fails():
    w = Sending().start()
    w.target.error = "write", OSError(5)
    w.send(1)
    assert not w.transfer.active() and w.told_of[-1] == -1
    w.pass_(30)
    assert len(w.downs) == 1


class TcpHost:
    """The host of a transfer over TCP, where nothing is acknowledged."""

    def refusal(self, size):
        return None

    def told(self, step):
        pass


def test_a_start_over_tcp_is_not_said_again():
    # no cloud that goes by the Hello sends one, but a frame of TCP proves nothing
    w = tcp_world.World().connect()
    transfer = Update(w.conn, Memory(), TcpHost())
    w.conn.on(2, "S", transfer.message)
    start = options(b"S", [(SIZE, 5000), (CHUNK, 512)])
    w.say((0x40, 2), start, b"\x15")
    for _ in range(200):
        w.now += 10
        transfer.tick(w.now)
        w.step()
    said = [m.code for m in w.take()]
    assert said.count(0x41) == 1 and transfer.active() and w.conn.ready
