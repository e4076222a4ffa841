"""The step that serves a connection, the ways to wait, and what the verbs of the client return."""

import select
import sys
import time

from micropython import const

from .errors import Error
from .session.messaging import add, diff

# Error numbers of Device OS (errors.py)
_INVALID_STATE = const(-210)
_TIMEOUT = const(-160)

_LONG = const(500000)  # s; more than ticks can count is as good as that
_UP = const(4)  # READY of a Link
_LOOK_MS = const(100)  # how long a condition that has nothing to do with the connection waits


def now():
    """Return the ticks that the session understands."""
    return time.ticks_ms() & 0x3FFFFFFF


def end(start, timeout):
    """Return the ticks `timeout` s after `start`, None for None; raise ValueError."""
    if timeout is None:
        return None
    if not isinstance(timeout, (int, float)) or not timeout >= 0:  # NaN is neither
        raise ValueError("timeout: seconds, not %r" % (timeout,))
    return add(start, int(min(timeout, _LONG) * 1000))


def in_task():
    """Return True inside an asyncio task, where nothing may block."""
    task = None
    try:
        task = sys.modules["asyncio"].current_task()
        # after Ctrl-C MicroPython still names the last one; while a task runs this raises
        task.coro.pend_throw(None)
    except (KeyError, RuntimeError):
        return False
    except (AttributeError, ValueError):
        return task is not None
    return False


def int32(value):
    """Return `value` as an int; raise ValueError when it does not fit 32 bits."""
    value = int(value)
    if not -1 <= value >> 31 <= 0:
        raise ValueError("%d does not fit 32 bits" % value)
    return value


class Servicing:
    """Two ways to serve a connection (DESIGN 5); the third, `run_forever`, is in tasks.py."""

    def process(self):
        """Do what is due and return at once; return how many events of the connection there were.

        The one place that moves the connection. A handler that calls the library ends up here
        again and gets 0.
        """
        if self._busy or self._conn is None:
            return 0
        try:
            self._busy = True
            t = now()
            conn = self._conn
            if self._broken:
                self._network(t, "HANGUP", None, None)
                conn.link(t, None)
                self._broken = False
            conn.link(t, self._link.step(t) == _UP)
            if self._dns:
                self._resolve(t)
            if self._sock:
                self._receive(t)
            for job, due in list(self._jobs.items()):
                if diff(t, due) >= 0:
                    self._jobs.pop(job, None)
                    job(t)
            conn.tick(t)
            count = self._events(t)
            while True:
                more = 1  # what is stored lets more go out
                while more and self._sock and not self._dialing:
                    self._transmit(t)
                    more = self._events(t)
                    count += more
                # the ACK is out: a function may take its time, or reset the board
                if not self._calls:
                    return count
                self._answer(t, *self._calls.pop(0))
        except (MemoryError, KeyboardInterrupt):
            self._broken = self._busy  # half of a step was done; the next call repairs it
            raise
        finally:
            self._busy = False

    def _receive(self, t):
        conn = self._conn
        n = 0
        try:
            if self._dialing:
                if self._sock.connect(*self._dialing):
                    self._dialing = None
                    conn.opened(t, True)
                return
            n = self._sock.readinto(self._in)
        except OSError:
            if self._dialing:
                conn.opened(t, False)
        if n is not None:
            conn.receive(self._in, n, t)

    def _transmit(self, t):
        conn = self._conn
        self._stuck = False
        while not self._stuck:
            n = conn.transmit(t)
            if n == 0:
                return
            try:
                taken = self._sock.write(conn.out, n) or 0
            except OSError:
                conn.receive(self._in, 0, t)
                return
            if taken < n:
                conn.unsent(n - taken)
                self._stuck = True

    def _resolve(self, t):
        try:
            found = self._dns.step(t, diff, add)
        except OSError:  # the stage of the DOWN that follows tells enough
            found = []
        if found is not None:
            self._dns.close()
            self._dns = None
            self._conn.addresses(t, found)

    def run(self):
        """Connect and serve the connection for ever."""
        self._wait(self.connected, now())  # not inside a task
        self._open()
        self._quiet()
        while True:
            self.process()
            self._idle(self._until())

    def wait_until(self, condition, timeout=None):
        """Serve the connection until `condition()`; return False when `timeout` s are over."""
        return self._wait(condition, end(now(), timeout))

    def _wait(self, condition, limit):
        if in_task() or self._busy:
            raise Error(_INVALID_STATE, "inside a task use await; a handler must not wait")
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
        for due in self._jobs.values():
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
        out = self._stuck or (self._sock and self._dialing)
        # again with other flags is as good as modify()
        self._poller.register(thing, select.POLLIN | (select.POLLOUT if out else 0))
        self._poller.poll(ms)


class Operation:
    """Something that ends: use it as a bool, `wait` for it, or `await` it.

    As a bool it is waited for, then it is True when it ended well. what: its name for `repr`.
    `status` is SENDING, SENT or FAILED.
    """

    def __init__(self, client, timeout, what):
        self.error = None
        self.status = "SENDING"
        self._client = client
        self._from = now()
        self._limit = end(self._from, timeout)
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
        # the time-out counts from the beginning: it is not waited for twice
        return (self.done() or self._client._wait(self.done, self._limit)) and not self.error

    def _end(self, error=None):
        if self.done():
            return  # what it was told too late changes nothing
        self.error = error
        self.status = "FAILED" if error else "SENT"
        self._ms = diff(now(), self._from)

    def _late(self):
        client = self._client
        last = client.error or Error(0, "no answer in time", client._conn.stage())
        self._end(Error(_TIMEOUT, last.text, last.stage))

    def __repr__(self):
        after = " %d ms" % self._ms if self.done() else ""
        return "<%s %s%s>" % (self._what, self.status.lower(), after)

    def __await__(self):
        return self._client._finish(self).__await__()

    def __iter__(self):  # what MicroPython calls for await
        return self._client._finish(self)
