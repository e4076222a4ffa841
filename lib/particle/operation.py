"""What the verbs of the client return: operations that end, variables that can be read."""

import struct
import sys
import time

from .errors import INVALID_STATE, TIMEOUT, Error
from .session.messaging import add, diff
from .wire import messages

_KINDS = {bool: messages.BOOL, int: messages.INT, float: messages.DOUBLE, str: messages.STRING}


def now():
    """Return the ticks that the session understands."""
    return time.ticks_ms() & 0x3FFFFFFF


def in_task():
    """Return True inside an asyncio task, where nothing may block."""
    asyncio = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.current_task() is not None
    except RuntimeError:
        return False


class Operation:
    """Something that ends: use it as a bool, `wait` for it, or `await` it."""

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
            raise Error(INVALID_STATE, "not done yet")
        if self.error:
            raise self.error
        return True

    def wait(self, timeout=None):
        """Serve the connection until the end or for `timeout` s, and return `done()`."""
        self._client._wait(self.done, timeout)
        return self._over

    def __bool__(self):
        if not self._over:
            self.wait(self._timeout)
        return self._over and self.error is None

    def _end(self, error=None):
        if not self._over:
            self.error = error
            self.ms = diff(now(), self._from)
            self._over = True

    async def _finish(self):
        client = self._client
        limit = None if self._timeout is None else add(self._from, int(self._timeout * 1000))
        while not self.done():
            client._step()
            if limit is not None and diff(now(), limit) >= 0:
                self._late()
            else:
                await client._pause()
        return self.result()

    def _late(self):
        self._end(Error(TIMEOUT, "no answer in time"))

    def __await__(self):
        return self._finish().__await__()

    def __iter__(self):  # what MicroPython calls for await
        return self._finish()


class Publish(Operation):
    """An event on its way: `status` is SENDING, SENT or FAILED."""

    def __init__(self, client, name, timeout):
        super().__init__(client, timeout)
        self.name = name

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
        if self._client.connected():
            self._end()
        return self._over

    def _late(self):
        last = self._client.error
        text, stage = (last.text, last.stage) if last else ("no answer in time", "cloud")
        self._end(Error(TIMEOUT, text, stage))


class Variable:
    """A value that the cloud can read: set `value`, or give a callable that computes it."""

    def __init__(self, name, value, kind):
        self.name = name
        self._get = value if callable(value) else None
        self._value = None if self._get else value
        if kind is None:
            kind = type(value() if self._get else value)
        if kind not in _KINDS:
            raise ValueError("variable %s: type must be bool, int, float or str" % name)
        self._type = kind
        self.kind = _KINDS[kind]
        if not self._get:
            self.value = value

    @property
    def value(self):
        """Return the value, computed now if it is a callable."""
        return self._type(self._get() if self._get else self._value)

    @value.setter
    def value(self, value):
        value = self._type(value)
        if self._type is int and not -0x80000000 <= value < 0x80000000:
            raise ValueError("%s = %d does not fit 32 bits" % (self.name, value))
        self._value = value

    def encode(self, limit):
        """Return the payload of an answer; text longer than `limit` bytes is cut (4.7)."""
        value = self.value
        if self._type is float:
            return struct.pack("<d", value)
        if self._type is bool:
            return b"\x01" if value else b"\x00"
        if self._type is int:
            return struct.pack(">i", value)
        return value.encode()[:limit]
