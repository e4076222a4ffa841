"""The client an application sees (public name `Cloud`): what it registered, its operations, and
the step that serves link, socket, timers and calculation (DESIGN 5, servicing).
"""

import gc
import json
import os
import sys
from binascii import unhexlify

from micropython import const

from . import settings
from .errors import ConfigError, Error
from .operation import Operation, Servicing, Variable, in_task, int32, now
from .session.messaging import add, diff
from .wire.messages import INT, describe_app, encode

# Error numbers of Device OS (errors.py)
_INVALID_ARGUMENT = const(-270)
_INVALID_STATE = const(-210)
_LIMIT_EXCEEDED = const(-200)
_NOT_SUPPORTED = const(-120)
_TOO_LARGE = const(-190)

_FLAGS = const(0x36)  # of the Hello: all that needs no other transport (cloud-protocol 4.1)
_DEBOUNCE_MS = const(1000)  # between a late registration and its announcement
_MAX_NAME = const(64)
_MAX_HANDLERS = const(4)
_UP = const(4)  # READY of a Link
_CHANGED = const(0x44)
_CONTENT = const(0x45)
_NOT_FOUND = const(0x84)
_INTERNAL = const(0xA0)
_BINARY = const(42)
_TEXT = (0, 40, 41, 50)  # content formats that a plain handler understands


def _name(name):
    good = isinstance(name, str) and 0 < len(name.encode()) <= _MAX_NAME
    if not good or any(c < " " or c in '"\\' for c in name):
        raise ValueError("name: 1 to 64 bytes without quotes, not %r" % (name,))


Publish = Operation


class Cloud(Servicing):
    """One device and its connection.

    board, store, link: what to use instead of the board's own (profile module, `Store`, Link).
    values: settings that hold for this object only (`config` keys). Raises `ConfigError`.
    """

    def __init__(self, *, board=None, store=None, link=None, **values):
        if board is None:
            try:
                import particle_board as board
            except ImportError:
                from .runtime import board
        self._board = board
        if store is None:
            from .store.container import Store

            store = Store(board.STORE_ROOT)
        self._store = store
        self._link = link
        self._values = settings.load(store, board)
        if values:
            from .runtime.rules import checked

            self._values.update(checked(values))
        self._functions = {}
        self._variables = {}
        self._handlers = []
        self._operations = {}
        self._jobs = []  # (ticks, function(ticks)) of what is to be done later

    _conn = _sock = _dialing = _dns = _timer = _poller = _connecting = _tasks = error = None
    _stuck = False  # the socket did not take everything
    _busy = talk = False
    ops = limited = drops = 0

    def __getattr__(self, name):
        # verbs that are seldom needed are functions of a file of their own
        from .optional import find

        return find(self, name)

    def __repr__(self):
        from .verbs import state

        return state(self)

    @property
    def device_id(self):
        """Return the id of this device: 24 hex digits."""
        given = self._values.get("device_id")
        if given:
            return given
        from .runtime.board import device_id

        return device_id()

    # connection

    def connect(self, timeout=None, *, background=True):
        """Connect and stay connected; outside a task wait (at most `timeout` s) for it.

        Inside a task the returned object is to be awaited. Raises `ConfigError` at once when
        keys or settings are missing, `Error(TIMEOUT)` with the stage of the last failure.
        """
        self._open()
        op = self._connecting = Operation(self, timeout, "Connect")
        if self.connected():
            op._end()
        if in_task():
            return op
        self.talk = True
        try:
            if not op.wait(timeout):
                op._late()
        finally:
            self.talk = False
        if background:
            self._system(now(), "BACKGROUND", None)
        return op.result()

    def connected(self):
        """Return True while events can be published."""
        return self._conn is not None and self._conn.ready

    def disconnected(self):
        """Return True while there is no connection to the cloud."""
        return not self.connected()

    # data

    def publish(
        self, name, data=None, *, ack=None, ttl=60, content_type=None, timeout=20, persist=False
    ):
        """Send an event; the returned operation tells what became of it.

        data: text, bytes, number, or a dict or list (sent as JSON). ack: True = wait for the
        cloud's acknowledgement (outside a task at once, at most `timeout` s), False = none,
        None = as the transport does.
        Raises ValueError for a bad name, `Error` TOO_LARGE, INVALID_STATE, `QueueFull`.
        """
        _name(name)
        if persist:
            raise Error(_NOT_SUPPORTED, "persist")
        if not self.connected():
            raise Error(_INVALID_STATE, "not connected", "cloud")
        if isinstance(data, (bytes, bytearray, memoryview)):
            content_type = _BINARY if content_type is None else content_type
        else:
            if data is None:
                data = ""
            elif not isinstance(data, str):
                data = json.dumps(data)
            data = data.encode()
        if len(data) > int(self._values["limits"]):
            raise Error(_TOO_LARGE, "data of %d bytes" % len(data))
        t = now()
        self._system(t, "PUBLISH", name)
        mid = self._conn.publish(t, name, data, content_type or 0, ack, ttl=ttl)
        self.ops += 1
        op = self._operations[mid] = Operation(self, timeout, "Publish " + name)
        if ack and not self._busy and not in_task():
            op.wait(timeout)  # at the prompt and in a plain script, as Device OS does
        return op

    def function(self, name, handler=None):
        """Have `handler(text) -> int` called by the cloud; a decorator without `handler`."""
        _name(name)
        if handler is None:
            return lambda f: self.function(name, f) and f
        self._functions[name] = handler
        self._announce()
        return True

    def variable(self, name, value_or_callable=None, *, type=None):
        """Let the cloud read a value; a decorator without `value_or_callable`."""
        _name(name)
        if value_or_callable is None:
            return lambda f: self.variable(name, f, type=type) and f
        v = self._variables[name] = Variable(name, value_or_callable, type)
        self._announce()
        return v

    def subscribe(self, prefix, handler=None, *, structured=False, binary=False):
        """Have `handler(name, data)` called for events whose name starts with `prefix`."""
        _name(prefix)
        if handler is None:
            return lambda f: self.subscribe(prefix, f, structured=structured, binary=binary) and f
        if len(self._handlers) >= _MAX_HANDLERS:
            raise Error(_LIMIT_EXCEEDED, "too many subscriptions")
        flags = "c" if structured else "b" if binary else None
        self._handlers.append((prefix, handler, flags))
        if self._conn:
            self._conn.subscribe(now(), prefix, flags)
        return True

    # servicing

    def _open(self):
        if self._conn is None:
            gc.collect()  # the code and the buffers need room in one piece
            v = self._values
            self._system(0, "SETTINGS", v)
            if not v.get("server"):
                raise ConfigError(_INVALID_ARGUMENT, "no server: particle.server(host)", "DNS")
            if v["transport"] == "udp":
                from .session.resume import Resuming as Conn
                from .store.keys_ec import EcKeys as Keys
            else:
                from .session.aes_tcp import TcpConn as Conn
                from .store.keys import RsaKeys as Keys

            keys = Keys(self._store, unhexlify(self.device_id))
            platform = v["platform_id"]
            product = platform if v["product_id"] == 0xFFFF else v["product_id"]
            hello = (product, v["product_version"], _FLAGS, platform)
            self._conn = Conn(keys, self._store.get, os.urandom, hello, v)
            self._in = bytearray(Conn.DEFAULTS[2])
            self._conn.describe(now(), 1, *Conn.system(platform))
            for prefix, _, flags in self._handlers:
                self._conn.subscribe(now(), prefix, flags)
            if self._link is None:
                from .net.host import HostLink

                self._link = HostLink(getattr(self._board, "DNS", None))
        self._describe(now())
        self._link.up()
        self._conn.start(now())

    def _announce(self):
        if self._conn is not None and self._describe not in [job for _, job in self._jobs]:
            self._jobs.append((add(now(), _DEBOUNCE_MS), self._describe))

    def _describe(self, t):
        variables = [(name, self._variables[name].kind) for name in sorted(self._variables)]
        self._conn.describe(t, 2, describe_app(sorted(self._functions), variables))

    def process(self):
        """Do what is due and return at once; return how many events of the connection there were.

        The one place that moves the connection. A handler that calls the library ends up here
        again and gets 0.
        """
        if self._busy or self._conn is None:
            return 0
        self._busy = True
        try:
            t = now()
            conn = self._conn
            conn.link(t, self._link.step(t) == _UP)
            if self._dns:
                self._resolve(t)
            if self._sock:
                self._receive(t)
            for job in list(self._jobs):
                if diff(t, job[0]) >= 0:
                    self._jobs.remove(job)
                    job[1](t)
            conn.tick(t)
            count = self._events(t)
            more = 1  # what is stored lets more go out
            while more and self._sock and not self._dialing:
                self._transmit(t)
                more = self._events(t)
                count += more
            return count
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

    def _events(self, t):
        count = 0
        while True:
            e = self._conn.event()
            if e is None:
                return count
            count += 1
            kind, a, b = e
            if kind == "ACKED":
                op = self._operations.pop(a, None)
                if op is not None:
                    op._end(Error(b, "no ACK", "cloud") if b else None)
            elif kind == "CALL":
                self._call(t, a, b[0], b[1])
            elif kind == "READ":
                self._read(t, a, b)
            elif kind == "EVENT":
                self.ops += 1
                self._deliver(t, a, b[0], b[1])
            else:
                self._network(t, kind, a, b)

    def _network(self, t, kind, a, b):
        if kind == "RESOLVE":
            from .net.dns import Resolver

            self._dns = Resolver(self._link, a, self._link.info()[3], os.urandom)
        elif kind == "DIAL":
            self._dialing = a, b
            self._sock = self._link.open(self._values["transport"])
        elif kind == "HANGUP":
            if self._sock:
                self._sock.close()
            self._sock = self._poller = None
            self._stuck = False
        elif kind == "DOWN":
            self.error = Error(b, "connection failed", a)
            self.drops += 1
        elif kind == "READY":
            self.error = None
            if self._connecting is not None:
                self._connecting._end()
        elif kind == "SYSTEM":
            self._deliver(t, a, b[0], b[1])
        elif kind == "SAVE":
            try:
                self._store.put(1, a)
            except Error:
                a = None
            self._conn.saved(a)
        self._system(t, kind, a, b)

    def _system(self, t, kind, a, b=None):
        try:
            from .runtime.system import handle
        except ImportError:
            return None  # not installed: no limits, no clock, no answers to system events
        return handle(self, kind, a, b, t)

    # the cloud asks

    def _call(self, t, token, name, arg):
        handler = self._functions.get(name)
        code = _NOT_FOUND
        data = None
        if handler:
            self.ops += 1
            code = _CHANGED
            value = -1
            try:
                value = handler(arg)
                if hasattr(value, "send") and self._system(t, "COROUTINE", value, token):
                    return
                value = int32(value or 0)
            except Exception as e:
                sys.print_exception(e)
                value = -1
            data = encode(INT, value)
        self._conn.respond(t, token, code, data)

    def _read(self, t, token, name):
        v = self._variables.get(name)
        code = _NOT_FOUND
        data = None
        if v:
            self.ops += 1
            try:
                data = v.encode(int(self._values["limits"]))
                code = _CONTENT
            except Exception as e:
                sys.print_exception(e)
                code = _INTERNAL
        self._conn.respond(t, token, code, data)

    def _deliver(self, t, name, data, ctype):
        text = ctype in _TEXT
        self._ctype = ctype
        for prefix, handler, flags in list(self._handlers):
            if name.startswith(prefix) and (text or flags):
                try:
                    value = handler(name, (data.decode() if text else data) or None)
                    if hasattr(value, "send"):
                        self._system(t, "COROUTINE", value)
                except Exception as e:
                    sys.print_exception(e)

    def _quiet(self):
        if self._timer:
            self._timer.deinit()
            self._timer = None
