"""The board's clock: `time` of the unix port, with a scale and a wall clock of the board's own.

The wall clock starts at 2000-01-01 at power-on, like a board without battery,
follows `machine.RTC().datetime(...)`, and survives a reset (MicroPython
docs, time and machine.RTC). The epoch is the unix port's, 1970; local time is UTC.
"""

import struct

import _sim
import utime

ticks_add = utime.ticks_add
ticks_cpu = utime.ticks_cpu
ticks_diff = utime.ticks_diff

_FILE = "ram/clock"
_FORMAT = "<qq"  # host's ticks_us and board's wall clock (us since 1970) at the same moment
_START_US = 946684800 * 1000000

_scale = _sim.scale


def _set_wall(us):
    global _host0, _wall0
    _host0 = _sim.host_us()
    _wall0 = us
    _sim.write(_FILE, struct.pack(_FORMAT, _host0, _wall0))


def _wall():
    return _wall0 + int((_sim.host_us() - _host0) * _scale)


_saved = _sim.read(_FILE)
if _saved and len(_saved) == 16:
    _host0, _wall0 = struct.unpack(_FORMAT, _saved)
else:
    _set_wall(_START_US)
del _saved


def time():
    """Return whole seconds since 1970 by the board's clock."""
    return _wall() // 1000000


def time_ns():
    """Return nanoseconds since 1970 by the board's clock."""
    return _wall() * 1000


def gmtime(secs=None):
    """Return (year, month, mday, hour, minute, second, weekday, yearday)."""
    return utime.gmtime(time() if secs is None else int(secs))[:8]


localtime = gmtime


def mktime(t):
    """Return the seconds since 1970 of an 8-tuple as `localtime` gives it."""
    if len(t) not in (8, 9):
        raise TypeError("mktime needs a tuple of length 8 or 9 (%d given)" % len(t))
    # the host's time zone is set to UTC by the supervisor
    return int(utime.mktime(tuple(t[:8]) + (0,)))


if _scale == 1:
    ticks_ms = utime.ticks_ms
    ticks_us = utime.ticks_us
else:

    def ticks_us():
        """Return microseconds of board time."""
        return int(_sim.host_us() * _scale) & 0x3FFFFFFFFFFFFFFF

    def ticks_ms():
        """Return milliseconds of board time."""
        return ticks_us() // 1000


def sleep(seconds):
    """Sleep for a number of seconds, which may be a fraction."""
    _sim.wait_us(int(seconds * 1000000))


def sleep_ms(ms):
    """Sleep for `ms` milliseconds."""
    _sim.wait_us(ms * 1000)


def sleep_us(us):
    """Sleep for `us` microseconds."""
    if us < 1000 and _scale == 1:
        utime.sleep_us(us)
    else:
        _sim.wait_us(us)
