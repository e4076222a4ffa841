"""The messages of the device cloud, built into a coap.Writer (cloud-protocol 3 and 4).

Every builder takes the Writer first and gives the finished message as bytes. Names and data may
be str or bytes. Raises ValueError when the message does not fit the Writer's buffer.
"""

import struct

from micropython import const

# Numbers of coap.py; private copies are smaller than imported names
_CON = const(0)
_GET = const(0x01)
_POST = const(0x02)
_CONTENT = const(0x45)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_MAX_AGE = const(14)
_URI_QUERY = const(15)

# Kinds of variables as Describe lists them, 4.2 and 4.7
BOOL = const(1)
INT = const(2)
STRING = const(4)
DOUBLE = const(9)

_TTL = const(60)  # Max-Age that is not sent, 4.3


def hello(w, type, mid, device, sizes, device_id=b""):
    """Build POST /h (4.1).

    device: (product_id, product_version, flags, platform_id). sizes: (system_version,
    max_message, max_binary, chunk), the last three in bytes. device_id: 12 bytes on UDP.
    """
    data = struct.pack(">HHHHH", *device, len(device_id)) + device_id
    data += struct.pack(">HHIH", *sizes)
    return _request(w, type, _POST, mid, -1, b"h", None, None, None, data)


def describe(w, type, mid, token, flags, body, ctype=None):
    """Build POST /d?flags (4.2)."""
    return _request(w, type, _POST, mid, token, b"d", None, ctype, bytes((flags,)), body)


def describe_answer(w, type, mid, token, body, ctype=None):
    """Build the separate 2.05 to GET /d (4.2)."""
    w.begin(type, _CONTENT, mid, token)
    _uint(w, _CONTENT_FORMAT, ctype)
    w.payload(body)
    return w.done()


def describe_app(functions, variables):
    """Give the application Describe as JSON; variables are pairs (name, kind) (4.2)."""
    f = ",".join(['"%s"' % name for name in functions])
    v = ",".join(['"%s":%d' % (name, kind) for name, kind in variables])
    return ('{"f":[%s],"v":{%s}}' % (f, v)).encode()


def event(w, type, mid, name, data, ctype=0, ttl=_TTL):
    """Build POST /E/name; ctype is a Content-Format, ttl seconds (4.3)."""
    w.begin(type, _POST, mid)
    w.option(_URI_PATH, b"E")
    w.option(_URI_PATH, _octets(name))
    _uint(w, _CONTENT_FORMAT, ctype or None)
    _uint(w, _MAX_AGE, None if ttl == _TTL else ttl)
    w.payload(_octets(data))
    return w.done()


def subscribe(w, type, mid, prefix, query=None):
    """Build GET /e/prefix; query "c" asks for CBOR data, "b" accepts binary data (4.4)."""
    return _request(w, type, _GET, mid, -1, b"e", prefix, None, query)


def time_request(w, mid, token):
    """Build GET /t (4.8)."""
    return _request(w, _CON, _GET, mid, token, b"t")


def encode(kind, value):
    """Give a value as payload: of a variable of that kind, INT for the result of a function.

    Integers are cut to 32 bits (4.6, 4.7).
    """
    if kind == DOUBLE:
        return struct.pack("<d", value)
    if kind == INT:
        return struct.pack(">I", value & 0xFFFFFFFF)
    if kind == BOOL:
        return b"\x01" if value else b"\x00"
    return _octets(value)


def answer(w, type, code, mid, token=-1, payload=None):
    """Build a message without options: an answer, such as 2.04 with the result of a function."""
    w.begin(type, code, mid, token)
    w.payload(payload)
    return w.done()


def empty(w, type, mid):
    """Build an empty message: _CON is a ping, ACK and RST answer (4.10)."""
    return answer(w, type, 0, mid)


def time_answer(m):
    """Give the Unix time in seconds of an answer to GET /t; None when it is none (4.8)."""
    if m.code != _CONTENT or m.payload_n != 4:
        return None
    return struct.unpack_from(">I", m.buf, m.payload_at)[0]


def _request(w, type, code, mid, token, path, name=None, ctype=None, query=None, body=None):
    w.begin(type, code, mid, token)
    w.option(_URI_PATH, path)
    if name is not None:
        w.option(_URI_PATH, _octets(name))
    _uint(w, _CONTENT_FORMAT, ctype)
    if query is not None:
        w.option(_URI_QUERY, _octets(query))
    w.payload(body)
    return w.done()


def _uint(w, number, value):
    if value is not None:
        w.uint(number, value)


def _octets(text):
    return text.encode() if isinstance(text, str) else text
