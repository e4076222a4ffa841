"""The messages of an update: version 3 over datagrams, the older one over TCP too
(cloud-protocol 5).

Builders take the Writer first and give the finished message as bytes; readers take a received
`coap.Message`, and give None for what is not valid.
"""

import struct

from micropython import const

# Numbers of coap.py; private copies are smaller than imported names
_CON = const(0)
_NON = const(1)
_GET = const(0x01)
_POST = const(0x02)
_CREATED = const(0x41)
_URI_PATH = const(11)
_URI_QUERY = const(15)

# Options of version 3, 5.2.1
_CHUNK_INDEX = const(2049)
_WINDOW_SIZE = const(2053)
_FILE_SIZE = const(2057)
_FILE_SHA_256 = const(2061)
_CHUNK_SIZE = const(2065)
_DISCARD_DATA = const(2069)
_CANCEL_UPDATE = const(2073)
_MODULE_FUNCTION = const(2077)

_SMALLEST = const(512)  # chunk
_LARGEST = const(1136)
_SHA_BYTES = const(32)
_BEGIN = const(">BHIBI")  # payload of UpdateBegin, 5.1
_BEGIN_BYTES = const(12)
_TEXT = const(100)  # bytes of a message at most

# Error number -> response code, 5.2.5
_CODES = const(
    (
        (0x80, (-270, -280, -290, -190, -191, -1000)),
        (0x84, (-170,)),
        (0x83, (-130,)),
        (0xA4, (-160,)),
        (0xA1, (-120, -300)),
        (0xA0, (-250,)),
    )
)
_UNAVAILABLE = const(0xA3)


# version 3


def start(m):
    """Give (size, SHA-256 or None, chunk size, function or None, discard) of a start (5.2.2)."""
    size = m.uint(_FILE_SIZE)
    chunk = m.uint(_CHUNK_SIZE)
    if not 0 < size < 1 << 30 or chunk & 3 or not _SMALLEST <= chunk <= _LARGEST:
        return None
    sha = None
    if m.find(_FILE_SHA_256):
        if m.opt_n != _SHA_BYTES:
            return None
        sha = bytes(memoryview(m.buf)[m.opt_at : m.opt_at + m.opt_n])
    return size, sha, chunk, m.uint(_MODULE_FUNCTION, None), m.find(_DISCARD_DATA)


def started(w, mid, token, window, offset):
    """Build the separate 2.01 to a start: the window in chunks, the bytes already stored."""
    w.begin(_CON, _CREATED, mid, token)
    w.uint(_WINDOW_SIZE, window)
    w.uint(_FILE_SIZE, offset)
    return w.done()


def chunk_index(m):
    """Give the index of a chunk, 1 for the first (5.2.3); 0 when it has none."""
    return m.uint(_CHUNK_INDEX)


def chunk_ack(w, mid, index, later):
    """Build POST /A: everything up to `index` arrived, and what `later` says.

    later: bit k stands for chunk index + 1 + k.
    """
    w.begin(_NON, _POST, mid)
    w.option(_URI_PATH, b"A")
    w.uint(_CHUNK_INDEX, index)
    words = b""
    while later:
        words += struct.pack("<I", later & 0xFFFFFFFF)
        later >>= 32
    w.payload(words)
    return w.done()


def finish(m):
    """Give (cancel, discard) of a finish (5.2.4)."""
    return m.find(_CANCEL_UPDATE), m.find(_DISCARD_DATA)


def failure(w, type, mid, token, error, text, code=0):
    """Build an error response with its diagnostic payload (5.2.5); code: another than its own."""
    if not code:
        code = _UNAVAILABLE
        for its, errors in _CODES:
            if error in errors:
                code = its
    w.begin(type, code, mid, token)
    text = text.replace("\\", "/").replace('"', "'")[:_TEXT]
    w.payload('{"code":%d,"message":"%s"}' % (error, text))
    return w.done()


# the older transfer


def begin(m):
    """Give (fast offered, chunk size, size, store) of an UpdateBegin (5.1)."""
    if m.payload_n < _BEGIN_BYTES:
        return None
    flags, chunk, size, store, _ = struct.unpack_from(_BEGIN, m.buf, m.payload_at)
    if not chunk or not 0 < size < 1 << 30 or (size - 1) // chunk >= 0xFFFF:
        return None
    return bool(flags & 1), chunk, size, store


def piece(m):
    """Give (CRC-32, index or None) of a chunk (5.1)."""
    if not m.find(_URI_QUERY) or m.opt_n != 4:
        return None
    crc = struct.unpack_from(">I", m.buf, m.opt_at)[0]
    index = None
    if m.find(_URI_QUERY, 1):
        if m.opt_n != 2:
            return None
        index = struct.unpack_from(">H", m.buf, m.opt_at)[0]
    return crc, index


def missing(w, type, mid, first, last):
    """Build GET /c: the chunks with these indices did not arrive, and those between them (5.1)."""
    w.begin(type, _GET, mid)
    w.option(_URI_PATH, b"c")
    w.payload(b"".join([struct.pack(">H", i) for i in range(first, last + 1)]))
    return w.done()
