"""Ctrl-C anywhere in the library: whatever was waited for, the next verb works."""

import sys
import time

from fake_cloud import connected, make, settle
from support import raises

_POINTS = 60  # of a scenario, evenly over the calls that it makes


class Interrupt:
    """Raises KeyboardInterrupt at the nth call of a function of the library.

    There interpreters look for it, and in loops; big-integer work is left out.
    """

    def __init__(self, at=None):
        self.at = at
        self.calls = 0

    def __enter__(self):
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _call(self, frame, event, arg):
        name = frame.f_code.co_filename
        if "/particle/" in name and "/crypto/" not in name:
            self.calls += 1
            if self.calls == self.at:
                sys.settrace(None)
                raise KeyboardInterrupt


class Clock:
    """Time that passes only while the client sleeps."""

    def __enter__(self):
        self._kept = time.ticks_ms, time.sleep_ms
        self._ms = time.ticks_ms()
        time.ticks_ms = lambda: self._ms
        time.sleep_ms = self._sleep
        return self

    def _sleep(self, ms):
        self._ms += max(1, ms)

    def __exit__(self, *_):
        time.ticks_ms, time.sleep_ms = self._kept


def everywhere(begin, verb):
    """Interrupt `verb(client, link)` at many places; afterwards everything has to work."""
    if not hasattr(sys, "settrace"):
        return  # MicroPython: tests/e2e/test_ctrl_c.py types it
    with Clock():
        _everywhere(begin, verb)


def _everywhere(begin, verb):
    c, link = begin()
    with Interrupt() as whole:
        verb(c, link)
    assert whole.calls > _POINTS
    for i in range(_POINTS):
        c, link = begin()
        with Interrupt(1 + i * whole.calls // _POINTS) as one:
            try:
                verb(c, link)
            except KeyboardInterrupt:
                pass
        where = "call %d of %d" % (one.calls, whole.calls)
        assert not c._busy and not c.talk, where
        assert c.connect(timeout=30, background=False), where
        assert c.publish("after", where, ack=True), where
        settle(c, link, lambda c=c: not c._conn._queue)
        assert [m.path for m in link.heard].count("E") >= 1, where


def test_connecting():
    everywhere(make, lambda c, link: c.connect(timeout=30, background=False))


def test_publishing():
    everywhere(connected, lambda c, link: c.publish("t", "21.5", ack=True))


def test_asking_the_cloud():
    everywhere(connected, lambda c, link: c.sync_time())


def test_leaving():
    def leave(c, link):
        c.disconnect(graceful=True, timeout=3)

    everywhere(connected, leave)


def test_a_handler_that_is_interrupted():
    c, link = connected()

    def stop(text):
        raise KeyboardInterrupt

    c.function("stop", stop)
    link.say(b"\x41\x02\x07\xb1f\x04stop\x41x")
    raises(KeyboardInterrupt, c.wait_until, lambda: False, 5)
    assert c.publish("after", "it", ack=True) and c.connected()
