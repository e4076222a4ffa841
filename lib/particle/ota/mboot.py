"""A firmware for an STM32 with mboot: where a whole image goes (ota-and-boot 3.5).

A signed bundle with one file, which waits on littlefs while it arrives, in a module of function 7.
Only packed images are taken: what of them is half written never starts.
"""

import os

from micropython import const

from ..errors import UpdateError
from .bootrecord import TRIAL
from .bundle import Bundle
from .direct import Direct
from .mboot_firmware import NEW, OLD, RUN
from .sink import Folder
from .slots import clear

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)
_UNSUPPORTED = const(-1310)
_FAILED = const(-1320)

#: Function, index and processor of the module: "firmware for another processor", of nobody else's
#: kind (ota-and-boot 4.7).
NCP = const(7)
PLACE = (NCP, 1, 0xFF)

NAME = "firmware.pack.dfu"
_RESERVE = const(16)  # blocks that are left to others


class Mboot(Direct):
    """The target of a whole firmware; firmware: `Firmware` of mboot_firmware.py.

    root, image, about, keys, platform_id: as of `AppSlots`.
    """

    functions = (NCP,)

    def __init__(self, firmware, root, image, about, keys, platform_id):
        super().__init__(root, image, platform_id, {PLACE: (0, 0xFFFFFFFF)})
        self._firmware = firmware
        self._root = root
        self._about = about
        self._keys = keys
        self._facts = None

    def tried(self):
        """Tell whether a firmware is being tried."""
        return self._firmware.state == TRIAL

    def begin(self, size, sha, function):
        """As of `Direct`; raises `UpdateError` when there would be no way back."""
        try:
            os.stat(self._root + RUN + "/" + NAME)
        except OSError:
            path = "pt" + RUN + "/" + NAME
            text = "no way back: the firmware that runs has to be stored as " + path
            raise UpdateError(_NOT_SUPPORTED, text, "update") from None
        return (yield from super().begin(size, sha, function))

    def _fresh(self):
        yield from clear(self._root + NEW)
        yield from clear(self._root + OLD)  # what was kept meanwhile is in fw.run

    def _sink(self):
        return _File(self._root + NEW, _RESERVE)

    def _bundle(self, head, sink):
        return Bundle(head, sink, self._about, self._keys, self._firmware.floor)

    def _installed(self, module, bundle):
        facts = bundle.manifest.facts
        if facts["version"] != module.version:
            raise UpdateError(_FAILED, "the module has another version than its bundle", "update")
        self._facts = facts
        return iter(())

    def finish(self):
        """Have mboot write it after the reset; return where it is. Raises OSError."""
        self._firmware.hand_off(self._facts["version"], self._facts["floor"])
        self._leave()
        return self._root + RUN


class _File(Folder):
    def open(self, name, size):
        if name != NAME:
            raise UpdateError(_UNSUPPORTED, "%s, and not %s alone" % (name, NAME), "update")
        return super().open(name, size)
