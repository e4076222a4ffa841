"""The client an application sees (public name `Cloud`): its settings, what it registered, its
operations, and what becomes of the events of the connection (DESIGN 5).
"""

import gc
import json
import os
import sys

from micropython import const

from . import _tidy
from .errors import Error
from .operation import Operation, Servicing, in_task, int32, now
from .session.messaging import add
from .wire.messages import describe_app, encode

# Error numbers of Device OS (errors.py)
_ABORTED = const(-150)
_BAD_DATA = const(-280)
_INVALID_ARGUMENT = const(-270)
_INVALID_STATE = const(-210)
_LIMIT_EXCEEDED = const(-200)
_TOO_LARGE = const(-190)

_FLAGS = const(0x36)  # of the Hello: all that needs no other transport (cloud-protocol 4.1)
_DEBOUNCE_MS = const(1000)  # between a late registration and its announcement
_MAX_NAME = const(64)
_MAX_HANDLERS = const(4)
_CHANGED = const(0x44)
_CONTENT = const(0x45)
_NOT_FOUND = const(0x84)
_INTERNAL = const(0xA0)
_BINARY = const(42)
_INT = const(2)  # kind of a variable
_SMALL = const(256)  # bytes that come at once; a datagram that is longer makes its buffer grow
hint = ": install the component repl"


def load(store, board):
    """Return the settings of pt/config.json over the defaults of `board` (DESIGN 5, store).

    Raises `ConfigError` when the file is damaged or newer; it is never overwritten then.
    """
    values = {
        "product_id": 0xFFFF,
        "product_version": 0xFFFF,
        "platform_id": board.PLATFORM_ID,
        "transport": board.TRANSPORT,
        "limits": "1024",
    }
    data = store.read("config.json")
    if data is not None:
        version = None
        try:
            saved = json.loads(data)
            version = saved.pop("v", None)
        except (ValueError, AttributeError, TypeError):
            pass
        if version != 1:
            from .errors import ConfigError

            why = "config.json (version %s) is damaged or newer: provision again" % version
            raise ConfigError(_BAD_DATA, why, "store")
        # a key this version does not know stays in the record and is written back
        for key in saved:
            if saved[key] is not None:
                values[key] = saved[key]
    return values


def _name(name):
    good = isinstance(name, str) and 0 < len(name.encode()) <= _MAX_NAME
    if not good or '"' in name or "\\" in name or min(name) < " ":
        raise ValueError("name: 1 to 64 bytes without quotes, not %r" % (name,))


def _decorator(verb, name, thing, fits, **options):
    # what registers the thing that is not given yet; None when it is given, and fits
    _name(name)
    if thing is None:
        return lambda f: verb(name, f, **options) and f
    if not fits:
        raise ValueError("%s: %r cannot be called" % (name, thing))
    return None


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
        if store:  # else that of the board: see __getattr__
            self._store = store
        self._link = link
        self._values = load(self._store, board)
        if values:
            from .runtime.rules import checked

            self._values.update(checked(values))
        self._functions = {}
        self._variables = {}
        self._handlers = []
        self._operations = {}
        self._calls = []  # tokens, functions, arguments
        self._jobs = {}  # function(ticks) -> ticks of when it is to be called
        self._broken = False  # the last step was not finished
        self._stuck = False  # the socket did not take everything
        self._busy = self.talk = False
        self._conn = self._sock = self._dialing = self._poller = self._connecting = None
        self.error = None
        self.ops = 0

    _dns = _timer = _tasks = None
    limited = drops = 0

    def __getattr__(self, name):
        # verbs that are seldom needed are functions of a file of their own
        try:
            from .optional import find
        except ImportError:
            if name != "_store" or getattr(self._board, "STORE", "littlefs") != "littlefs":
                raise AttributeError(name + hint) from None
            from .store.container import Store  # the core alone knows files only

            self._store = Store(self._board.STORE_ROOT)
            return self._store
        return find(self, name)

    def __repr__(self):
        try:
            from .verbs import state
        except ImportError:
            return "<Cloud>"  # also as a part of what the prompt shows of a verb
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
        op = Operation(self, timeout, "Connect")
        self._open()
        self._connecting = op
        if self.connected():
            op._end()
        if in_task():
            return op
        self.talk = True
        try:
            if not op and not op.done():
                op._late()
        finally:
            self._system(0, "QUIET", None)
            self.talk = False
        if background:
            self._system(now(), "BACKGROUND", None)
        return op.result()

    def connected(self):
        """Return True while events can be published."""
        return self._conn is not None and self._conn.ready and not self._broken

    # data

    def publish(
        self, name, data=None, *, ack=None, ttl=60, content_type=None, timeout=20, persist=False
    ):
        """Send an event; the returned operation tells what became of it.

        data: text, bytes, number, or a dict or list (sent as JSON). ack: True = wait for the
        cloud's acknowledgement (outside a task at once, at most `timeout` s), False = none,
        None = as the transport does. persist: keep it on flash until it is acknowledged, also
        without a connection and over resets.
        Raises ValueError for a bad name, `Error` TOO_LARGE, INVALID_STATE, `QueueFull`.
        """
        _name(name)
        if not (persist or self.connected()):
            raise Error(_INVALID_STATE, "not connected", "cloud")
        t = now()
        if content_type is not None:
            self._system(t, "DATA", None, content_type)
        if isinstance(data, (bytes, bytearray, memoryview)):
            content_type = _BINARY if content_type is None else content_type
        else:
            if data is None:
                data = ""
            elif not isinstance(data, str):
                self._system(t, "DATA", data)
                data = json.dumps(data)
            data = data.encode()
        most = int(self._values["limits"])
        if len(data) > most:
            raise Error(_TOO_LARGE, "data of %d bytes, at most %d" % (len(data), most))
        if persist:
            return self.queue.publish(name, data, content_type or 0, ack, ttl, timeout)
        op = Operation(self, timeout, "Publish " + name)
        self._system(t, "PUBLISH", name, ttl)
        mid = self._conn.publish(t, name, data, content_type or 0, ack, ttl=ttl)
        self.ops += 1
        self._operations[mid] = op
        if ack and not self._busy and not in_task():
            bool(op)  # waits at the prompt and in a plain script, as Device OS does
        return op

    def function(self, name, handler=None):
        """Have `handler(text) -> int` called by the cloud; a decorator without `handler`."""
        later = _decorator(self.function, name, handler, callable(handler))
        if not later:
            self._functions[name] = handler
            self._announce()
        return later or True

    def variable(self, name, value_or_callable=None, *, type=None):
        """Let the cloud read a value; a decorator without `value_or_callable`."""
        later = _decorator(self.variable, name, value_or_callable, True, type=type)
        if later:
            return later
        from .values import Variable

        v = self._variables[name] = Variable(name, value_or_callable, type)
        self._announce()
        return v

    def subscribe(self, prefix, handler=None, *, structured=False, binary=False):
        """Have `handler(name, data)` called for events whose name starts with `prefix`."""
        fits = callable(handler)
        later = _decorator(
            self.subscribe, prefix, handler, fits, structured=structured, binary=binary
        )
        if later:
            return later
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
            v = self._values
            udp = v["transport"] == "udp"
            self._in = None
            gc.collect()  # the code and the buffers need room in one piece
            self._in = bytearray(_SMALL)
            self._system(0, "SETTINGS", v)
            if not v.get("server"):
                from .errors import ConfigError

                raise ConfigError(_INVALID_ARGUMENT, "no server: particle.server(host)", "address")
            try:
                if udp:
                    from .session.resume import Resuming as Conn
                    from .store.keys_ec import EcKeys as Keys
                else:
                    from .session.aes_tcp import TcpConn as Conn
                    from .store.keys import RsaKeys as Keys
            except ImportError as e:
                self._system(0, "MISSING", e)
                raise
            from binascii import unhexlify

            gc.collect()  # what stays is to lie together, not between the garbage of the imports
            keys = Keys(self._store, unhexlify(self.device_id))
            platform = v["platform_id"]
            product = platform if v["product_id"] == 0xFFFF else v["product_id"]
            hello = (product, v["product_version"], _FLAGS, platform)
            conn = Conn(keys, self._store.get, os.urandom, hello, v)
            conn.describe(now(), 1, *Conn.system(platform))
            for prefix, _, flags in self._handlers:
                conn.subscribe(now(), prefix, flags)
            if self._link is None:
                from .net.host import HostLink

                self._link = HostLink(getattr(self._board, "DNS", None))
            self._conn = conn  # nobody may meet half of this
            gc.collect()
        self._describe(now())
        self._link.up()
        self._conn.start(now())

    def _announce(self):
        if self._conn is not None:
            self._jobs.setdefault(self._describe, add(now(), _DEBOUNCE_MS))

    def _describe(self, t):
        variables = []
        for name in sorted(self._variables):
            variables.append((name, self._variables[name].kind))
        self._conn.describe(t, 2, describe_app(sorted(self._functions), variables))

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
                    kind = Error
                    if b == _ABORTED:
                        from .errors import Disconnected as kind
                    op._end(kind(b, "no ACK", "cloud") if b else None)
            elif kind == "CALL":
                self._calls.append((a, self._functions.get(b[0]), b[1]))
            elif kind == "READ":
                self._answer(t, a, self._variables.get(b), None)
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
            if self._connecting is not None and self._conn.ready:  # it may be gone again
                self._connecting._end()
        elif kind == "SYSTEM":
            self._deliver(t, a, b[0], b[1])
        elif kind == "SAVE":
            try:
                self._store.put(1, a)
            except Error:
                a = None
            self._conn.saved(a)
            if not b:  # the session lives: all that stays is there
                _tidy(1056, -1)
        elif kind == "STAGE":  # a handshake makes too much garbage to be tidy
            _tidy(1056, -1)
        self._system(t, kind, a, b)

    def _system(self, t, kind, a, b=None):
        try:
            from .runtime.system import handle
        except ImportError:
            return None  # not installed: no limits, no clock, no answers to system events
        return handle(self, kind, a, b, t)

    # the cloud asks

    def _answer(self, t, token, asked, arg):
        # asked: a function, then arg is its argument; or a variable, then arg is None
        code = _NOT_FOUND
        data = None
        if asked:
            self.ops += 1
            code = _INTERNAL
            try:
                if arg is None:
                    data = asked.encode(int(self._values["limits"]))
                    code = _CONTENT
                else:
                    code = _CHANGED
                    data = encode(_INT, -1)  # what a caller learns of a function that fails
                    value = asked(arg)
                    if hasattr(value, "send") and self._system(t, "COROUTINE", value, token):
                        return
                    data = encode(_INT, int32(value or 0))
            except (KeyboardInterrupt, SystemExit):
                self._busy = False  # in the handler: nothing of ours is half done
                raise
            except BaseException as e:  # also what would end a task that is not the handler's
                sys.print_exception(e)
        self._conn.respond(t, token, code, data)

    def _deliver(self, t, name, data, ctype):
        text = ctype in (0, 40, 41, 50)  # what a plain handler understands
        self._ctype = ctype
        for prefix, handler, flags in list(self._handlers):
            if name.startswith(prefix) and (text or flags):
                try:
                    value = handler(name, (data.decode() if text else data) or None)
                    if hasattr(value, "send"):
                        self._system(t, "COROUTINE", value)
                except (KeyboardInterrupt, SystemExit):
                    self._busy = False
                    raise
                except BaseException as e:
                    sys.print_exception(e)

    def _quiet(self):
        if self._timer:
            self._timer.deinit()
            self._timer = None
