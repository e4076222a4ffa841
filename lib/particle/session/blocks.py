"""Descriptions that do not fit into one message go in blocks (cloud-protocol 3.8, 4.2).

Loaded when one does not fit; without this file it is refused.
"""

import binascii

from micropython import const

# CoAP (wire/coap.py)
_CON = const(0)
_POST = const(2)
_CONTENT = const(0x45)
_BAD_OPTION = const(0x82)
_NOT_FOUND = const(0x84)
_INCOMPLETE = const(0x88)
_ETAG = const(4)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_URI_QUERY = const(15)
_BLOCK2 = const(23)
_BLOCK1 = const(27)

_ROOM = const(1040)  # of a message, for blocks of 1024 bytes instead of 512


def _exponent(conn):
    # a block has 16 << exponent bytes
    return 6 if conn._w.size >= _ROOM else 5


class _Post:
    # a description on its way

    def __init__(self, conn, flags, body, ctype):
        self._conn = conn
        self._queue = conn._queue  # another one stands for another connection
        self._what = flags, body, ctype
        self._again = True  # once, when the cloud has lost what came before
        self._send(0)

    def _send(self, number):
        conn = self._conn
        flags, body, ctype = self._what
        exponent = _exponent(conn)
        at = number << exponent + 4
        end = at + (16 << exponent)
        self._number = number
        self._more = end < len(body)
        conn._token = (conn._token + 1) & 0xFF
        self._mid = conn.next()
        w = conn._w
        w.begin(_CON, _POST, self._mid, conn._token)
        w.option(_URI_PATH, b"d")
        if ctype:
            w.uint(_CONTENT_FORMAT, ctype)
        w.option(_URI_QUERY, bytes((flags,)))
        w.uint(_BLOCK1, number << 4 | self._more << 3 | exponent)
        w.payload(body[at:end])
        conn.send(w.done())

    def go_on(self, m):
        if m.mid != self._mid or self._queue is not self._conn._queue:
            return
        if m.code == _INCOMPLETE and self._again:
            self._again = False
            number = 0
        elif m.code < 0x80 and m.type == 2 and self._more:
            number = self._number + 1
        else:
            self._mid = None
            return
        self._send(number)
        # a session that is stored takes note when all has arrived
        news = getattr(self._conn, "_news", None)
        if news is not None:
            news.append(self._mid)


def post(conn, flags, body, ctype):
    """Post a description, each block when the one before has arrived."""
    conn.post = _Post(conn, flags, body, ctype)


def go_on(conn, m):
    """Post the next block when the ACK or RST in `m` is that of the last one."""
    if hasattr(conn, "post"):
        conn.post.go_on(m)


def answer(conn, m, body, ctype):
    """Answer the GET /d in `m` with the block of `body` that it asks for."""
    exponent = _exponent(conn)
    value = m.uint(_BLOCK2, exponent)
    number = value >> 4
    at = number << exponent + 4
    end = at + (16 << exponent)
    if value & 7 != exponent:
        conn._refuse(m, _BAD_OPTION)
    elif at >= len(body):
        conn._refuse(m, _NOT_FOUND)
    else:
        conn.acknowledge(m)
        w = conn._w
        w.begin(_CON, _CONTENT, conn.next(), conn._token_of(m))
        w.uint(_ETAG, binascii.crc32(body) & 0xFFFF)
        if ctype:
            w.uint(_CONTENT_FORMAT, ctype)
        w.uint(_BLOCK2, number << 4 | (end < len(body)) << 3 | exponent)
        w.payload(body[at:end])
        conn.send(w.done())
