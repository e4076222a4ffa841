"""Two kinds of update on one board: applications, and the firmware below them (ota-and-boot 3.2).

The module says which one a file is. While one of both is being tried nothing else is taken.
"""

from micropython import const

from ..errors import UpdateError
from .bootrecord import BootRecord
from .bundle import Bundle
from .direct import Direct

# state of the boot record, and of a `Firmware`
_TRIAL = const(1)

# Error numbers of Device OS (errors.py)
_BUSY = const(-110)
_FAILED = const(-1320)

_FUNCTION_AT = const(14)  # in the prefix of a module

#: Function, index and processor of a firmware's module: "firmware for another processor", of
#: nobody else's kind (ota-and-boot 4.7).
_NCP = const(7)
PLACE = (_NCP, 1, 0xFF)


class Whole(Direct):
    """A target of whole firmwares: signed bundles of one file, in modules of function 7.

    root, image, about, keys, platform_id: as of `AppSlots`. A subclass has what `Direct` asks for
    but `_bundle` and `_installed`; and `_running()`, the `Firmware` that runs.
    """

    functions = (_NCP,)

    def __init__(self, root, image, about, keys, platform_id):
        super().__init__(root, image, about, keys, platform_id, {PLACE: (0, 0xFFFFFFFF)})
        self._numbers = None  # version and floor of what is in its place

    def tried(self):
        """Tell whether a firmware is being tried."""
        return self._running().state == _TRIAL

    def _bundle(self, head, sink):
        return Bundle(head, sink, self._about, self._keys, self._running().floor)

    def _installed(self, module, bundle):
        facts = bundle.manifest.facts
        self._numbers = facts["version"], facts["floor"]
        if facts["version"] != module.version:
            raise UpdateError(_FAILED, "the module has another version than its bundle", "update")
        return iter(())


class Layers:
    """The targets `apps` and `firmware`, a `Whole`, as one; both store in the folder `root`."""

    def __init__(self, root, apps, firmware):
        self._root = root
        self._apps = self._now = apps
        self._firmware = firmware
        self._unknown = False

    def __getattr__(self, name):
        return getattr(self._now, name)

    def begin(self, size, sha, function):
        """As of `Staging`; raises `UpdateError` while an update is being tried."""
        if self._firmware.tried() or BootRecord(self._root).state == _TRIAL:
            raise UpdateError(_BUSY, "an update is being tried; wait for its end", "update")
        self._unknown = function is None
        now = self._firmware if function == _NCP else self._apps
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
            if head[_FUNCTION_AT:] == bytes((_NCP,)):
                self._now = self._firmware
                self._now.stored = apps.stored
                self._now._note(apps.size, None, None)
        return (yield from self._now.verify())
