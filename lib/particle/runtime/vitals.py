"""What a device tells about its health (cloud-protocol 4.2); public name `vitals`."""

import gc
import struct
import sys
import time

from micropython import const

from ..errors import Error

_NOT_SUPPORTED = const(-120)
_MASK = const(0x3FFFFFFF)  # of ticks
default = None  # function that returns the default client
_own = []  # (id, name, getter, signed)
_ticks = time.ticks_ms()
# ticks of a board begin with its boot, those of a computer anywhere
_ms = 0 if sys.platform in ("linux", "darwin", "win32") else _ticks


def register(number, name, getter, signed=False):
    """Add a value of the application: `getter()` is called for every report.

    number: 32768 to 65535. Raises ValueError.
    """
    if not 0x8000 <= number <= 0xFFFF:
        raise ValueError("number of a vital: 32768 to 65535")
    _own[:] = [v for v in _own if v[0] != number]
    _own.append((number, name, getter, signed))


def uptime():
    """Return the seconds since boot; exact if called once in 12 days (ticks wrap).

    On a computer: since this was loaded.
    """
    global _ticks, _ms
    now = time.ticks_ms()
    _ms += (now - _ticks) & _MASK
    _ticks = now
    return _ms // 1000


def values(client):
    """Return (id, name, value) of all vitals; a value that cannot be had is an `Error`."""
    conn = client._conn
    up = conn is not None and conn.ready
    error = client.error.args[0] if client.error else 0
    out = [
        (6, "sys:uptime", uptime()),
        # the ticks of now, as `uptime` saw them: told others, a link may not look for days
        (8, "net:stat", 4 if client._link and client._link.step(_ticks & _MASK) == 4 else 2),
        (10, "cloud:stat", 2 if up else 1 if conn else 0),
        (13, "cloud:err", error),
        (14, "cloud:dconn", client.drops),
        (20, "pub:limit", client.limited),
        (26, "sys:uram", _heap()),
        (29, "cloud:connatt", conn.failures if conn else 0),
    ]
    if hasattr(gc, "mem_free"):
        out.append((25, "sys:tram", _heap() + gc.mem_free()))
    for number, name, getter, _ in _own:
        try:
            out.append((number, name, int(getter())))
        except Exception as e:
            out.append((number, name, e if isinstance(e, Error) else Error(_NOT_SUPPORTED)))
    return out


def _heap():
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0


def encode(client):
    """Return the binary METRICS description of all vitals."""
    data = b"\x00" + struct.pack("<HHH", 4, 2, 4)
    for number, _, value in values(client):
        if isinstance(value, Error):
            number |= 0x8000
            value = value.args[0]
        data += struct.pack("<HI", number, value & 0xFFFFFFFF)
    return data


def snapshot(client=None):
    """Return the vitals as a dict from name to number, None for what cannot be had."""
    client = client or default()
    return {name: None if isinstance(v, Error) else v for _, name, v in values(client)}


def text():
    """Return what the prompt shows of `particle.vitals`."""
    return "<vitals %r>" % snapshot()
