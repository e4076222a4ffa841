"""The ways to wait, and what the verbs of the client return: operations, variables."""

import select
import sys
import time

from micropython import const

from .errors import Error
from .session.messaging import add, diff
from .wire.messages import BOOL, DOUBLE, INT, STRING, encode

# Error numbers of Device OS (errors.py)
_INVALID_STATE = const(-210)
_TIMEOUT = const(-160)

_LOOK_MS = const(100)  # how long a condition that has nothing to do with the connection waits


def now():
    """Return the ticks that the session understands."""
    return time.ticks_ms() & 0x3FFFFFFF


def in_task():
    """Return True inside an asyncio task, where nothing may block."""
    try:
        return sys.modules["asyncio"].current_task() is not None
    except (KeyError, RuntimeError):
        return False


def int32(value):
    """Return `value` as an int; raise ValueError when it does not fit 32 bits."""
    value = int(value)
    if not -0x80000000 <= value < 0x80000000:
        raise ValueError("%d does not fit 32 bits" % value)
    return value


class Servicing:
    """The three ways to serve a connection: `process`, `run`, `run_forever` (DESIGN 5)."""

    def run(self):
        """Connect and serve the connection for ever."""
        self.wait_until(lambda: True)  # not inside a task
        self._open()
        self._quiet()
        while True:
            self.process()
            self._idle(self._until())

    async def run_forever(self):
        """Connect and serve the connection for ever, inside the caller's task.

        Only while it runs are handlers that are coroutines started, each as a task that ends
        with it.
        """
        self._open()
        self._quiet()
        self._tasks = []
        try:
            while True:
                self.process()
                await self._pause()
        finally:
            tasks = self._tasks
            self._tasks = None
            for task in tasks:
                task.cancel()

    def wait_until(self, condition, timeout=None):
        """Serve the connection until `condition()`; return False when `timeout` s are over."""
        if in_task() or self._busy:
            raise Error(_INVALID_STATE, "not inside a task or handler")
        limit = None if timeout is None else add(now(), int(timeout * 1000))
        while True:
            self.process()
            if condition():
                return True
            left = _LOOK_MS if limit is None else diff(limit, now())
            if left <= 0:
                return False
            self._idle(min(left, self._until(), _LOOK_MS))

    def _until(self):
        # ms until something is due, at most a second
        t = now()
        ms = 1000
        for source in (self._conn, self._link, self._dns):
            due = source.deadline() if source else None
            if due is not None:
                ms = min(ms, diff(due, t))
        for due, _ in self._jobs:
            ms = min(ms, diff(due, t))
        return max(0, ms)

    def _idle(self, ms):
        source = self._sock or self._dns
        thing = source.pollable() if source else None
        if thing is None:
            time.sleep_ms(min(ms, 10))
            return
        if self._poller is None or self._polled is not thing:
            self._poller = select.poll()
            self._polled = thing
            self._poller.register(thing, select.POLLIN)
        out = self._stuck or (self._sock and self._dialing)
        self._poller.modify(thing, select.POLLIN | (select.POLLOUT if out else 0))
        self._poller.poll(ms)

    def _pause(self):
        # the awaitable that lets other tasks run until the next step
        import asyncio

        return asyncio.sleep_ms(min(self._until(), 20))


class Operation:
    """Something that ends: use it as a bool, `wait` for it, or `await` it.

    As a bool it is waited for, then it is True when it ended well. what: its name for `repr`.
    `status` is SENDING, SENT or FAILED.
    """

    error = None
    status = "SENDING"

    def __init__(self, client, timeout, what):
        self._client = client
        self._from = now()
        self._timeout = timeout
        self._what = what

    def done(self):
        """Return True when it has ended, well or with `error`."""
        return self.status != "SENDING"

    def result(self):
        """Return True, or raise the `Error` with which it ended."""
        if not self.done():
            raise Error(_INVALID_STATE, "not done yet")
        if self.error:
            raise self.error
        return True

    def wait(self, timeout=None):
        """Serve the connection until the end or for `timeout` s, and return `done()`."""
        return self._client.wait_until(self.done, timeout)

    def __bool__(self):
        return (self.done() or self.wait(self._timeout)) and not self.error

    def _end(self, error=None):
        self.error = error
        self.status = "FAILED" if error else "SENT"
        self._ms = diff(now(), self._from)

    def _late(self):
        client = self._client
        last = client.error or Error(0, "no answer in time", client._conn.stage())
        self._end(Error(_TIMEOUT, last.text, last.stage))

    async def _finish(self):
        client = self._client
        limit = None if self._timeout is None else add(self._from, int(self._timeout * 1000))
        while not self.done():
            client.process()
            if limit is not None and diff(now(), limit) >= 0:
                self._late()
            else:
                await client._pause()
        return self.result()

    def __repr__(self):
        after = " %d ms" % self._ms if self.done() else ""
        return "<%s %s%s>" % (self._what, self.status.lower(), after)

    def __await__(self):
        return self._finish().__await__()

    def __iter__(self):  # what MicroPython calls for await
        return self._finish()


class Variable:
    """A value that the cloud can read: set `value`, or give a callable that computes it."""

    def __init__(self, name, value, type_):
        self.name = name
        self._get = value if callable(value) else None
        if self._get:
            value = value() if type_ is None else None
        self._type = type_ = type_ or type(value)
        self.kind = {bool: BOOL, int: INT, float: DOUBLE, str: STRING}.get(type_)
        if self.kind is None:
            raise ValueError("variable must be bool, int, float or str")
        if not self._get:
            self.value = value

    @property
    def value(self):
        """Return the value, computed now if it is a callable."""
        return self._check(self._get()) if self._get else self._value

    @value.setter
    def value(self, value):
        self._value = self._check(value)

    def _check(self, value):
        return int32(value) if self.kind == INT else self._type(value)

    def encode(self, limit):
        """Return the payload of an answer; text is cut to `limit` bytes, with a log line (4.7)."""
        data = encode(self.kind, self.value)
        if len(data) > limit:
            print("variable %s: cut to %d bytes" % (self.name, limit))
            while data[limit] & 0xC0 == 0x80:  # not in the middle of a character
                limit -= 1
            data = data[:limit]
        return data
