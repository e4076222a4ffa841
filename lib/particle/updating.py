"""Updates of a client: what is received, where it goes, what the application is told and asked,
and the reset at the end (device-api 4.2, ota-and-boot 4.7).

Loaded with the first message about an update.
"""

from micropython import const

from .errors import Error, UpdateError
from .operation import now
from .optional import booted, tell_modules
from .ota.targets import target
from .session.messaging import add

# what a transfer tells (session/transfer.py)
_BEGIN = const(0)
_COMPLETE = const(1)
_PROGRESS = const(2)
_FAILED = const(-1)

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)
_DISABLED = const(-1380)

_STEPS = const(20)  # in which progress is told
_ACK_MS = const(100000)  # for a message that is repeated until its acknowledgement
_RESET_MS = const(1000)  # for the last message to leave, and for those who want to know


class _Told:
    # what waits for the acknowledgement of a message, in the place of an operation
    def __init__(self, then):
        self._then = then

    def _end(self, error=None):
        self._then(now(), error is None)


class Updating:
    """The updates that come over one connection; `message` takes what the cloud says of them."""

    def __init__(self, client):
        self._client = client
        self.conn = client._conn
        # a store that is no folder has none: images go where files are
        self._root = root = getattr(client._store, "root", "") or client._board.STORE_ROOT
        self.target = self._none = None
        try:
            self.target = target(client, client._board, root, self._image, booted())
        except UpdateError as e:
            self._none = e.errno, e.text
        self._transfers = {}  # version 3 or not -> Transfer
        self._told = 0
        client._jobs[self._tick] = now()

    def message(self, t, m):
        """Act on a message about an update; it is loaded what that needs."""
        newer = m.path in b"SCF"
        transfer = self._transfers.get(newer)
        if transfer is None:
            if newer:
                from .session.update import Update as kind
            else:
                from .session.chunked import Chunked as kind
            transfer = self._transfers[newer] = kind(self.conn, self.target, self)
        other = self._transfers.get(not newer)
        if other and other.active() and m.path in b"Sus" and m.code == 2:
            other.stop()
        transfer.message(t, m)
        self._wake(t)

    def gone(self):
        """Take note that the connection has ended: a transfer goes on with the next one."""
        for transfer in self._transfers.values():
            transfer.stop()

    def active(self):
        """Return True while an update comes."""
        return any(transfer.active() for transfer in self._transfers.values())

    def _tick(self, t):
        for transfer in self._transfers.values():
            transfer.tick(t)
        self._wake(t)

    def _wake(self, t):
        for transfer in self._transfers.values():
            due = transfer.deadline(t)
            if due is not None:
                self._client._jobs[self._tick] = due

    # what the transfer asks and tells

    def refusal(self, size):
        """Return None, or error number and text when no update may begin."""
        if self._none:
            return self._none
        try:
            from .store.place import refuse_fat

            refuse_fat(self._root)
        except ImportError:
            pass  # its component is not there: there is littlefs only
        except Error as e:
            return _NOT_SUPPORTED, e.text
        more = self._client.more
        if not (more.updates_enabled or more.updates_forced):
            return _DISABLED, "updates are disabled"
        return None

    def told(self, step):
        """Tell the application how far it is."""
        target = self.target
        if step == _PROGRESS:
            part = target.stored * _STEPS // target.size
            if part == self._told:
                return
            self._told = part
        elif step == _BEGIN:
            self._told = 0
        self._tell("FIRMWARE_UPDATE", step)

    def _tell(self, name, value):
        if self._client.more.watchers:
            from .runtime.events import tell

            tell(self._client, name, value)

    def answered(self, mid, then):
        """Have `then(now, ok)` called when the message `mid` is acknowledged, or never will be."""
        self.conn._waiting[mid] = add(now(), _ACK_MS)
        self._client._operations[mid] = _Told(then)

    def complete(self):
        """Hand over what was received, and reset, as soon as the application allows it."""
        try:
            path = self.target.finish()
        except OSError as e:
            print("update:", e)
            self.told(_FAILED)
            from .runtime.system import say

            # the cloud takes it for a success, and would wait for the restart
            say(self._client, now(), "spark/device/last_reset", "update_error, " + str(e))
            return
        print("update: complete, in " + path)
        self.told(_COMPLETE)
        if not self.target.resets:
            tell_modules(self._client, self.conn)
            return
        more = self._client.more
        more.reset_pending = True
        self._tell("RESET_PENDING", 0)
        if more.reset_enabled:
            self._client._jobs[self._reset] = add(now(), _RESET_MS)

    def _reset(self, t):
        # the application may have changed its mind
        if self._client.more.reset_enabled:
            from .runtime.control import reset

            reset(self._client, "update")

    def _image(self, size, function):
        # every function of it is checked with the first bytes
        from .wire.module import Image, user_slots

        platform = self._client._values["platform_id"]
        return Image(size, platform, user_slots(platform))
