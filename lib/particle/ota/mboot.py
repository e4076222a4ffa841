"""A firmware for an STM32 with mboot: where a whole image goes (ota-and-boot 3.5).

A signed bundle with one file, which waits on littlefs while it arrives, in a module of function 7.
Only packed images are taken: what of them is half written never starts.
"""

from micropython import const

from ..errors import UpdateError
from .layers import Whole
from .sink import Folder
from .slots import clear, there

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)
_UNSUPPORTED = const(-1310)

NAME = "firmware.pack.dfu"
# folders, as of mboot_firmware.py
_RUN = const("/fw.run")
_OLD = const("/fw.old")
_NEW = const("/fw.new")

_RESERVE = const(16)  # blocks that are left to others


class Mboot(Whole):
    """The target of a whole firmware; firmware: `Firmware` of mboot_firmware.py."""

    def __init__(self, firmware, *args):
        super().__init__(*args)
        self._firmware = firmware

    def _running(self):
        return self._firmware

    def begin(self, size, sha, function):
        """As of `Direct`; raises `UpdateError` when there would be no way back."""
        path = _RUN + "/" + NAME
        if not there(self._root + path):
            text = "no way back: the firmware that runs has to be stored as pt" + path
            raise UpdateError(_NOT_SUPPORTED, text, "update")
        return (yield from super().begin(size, sha, function))

    def _fresh(self):
        yield from clear(self._root + _NEW)
        yield from clear(self._root + _OLD)  # what was kept meanwhile is in fw.run

    def _sink(self):
        return _File(self._root + _NEW, _RESERVE)

    def finish(self):
        """Have mboot write it after the reset; return where it is. Raises OSError."""
        self._firmware.hand_off(*self._numbers)
        self._leave()
        return self._root + _RUN


class _File(Folder):
    def open(self, name, size):
        if name != NAME:
            raise UpdateError(_UNSUPPORTED, "%s, and not %s alone" % (name, NAME), "update")
        return super().open(name, size)
