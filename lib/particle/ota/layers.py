"""Two kinds of update on one board: applications, and the firmware below them (ota-and-boot 3.2).

The module says which one a file is. While one of both is being tried nothing else is taken.
"""

from micropython import const

from ..errors import UpdateError
from .bootrecord import TRIAL, BootRecord

# Error numbers of Device OS (errors.py)
_BUSY = const(-110)

_FUNCTION_AT = const(14)  # in the prefix of a module


class Layers:
    """The targets `apps` and `firmware` as one; both store in the folder `root`.

    firmware: has `tried()` too, which tells whether one is being tried.
    """

    def __init__(self, root, apps, firmware):
        self._root = root
        self._apps = self._now = apps
        self._firmware = firmware
        self._unknown = False
        self._kinds = [bytes((function,)) for function in firmware.functions]

    def __getattr__(self, name):
        return getattr(self._now, name)

    def begin(self, size, sha, function):
        """As of `Staging`; raises `UpdateError` while an update is being tried."""
        if self._firmware.tried() or BootRecord(self._root).state == TRIAL:
            raise UpdateError(_BUSY, "an update is being tried; wait for its end", "update")
        whole = function in self._firmware.functions
        self._unknown = function is None
        now = self._firmware if whole else self._apps
        if now is not self._now:
            self._now._close()  # what it has left may be what goes on now
            self._now = now
        return (yield from now.begin(size, sha, function))

    def verify(self):
        """As of `Staging`."""
        # the older protocol does not say what it sends: that waits in a file, where it is seen
        if self._unknown:
            apps = self._apps
            apps._close()
            with open(self._root + "/stage.img", "rb") as f:
                head = f.read(_FUNCTION_AT + 1)
            if head[_FUNCTION_AT:] in self._kinds:
                self._now = self._firmware
                self._now.stored = apps.stored
                self._now._note(apps.size, None, None)
        return (yield from self._now.verify())
