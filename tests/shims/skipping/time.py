"""The `time` of the unix port, but what is slept has passed at once; other time passes as ever.

For tests in which nothing else happens meanwhile, so that waiting for it shows nothing. It has to
be first on MICROPYPATH.
"""

import utime
from utime import *  # noqa: F403

_ahead_us = 0


def ticks_us():
    """Return microseconds since some moment."""
    return utime.ticks_add(utime.ticks_us(), _ahead_us)


def ticks_ms():
    """Return milliseconds since some moment."""
    return utime.ticks_add(utime.ticks_ms(), _ahead_us // 1000)


def sleep_us(us):
    """Skip a number of microseconds."""
    global _ahead_us
    _ahead_us += max(0, us)


def sleep_ms(ms):
    """Skip a number of milliseconds."""
    sleep_us(1000 * ms)


def sleep(seconds):
    """Skip a number of seconds, which may be a fraction."""
    sleep_us(int(1000000 * seconds))
