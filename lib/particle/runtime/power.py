"""Safe mode: the connection is served and the application is not run (device-api 1.1 and 4.1,
ota-and-boot 2.4), and why the board has reset. Public name `particle.system`.
"""

import gc
import time

from micropython import const

from ..errors import Error
from .control import Control
from .system import reset_text, restart

# Error numbers of Device OS (errors.py)
_FILE = const(-225)

_ASKED = const("safemode")  # the file that asks the next boot for it
_SESSION = const(1)  # kind of container
_PERIOD = const(0x3FFFFFFF)  # of ticks
_BREATH_MS = const(100)  # after memory ran out
_SAFE = const(110)
_UNKNOWN = const(10)
_NUMBERS = {
    "pin_reset": 20,
    "power_management": 30,
    "power_down": 40,
    "watchdog": 60,
    "update": 70,
    "user": 140,
}


class System(Control):
    """What `particle.system` is; default: function that returns the default client."""

    def __repr__(self):
        why = self.reset_reason
        names = [name for name in _NUMBERS if _NUMBERS[name] == why]
        updates = "enabled" if self.updates_enabled else "disabled"
        said = why, names[0] if names else "safe_mode" if why == _SAFE else "unknown", updates
        return "<System: reset reason %d (%s), updates %s>" % said

    @property
    def reset_reason(self):
        """Return the number of the cause of the last reset (device-api 4.4)."""
        if self.default().more.safe:
            return _SAFE
        return _NUMBERS.get(reset_text(self.default()), _UNKNOWN)

    def enter_safe_mode(self):
        """Reset into safe mode; in a handler, when its answer has left. Raises `Error(FILE)`.

        The start-up has to look for it (`safe_mode`): if it does not, this is but a reset.
        """
        enter(self.default())

    def on(self, events, handler):
        """Have `handler(event, parameter)` called for system events, until `off()` of the result.

        events: bits such as particle.WIFI_LISTEN_BEGIN. Raises ValueError.
        """
        from .events import on

        return on(self.default(), events, handler)

    def button_pushed(self):
        """Return for how many ms the setup button is held, 0 when it is not, or not watched."""
        setup = self.default().wifi.setup
        return setup.pushed() if setup else 0

    def safe_mode(self, needed=False):
        """Serve the connection until a reset, instead of the application, if that was asked for.

        Else return at once, unless it is `needed`: there is no application. To be called in
        boot.py, or by the boot stage. What was asked for is done once: whatever ends safe mode,
        the next boot runs the application.
        """
        try:
            client = self.default()
            if client._store.read(_ASKED) is None and not needed:
                return
            # first, so that nothing that happens from here on leads here again
            client._store.remove(_ASKED)
            # It may be the session that is in need of repair. And without one to go on with, the
            # next boot shakes hands too: that tells the cloud that safe mode is over.
            client.clear_session()
        except Error as e:
            print("no safe mode:", e)
            return
        client._store = _Unkept(client._store)
        client.more.safe = True
        client.talk = True
        print("safe mode: the application is not run; a reset ends it")
        while True:
            try:
                client.run()
            except MemoryError:
                gc.collect()
                time.sleep_ms(_BREATH_MS)
            except Error as e:  # settings or keys are missing: there is nothing to serve
                print("no safe mode:", e)
                if needed:
                    return  # the next boot would not do better
                import machine

                machine.reset()


system = System()


class _Unkept:
    # a store that does not keep the session
    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, kind, payload):
        if kind == _SESSION:
            raise Error(_FILE, "a session of safe mode is not kept", "store")
        self._store.put(kind, payload)


def enter(client):
    """Have the next boot enter safe mode, and reset; raise `Error(FILE)`: nothing was done."""
    client._store.write(_ASKED, b"1")
    restart(client, time.ticks_ms() & _PERIOD)
