"""What an application decides about updates and resets, and is told of them (device-api 4.2, 4.3).

Part of `particle.system`.
"""

import time

from micropython import const

from ..errors import Error
from .events import tell
from .system import restart, say

_PERIOD = const(0x3FFFFFFF)  # of ticks

# values of update_status
_NOT_AVAILABLE = const(1)
_PENDING = const(2)
_IN_PROGRESS = const(3)


class Control:
    """The part of `particle.system` for updates; default: function that returns the client."""

    default = None

    @property
    def updates_enabled(self):
        """Tell or set whether the cloud may send updates; it learns of every change."""
        return self.default().more.updates_enabled

    @updates_enabled.setter
    def updates_enabled(self, value):
        client = self.default()
        value = bool(value)
        if value != client.more.updates_enabled:
            client.more.updates_enabled = value
            if client.connected():
                say(client, _now(), "particle/device/updates/enabled", value)

    @property
    def updates_forced(self):
        """Tell whether the cloud sends updates although they are not enabled."""
        return self.default().more.updates_forced

    @property
    def updates_pending(self):
        """Tell whether the cloud has an update that waits until updates are enabled."""
        return self.default().more.updates_pending

    @property
    def update_status(self):
        """Return 1: there is none, 2: one waits, 3: one comes (device-api 4.2)."""
        more = self.default().more
        if more.updating and more.updating.active():
            return _IN_PROGRESS
        return _PENDING if more.updates_pending or more.reset_pending else _NOT_AVAILABLE

    @property
    def reset_enabled(self):
        """Tell or set whether a complete update may reset the board; if not, it waits."""
        return self.default().more.reset_enabled

    @reset_enabled.setter
    def reset_enabled(self, value):
        client = self.default()
        client.more.reset_enabled = bool(value)
        if value and client.more.reset_pending:
            reset(client, "update")

    @property
    def reset_pending(self):
        """Tell whether an update is complete and waits for the reset."""
        return self.default().more.reset_pending


def reset(client, reason):
    """Reset the board, soon when inside a handler; the next boot knows the `reason` (4.4)."""
    tell(client, "RESET")
    try:
        client._store.write("reason", reason.encode())
        # the cloud shall learn from a Hello and a description what runs now
        client.clear_session()
    except Error as e:
        print(e)
    restart(client, _now())


def _now():
    return time.ticks_ms() & _PERIOD
