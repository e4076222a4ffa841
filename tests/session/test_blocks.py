"""Descriptions in blocks, on a fake clock (cloud-protocol 3.8, 4.2)."""

import sys

from particle.errors import Error
from particle.wire.coap import Message
from stored_session import Board, Flash
from support import raises

BIG = b'{"f":["' + b"x" * 1500 + b'"],"v":{}}'


def option(m, number):
    """Return the value of an option as a number, None without it."""
    parsed = Message()
    parsed.parse(m.raw, 0, len(m.raw))
    return parsed.uint(number) if parsed.find(number) else None


def posts(b, code=0x5F, last=0x44):
    """Answer everything until nothing more is said; return the blocks of the application."""
    got = []
    while b.said:
        for m in b.take():
            block = option(m, 27) if m.path == "d" else None
            if block is not None:
                got.append(m)
                b.ack(m, code if block & 8 else last)
            elif m.type == 0:
                b.ack(m)
    return got


def test_posted_in_blocks():
    flash = Flash()
    b = Board(flash, [], app=BIG)
    b.ack(b.take()[0])
    first, second = posts(b)
    assert first.payload + second.payload == BIG
    assert (len(first.payload), len(second.payload)) == (1024, len(BIG) - 1024)
    assert [option(m, 27) for m in (first, second)] == [0 << 4 | 8 | 6, 1 << 4 | 6]
    assert first.query == second.query == b"\x02"
    assert first.token != second.token and first.mid != second.mid
    assert b.conn.ready
    # the cloud knows it now: nothing is sent again on a resume
    b = Board(flash, [], app=BIG)
    assert b.take() == []
    # something else is
    other = BIG.replace(b"x", b"y")
    b = Board(flash, [], app=other)
    assert b"".join([m.payload for m in posts(b)]) == other


def test_what_was_not_taken_to_the_end_is_posted_again():
    for code, last in ((0x80, 0x44), (0x5F, 0x80)):
        flash = Flash()
        b = Board(flash, [], app=BIG)
        b.ack(b.take()[0])
        posts(b, code, last)
        b = Board(flash, [], app=BIG)
        assert b"".join([m.payload for m in posts(b)]) == BIG


def test_a_cloud_that_lost_the_beginning():
    b = Board(Flash(), [], app=BIG)
    b.ack(b.take()[0])
    first = [m for m in b.take() if option(m, 27) is not None][0]
    b.ack(first, 0x5F)
    second = [m for m in b.take() if option(m, 27) is not None][0]
    b.ack(second, 0x88)
    assert b"".join([m.payload for m in posts(b)]) == BIG
    # but not for ever
    b = Board(Flash(), [], app=BIG)
    b.ack(b.take()[0])
    assert len(posts(b, 0x88, 0x88)) == 2


def test_a_lost_block_is_repeated():
    b = Board(Flash(), [], app=BIG)
    b.ack(b.take()[0])
    got = [m for m in b.take() if option(m, 27) is not None]
    b.run(7000)
    again = [m for m in b.take() if option(m, 27) is not None]
    assert again[0].raw == got[0].raw
    b.ack(got[0], 0x5F)
    b.ack(got[0], 0x5F)
    assert len([m for m in b.take() if option(m, 27) == 0x16]) == 1


def test_a_change_in_the_middle_begins_anew():
    b = Board(Flash(), [], app=BIG)
    b.ack(b.take()[0])
    old = [m for m in b.take() if option(m, 27) is not None][0]
    other = BIG.replace(b"x", b"z")
    b.conn.describe(b.now, 2, other)
    b.ack(old, 0x5F)
    b.step()
    assert b"".join([m.payload for m in posts(b)]) == other


def get(b, num=None, exponent=6, token=7):
    b.mid = getattr(b, "mid", 0x7000) + 1
    head = b"\x41\x01" + bytes((b.mid >> 8, b.mid & 255, token)) + b"\xb1d\x41\x02"
    if num is not None:
        head += bytes((0x81, num << 4 | exponent))
    b.feed(head)
    return b.take()


def test_asked_for_in_blocks():
    b = Board(Flash(), [], app=BIG)
    b.ack(b.take()[0])
    posts(b)
    ack, first = get(b)
    assert ack.type == 2 and ack.code == 0
    assert first.code == 0x45 and first.token == b"\x07" and option(first, 23) == 0x0E
    b.ack(first)
    second = get(b, 1)[1]
    b.ack(second)
    assert first.payload + second.payload == BIG and option(second, 23) == 0x16
    assert option(first, 4) == option(second, 4) is not None
    assert [m.code for m in get(b, 2)] == [0x84]
    assert [m.code for m in get(b, 0, 5)] == [0x82]


def test_without_this_part_it_is_refused():
    name = "particle.session.blocks"
    sys.modules.pop(name, None)
    package = sys.modules.get("particle.session")
    if package and hasattr(package, "blocks"):
        del package.blocks
    sys.modules[name] = None
    try:
        if sys.implementation.name == "cpython":
            e = raises(Error, Board, Flash(), [], BIG)
            assert e.errno == -190 and "1517" in str(e)
    finally:
        del sys.modules[name]
