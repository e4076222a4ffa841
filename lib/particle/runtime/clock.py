"""The clock of the board, set from the cloud's time; public name `particle.time`."""

import time

from micropython import const

_TO_2000 = const(946684800)  # seconds from 1970, the cloud's epoch, to 2000, that of most boards
_BUILT = const(1735689600)  # 2025: an earlier time was never set


def _offset():
    return _TO_2000 if time.gmtime(0)[0] == 2000 else 0


def set(epoch):
    """Set `machine.RTC` to Unix time `epoch` in s; a host, which has none, keeps its clock."""
    try:
        from machine import RTC
    except ImportError:
        return
    t = time.gmtime(epoch - _offset())
    RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))


def now():
    """Return the Unix time in s."""
    return int(time.time()) + _offset()


def valid():
    """Return True when the clock has been set."""
    return now() > _BUILT


def text():
    """Return what the prompt shows of `particle.time`."""
    if not valid():
        return "<time: not set>"
    return "<time %d-%02d-%02d %02d:%02d:%02d UTC>" % time.gmtime()[:6]
