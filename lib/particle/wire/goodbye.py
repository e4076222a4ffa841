"""The message before a graceful disconnect (cloud-protocol 4.11)."""

from micropython import const

_POST = const(0x02)
_URI_PATH = const(11)
_NO_RESPONSE = const(258)


def leave(w, type, mid, reason, sleep_s):
    """Build the message before the connection ends for a reason, and for `sleep_s` s if not 0."""
    fields = (5, reason, sleep_s) if sleep_s else (1, reason)
    # its type is NON where it also says that no response is wanted
    return goodbye(w, type, mid, type, *fields)


def goodbye(w, type, mid, no_response, flags, *fields):
    """Build POST /x; fields in the order of their flag bits 1, 2, 4, 8 (4.11)."""
    w.begin(type, _POST, mid)
    w.option(_URI_PATH, b"x")
    if no_response:
        w.option(_NO_RESPONSE, b"")
    data = varint(flags)
    for field in fields:
        data += varint(field)
    w.payload(data)
    return w.done()


def varint(n):
    """Give n >= 0 as unsigned LEB128."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)
