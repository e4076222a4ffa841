"""The messages of the device cloud, built into a coap.Writer (cloud-protocol 3 and 4).

Every builder takes the Writer first and gives the finished message as bytes. Names and data may
be str or bytes. Raises ValueError when the message does not fit the Writer's buffer.
"""

import struct

from micropython import const

from .coap import octets

# Numbers of coap.py; private copies are smaller than imported names
_POST = const(0x02)
_CONTENT = const(0x45)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_MAX_AGE = const(14)
_URI_QUERY = const(15)

# Kinds of variables as Describe lists them, 4.2 and 4.7; 4 is text
_BOOL = const(1)
_INT = const(2)
_DOUBLE = const(9)

_TTL = const(60)  # Max-Age that is not sent, 4.3


def hello(w, type, mid, device, sizes, device_id=b""):
    """Build POST /h (4.1).

    device: (product_id, product_version, flags, platform_id). sizes: (system_version,
    max_message, max_binary, chunk), the last three in bytes. device_id: 12 bytes on UDP.
    """
    data = struct.pack(">HHHHH", *device, len(device_id)) + device_id
    data += struct.pack(">HHIH", *sizes)
    return request(w, type, _POST, mid, -1, b"h", None, None, None, data)


def describe_app(functions, variables):
    """Give the application Describe as JSON; variables are pairs (name, kind) (4.2)."""
    f = v = ""
    for name in functions:
        f += ',"%s"' % name
    for pair in variables:
        v += ',"%s":%d' % pair
    return ('{"f":[%s],"v":{%s}}' % (f[1:], v[1:])).encode()


def event(w, type, mid, name, data, ctype=0, ttl=_TTL):
    """Build POST /E/name; ctype is a Content-Format, ttl seconds (4.3)."""
    age = None if ttl == _TTL else ttl
    return request(w, type, _POST, mid, -1, b"E", name, ctype or None, None, data, age)


def encode(kind, value):
    """Give a value as payload: of a variable of that kind, 2 for the result of a function.

    Integers are cut to 32 bits (4.6, 4.7).
    """
    if kind == _DOUBLE:
        return struct.pack("<d", value)
    if kind == _INT:
        return struct.pack(">I", value & 0xFFFFFFFF)
    if kind == _BOOL:
        return b"\x01" if value else b"\x00"
    return octets(value)


def answer(w, type, code, mid, token=-1, payload=None, ctype=None):
    """Build an answer, such as 2.04 with the result of a function or the separate 2.05 to GET /d.

    With code 0 it is an empty message: a CON asks for a sign of life, ACK and RST answer (4.10).
    """
    w.begin(type, code, mid, token)
    w.uint(_CONTENT_FORMAT, ctype)
    w.payload(payload)
    return w.done()


def time_answer(m):
    """Give the Unix time in seconds of an answer to GET /t; None when it is none (4.8)."""
    if m.code != _CONTENT or m.payload_n != 4:
        return None
    return struct.unpack_from(">I", m.buf, m.payload_at)[0]


def request(
    w, type, code, mid, token, path, name=None, ctype=None, query=None, body=None, age=None
):
    """Build a request: POST /d?flags (4.2), GET /e/prefix?c or b (4.4), GET /t (4.8) and more.

    name: the second segment of the path. What is None is left out.
    """
    w.begin(type, code, mid, token)
    w.option(_URI_PATH, path)
    w.option(_URI_PATH, name)
    w.uint(_CONTENT_FORMAT, ctype)
    w.uint(_MAX_AGE, age)
    w.option(_URI_QUERY, query)
    w.payload(body)
    return w.done()
