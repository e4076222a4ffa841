"""What the verbs of the client return: operations that end, variables that can be read."""

import sys
import time

from micropython import const

from .errors import Error
from .session.messaging import add, diff
from .wire.messages import BOOL, DOUBLE, INT, STRING, encode

# Error numbers of Device OS (errors.py)
_INVALID_STATE = const(-210)
_TIMEOUT = const(-160)


def now():
    """Return the ticks that the session understands."""
    return time.ticks_ms() & 0x3FFFFFFF


def in_task():
    """Return True inside an asyncio task, where nothing may block."""
    try:
        return sys.modules["asyncio"].current_task() is not None
    except (KeyError, RuntimeError):
        return False


class Operation:
    """Something that ends: use it as a bool, `wait` for it, or `await` it.

    As a bool it is waited for, then it is True when it ended well.
    """

    def __init__(self, client, timeout):
        self._client = client
        self._from = now()
        self._timeout = timeout
        self._over = False
        self.error = None

    def done(self):
        """Return True when it has ended, well or with `error`."""
        return self._over

    def result(self):
        """Return True, or raise the `Error` with which it ended."""
        if not self._over:
            raise Error(_INVALID_STATE, "not done yet")
        if self.error:
            raise self.error
        return True

    def wait(self, timeout=None):
        """Serve the connection until the end or for `timeout` s, and return `done()`."""
        return self._client.wait_until(self.done, timeout)

    def __bool__(self):
        return (self._over or self.wait(self._timeout)) and not self.error

    def _end(self, error=None):
        self.error = error
        self.ms = diff(now(), self._from)
        self._over = True

    def _late(self):
        self._end(Error(_TIMEOUT, "no answer in time"))

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

    def __await__(self):
        return self._finish().__await__()

    def __iter__(self):  # what MicroPython calls for await
        return self._finish()


class Publish(Operation):
    """An event on its way: `status` is SENDING, SENT or FAILED."""

    @property
    def status(self):
        """Return how far it is."""
        return "SENDING" if not self._over else "FAILED" if self.error else "SENT"

    def __repr__(self):
        after = " %d ms" % self.ms if self._over else ""
        return "<Publish %s %s%s>" % (self.name, self.status.lower(), after)


class Connect(Operation):
    """The wait for a connection."""

    def done(self):
        """Return True once connected."""
        if not self._over and self._client.connected():
            self._end()
        return self._over

    def _late(self):
        last = self._client.error
        text, stage = (last.text, last.stage) if last else ("no answer in time", "cloud")
        self._end(Error(_TIMEOUT, text, stage))


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
            raise ValueError("variable %s: type must be bool, int, float or str" % name)
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
        value = self._type(value)
        if self.kind == INT and not -0x80000000 <= value < 0x80000000:
            raise ValueError("%s = %d does not fit 32 bits" % (self.name, value))
        return value

    def encode(self, limit):
        """Return the payload of an answer; text is cut to `limit` bytes, with a log line (4.7)."""
        data = encode(self.kind, self.value)
        if len(data) > limit:
            print("variable %s: cut to %d bytes" % (self.name, limit))
            while data[limit] & 0xC0 == 0x80:  # not in the middle of a character
                limit -= 1
            data = data[:limit]
        return data
