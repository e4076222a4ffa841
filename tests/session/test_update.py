"""Updates of version 3: window, order, acknowledgements, ends (cloud-protocol 5.2)."""

import hashlib

from particle.errors import UpdateError
from particle.session.update import Update
from update_world import Memory, World, options

INDEX, WINDOW, SIZE, SHA, CHUNK, DISCARD, CANCEL, FUNCTION = range(2049, 2078, 4)
IMAGE = bytes([i * 7 & 255 for i in range(5000)])
DIGEST = hashlib.sha256(IMAGE).digest()


class Sending(World):
    """The cloud's side: start, chunks by their index, finish."""

    def __init__(self, image=IMAGE, chunk=512, target=None):
        super().__init__(Update, target)
        self.image = image
        self.chunk = chunk
        self.offset = 0

    def start(self, sha=True, **more):
        o = {SIZE: len(self.image), CHUNK: self.chunk}
        if sha:
            o[SHA] = hashlib.sha256(self.image).digest()
        self.say(0, 2, options(b"S", sorted(o.items())), b"\x15")
        got = self.take()
        self.step()
        got += self.take()
        assert (got[0].type, got[0].code, got[0].payload) == (2, 0, b"")
        assert (got[1].type, got[1].code, got[1].token) == (0, 0x41, b"\x15")
        self.ack(got[1])
        self.offset = number(got[1], SIZE)
        assert number(got[1], WINDOW) == 131072 // self.chunk
        return self

    def count(self):
        return (len(self.image) - self.offset + self.chunk - 1) // self.chunk

    def part(self, index):
        at = self.offset + (index - 1) * self.chunk
        return self.image[at : at + self.chunk]

    def send(self, *indexes):
        """Send chunks; return the acknowledgements as (index, payload)."""
        for index in indexes:
            self.say(1, 2, options(b"C", [(INDEX, index)]) + b"\xff" + self.part(index))
        return self.acks()

    def acks(self):
        return [(number(m, INDEX), m.payload) for m in self.take() if m.path == "A"]

    def finish(self, *flags):
        """Send a finish; return what was said besides the empty acknowledgement."""
        self.say(0, 2, options(b"F", [(flag, b"") for flag in flags]), b"\x16")
        self.step()
        got = self.take()
        assert (got[0].type, got[0].code) == (2, 0), got[0].raw
        return got[1:]


def number(m, wanted):
    """Return the value of an option of a message, None when it has none."""
    from particle.wire.coap import Message

    p = Message()
    assert p.parse(m.raw, 0, len(m.raw))
    return p.uint(wanted, None)


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


def test_start_with_discard():
    w = Sending().start()
    w.send(1)
    w.start()
    assert w.offset == 512
    o = options(b"S", [(SIZE, 5000), (SHA, DIGEST), (CHUNK, 512), (DISCARD, b"")])
    w.say(0, 2, o, b"\x15")
    w.step()
    assert number(w.take()[1], SIZE) == 0


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
