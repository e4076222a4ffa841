"""What `particle.setup` is: listening mode of a client, in which a board is set up (device-api 6,
setup-protocols 1.1 and 2.8). `particle.wifi.listen` and the setup button use it.

While it lasts something that does nothing stands in for the client's connection and link: what the
application asks of them is done when listening has ended.
"""

import os
import sys

from micropython import const

from .errors import Error
from .operation import in_task, now
from .session.messaging import add
from .setup.mode import Mode, passed
from .verbs import unask

_NOT_SUPPORTED = const(-120)  # Device OS
_LISTENING = const(4)  # reason of a disconnection (cloud-protocol 4.11)
_GOODBYE_MS = const(3000)  # more than a connection takes to end
_STEP_MS = const(10)
_BUTTON_MS = const(50)
_WATCH_MS = const(200)
_OFF = const(0)  # states of a Link
_READY = const(4)
_FAILED = const(5)
_CLAIM = const(4)  # kind of container
_CODE = const(63)  # bytes of a claim code
_LEVEL = const(6200)  # of Device OS that is spoken
_FLAG = const("listen")  # the file that asks the next boot for listening mode

# importing from the folder `setup` has made it an attribute of the package, which hides the object
if hasattr(sys.modules["particle"], "setup"):
    del sys.modules["particle"].setup


class _Quiet:
    # stands in for a connection (of which it shows the counters) and a link while listening
    kind = "host"
    ready = False
    error = None
    _ZERO = "tx rx handshakes resumes pings failures"

    def __init__(self, setup):
        self._setup = setup
        self.conn = self.behind = None  # what it stands in for

    def __getattr__(self, name):
        if self.conn is not None:
            return getattr(self.conn, name)
        return 0 if name in self._ZERO else () if name == "_filters" else self.tick

    def start(self, now):
        self._setup._asked(True)

    def close(self, now, reason=None, sleep_s=0):
        self._setup._asked(False)

    def renew(self):
        # the settings have changed: another connection is to be made of them
        self.conn = None

    def tick(self, *_):
        pass

    link = up = down = event = deadline = tick

    def step(self, now):
        return _OFF

    def transmit(self, now):
        return 0

    def stage(self):
        return "setup" if self._setup.active() else "link"


class _Board:
    # ports["client"] of setup/mode.py
    def __init__(self, setup):
        self._setup = setup
        self._client = setup._client
        self.quiet = setup._quiet
        self.gone = setup._gone
        self.ended = setup._ended
        self.listen = setup._client.wifi.listen

    def __getattr__(self, name):
        if name == "version":
            from . import version

            return version
        if name in ("platform_id", "setup_prefix"):
            return self._client._values.get(name)
        if name != "device_id":
            raise AttributeError(name)
        return self._client.device_id

    def properties(self):
        # (name, value) of what else the board has: none so far (setup-protocols 6, `i`)
        return ()

    def claimed(self):
        # the record holds the code to be shown, and "1" when the cloud has confirmed one
        return self._client._store.get(_CLAIM) == b"1"

    def claim(self, code):
        if len(code) != _CODE:
            raise ValueError("claim code: 63 bytes")
        self._client._store.put(_CLAIM, code)

    def modules(self):
        # the list `m` of the description of the system, as JSON
        from .optional import booted
        from .wire.describe import installed

        record = self._client._store.read("module" + getattr(booted(), "slot", ""))
        try:
            text = installed(record or b"-", _LEVEL, 0, True)[0]
            return text[text.index(b"[") : -1]
        except ValueError:
            return b"[]"  # there is none, or it is damaged

    def vitals(self):
        from .runtime.vitals import snapshot

        return snapshot(self._client)

    # ports["power"]

    def safe_mode(self, listen=False):
        from .runtime.power import enter

        if listen:
            self._client._store.write(_FLAG, b"1")
        enter(self._client)


class Setup:
    """Listening mode of a client.

    stream: what the serial console uses instead of the REPL's: `read(n)` and `write(data)` that
    do not wait, such as a `machine.UART` with timeout=0.
    """

    stream = None
    _button = None

    def __init__(self, client):
        self._client = client
        client.wifi.setup = self
        board = _Board(self)
        ports = {"wifi": client.wifi, "store": client._store, "client": board, "power": board}
        ports["event"] = self._tell
        ports["console"] = self._console
        ports["keygen"] = self._keygen
        self.mode = Mode(ports)
        self._none = _Quiet(self)
        self._wanted = self._joined = False
        self._since = 0

    def __repr__(self):
        return "<Setup: %s>" % ("listening" if self.active() else "off")

    def active(self):
        """Tell whether the board is listening."""
        return self.mode.listening()

    def button(self, pin=None, level=0):
        """Watch the setup button, from the first connection or listening mode on.

        pin: number, level: while it is pressed; without them those of the board's profile
        (BUTTON). Raises `Error(NOT_SUPPORTED)` when that has none.
        """
        from machine import Pin

        from .setup.button import Button

        if pin is None:
            found = getattr(self._client._board, "BUTTON", None)
            if not found:
                raise Error(_NOT_SUPPORTED, "this board's profile has no BUTTON: button(pin)")
            pin, level = found
        pull = Pin.PULL_DOWN if level else Pin.PULL_UP
        self._button = Button(self.mode.ports, Pin(pin, Pin.IN, pull), level)
        self._client._jobs[self._look] = now()

    def pushed(self):
        """Return for how many ms the button is held, 0 when it is not."""
        return self._button.pushed(now()) if self._button else 0

    def watching(self):
        """Tell whether it is watched if new credentials work: if not, the board listens again."""
        return self._watch in self._client._jobs

    def start(self, *, wait=True):
        """Enter listening mode.

        Outside a task it lasts until listening has ended, as on Device OS; Ctrl-C ends it and is
        raised. Inside a task or a handler, and with wait=False, it returns at once, and whatever
        serves the client goes on with it: `process`, `run`, `run_forever`.
        Raises `Error(NOT_SUPPORTED)` on a board without Wi-Fi.
        """
        client = self._client
        client.wifi.link  # noqa: B018  raises when there is none
        if client._busy:  # what ends the connection is done when the handler has returned
            client._jobs[self._enter] = now()
            return
        self._enter(now())
        if not wait or in_task():
            return
        background = client._timer
        client._quiet()
        try:
            while self.active():
                client.process()
                client._idle(min(client._until(), _STEP_MS))
        except BaseException:
            self.mode.abort(now())
            raise
        finally:
            if background:
                client._system(now(), "BACKGROUND", None)

    def stop(self):
        """Leave listening mode: at once, or when the handler that calls this has returned.

        While the cloud is still told, at the beginning, that takes up to 3 s.
        """
        client = self._client
        client._jobs.pop(self._enter, None)
        self.mode.leave(now())
        if self.active():
            client._jobs[self._step] = now()
            client.process()

    # what its ports do

    def _look(self, t):
        self._client._jobs[self._look] = add(t, _BUTTON_MS)
        self._button.step(t)

    def _keygen(self):
        from .store.keygen import make

        return make(self._client._store, "tcp", os.urandom)

    def _tell(self, name, value):
        from .runtime.events import tell

        tell(self._client, name, value)

    def _console(self):
        # at an idle prompt the background service must not take what the REPL waits for
        if self.stream is None and self._client._timer is None:
            from .setup.serial import Prompt

            return Prompt()
        return self.stream

    def _step(self, t):
        try:
            if self.mode.step(t):
                self._client._jobs[self._step] = add(t, _STEP_MS)
        except BaseException:
            self.mode.abort(t)
            raise

    def _idle(self, ms):
        # Ctrl-C finds the program here: nobody would serve what is open
        try:
            type(self._client)._idle(self._client, ms)
        except BaseException:
            self.mode.abort(now())
            raise

    def _enter(self, t, why=None):
        self.mode.enter(t)
        self._client._idle = self._idle
        self.mode.join = why
        self._client._jobs[self._step] = t

    def _quiet(self, t):
        client = self._client
        conn = client._conn
        self._since = t
        self._joined = client.wifi.link.step(t) != _OFF
        if conn is None:
            self._wanted = bool(client._values.get("auto_connect"))
            self._swap(None)  # at once: nobody would call what is due
        elif conn is not self._none:
            self._wanted = conn.deadline() is not None or conn.stage() == "link"
            unask(client)
            conn.close(t, _LISTENING)

    def _gone(self, t):
        client = self._client
        conn = client._conn
        if client._sock is not None and passed(t, self._since) < _GOODBYE_MS:
            return False
        if conn is not self._none:
            self._wanted = self._wanted or conn.deadline() is not None  # connect() meanwhile
            conn.close(t)
            client._events(t)
            self._swap(conn)
        client.wifi.link.down()
        link = self._none.behind
        if link is not None:
            link.down()
        return True

    def _swap(self, conn):
        client = self._client
        none = self._none
        none.conn = conn
        if client._link is not none:
            none.behind = client._link
        client._conn = client._link = none

    def _asked(self, wanted):
        # connect() or disconnect() of the application met the stand-in
        self._wanted = wanted
        if wanted and not self.active():
            self._back()

    def _ended(self, t, connect):
        client = self._client
        wifi = client.wifi.link
        del client._idle
        if client._conn is not self._none:  # the program is being ended, while the cloud is told
            client._conn.close(t)
            client._events(t)
        if connect:
            self._none.behind = wifi
            client._jobs[self._watch] = add(t, _WATCH_MS)
        if connect or self._joined:
            wifi.up()
        elif self.mode.join != "joined":
            wifi.down()  # it was switched on to look around
        if connect or self._wanted:
            try:
                self._back()
            except Error as e:
                print(e)
        elif self._none.conn is not None:
            self._restore()
        elif client._link is self._none:
            client._link = self._none.behind or self._none

    def _restore(self):
        client = self._client
        none = self._none
        if client._link is none:
            client._link = none.behind
        if client._conn is none:
            client._conn = none.conn
        none.conn = None

    def _back(self):
        # the connection begins as if it had never been away
        client = self._client
        self._restore()
        try:
            client._open()
        except BaseException:
            if client._conn is None:  # process() needs something to go on with
                self._swap(None)
            raise

    def _watch(self, t):
        # with new credentials that do not work the board listens again (setup-protocols 2.7)
        link = self._client.wifi.link
        state = link.step(t)
        if self.active() or state in (_READY, _OFF):
            return
        if state == _FAILED:
            print(link.error)
            self._enter(t, link.error)
        else:
            self._client._jobs[self._watch] = add(t, _WATCH_MS)


def asked(client):
    """Enter listening mode when the boot before this one asked for it (`L` of the console)."""
    if client._store.read(_FLAG) is not None:
        client._store.remove(_FLAG)
        client._jobs[client.setup._enter] = now()
