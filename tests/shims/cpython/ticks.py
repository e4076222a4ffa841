"""MicroPython's clock functions, added to CPython's built-in module `time`.

The counter wraps at 2**30 as on a 32-bit board, and starts close to the wrap,
so that arithmetic done without ticks_diff() fails in the first minute.
"""

import asyncio
import time

_PERIOD = 1 << 30
_HALF = _PERIOD >> 1
_START_MS = _PERIOD - 20_000

_epoch_ns = time.monotonic_ns()


def ticks_us():
    """Return microseconds since some moment, modulo 2**30."""
    return (_START_MS + (time.monotonic_ns() - _epoch_ns) // 1000) % _PERIOD


def ticks_ms():
    """Return milliseconds since some moment, modulo 2**30."""
    return (_START_MS + (time.monotonic_ns() - _epoch_ns) // 1_000_000) % _PERIOD


def ticks_add(ticks, delta):
    """Return `ticks` moved by `delta`, modulo 2**30. Raises OverflowError beyond half of it."""
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) % _PERIOD


def ticks_diff(later, earlier):
    """Return the signed distance from `earlier` to `later`."""
    return ((later - earlier + _HALF) % _PERIOD) - _HALF


def sleep_ms(ms):
    """Sleep for `ms` milliseconds."""
    time.sleep(max(0, ms) / 1000)


def sleep_us(us):
    """Sleep for `us` microseconds."""
    time.sleep(max(0, us) / 1_000_000)


def asyncio_sleep_ms(ms):
    """Return the awaitable of a sleep of `ms` milliseconds."""
    return asyncio.sleep(max(0, ms) / 1000)


def install():
    """Add the functions above to the modules `time` and `asyncio`."""
    asyncio.sleep_ms = asyncio_sleep_ms
    for function in (ticks_ms, ticks_us, ticks_add, ticks_diff, sleep_ms, sleep_us):
        setattr(time, function.__name__, function)
