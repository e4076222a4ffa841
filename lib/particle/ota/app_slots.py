"""Two applications on littlefs, one of which runs: where an update goes (ota-and-boot 3.10, 4).

It is unpacked into the slot that is not in use, and one write of the boot record has the boot
stage try it.
"""

import os

from micropython import const

from ..errors import UpdateError
from .bootrecord import BootRecord
from .bundle import Bundle
from .direct import Direct
from .sink import Folder
from .slots import clear, digest_of, put, there, unstored

# state of the boot record
_TRIAL = const(1)

# Error numbers of Device OS (errors.py)
_BUSY = const(-110)

_NAMES = const("ab")
_RESERVE = const(16)  # blocks that are left to others


class AppSlots(Direct):
    """The target of a board with slots in the folder `root`; its arguments are those of `Direct`.

    runs: number of the slot whose application runs, None: as the record says.
    """

    _ready = None  # slot, version, SHA-256 of the manifest
    _asset = None  # path of one that was kept

    def __init__(self, root, image, about, keys, platform_id, places, runs=None):
        super().__init__(root, image, about, keys, platform_id, places)
        self._runs = runs

    def begin(self, size, sha, function):
        """As of `Direct`; raises `UpdateError` while another update is being tried."""
        if BootRecord(self._root).state == _TRIAL:
            raise UpdateError(_BUSY, "an update is being tried; wait for its end", "update")
        self._asset = None
        self.resets = True
        return (yield from super().begin(size, sha, function))

    def _fresh(self):
        path = self._slot(1 - self._active())
        if not there(path + "/manifest"):
            yield from clear(path)  # nothing that could run: it is but room

    def _sink(self):
        return Folder(self._slot(1 - self._active()), _RESERVE)

    def _bundle(self, head, sink):
        floor = BootRecord(self._root).floor
        return Bundle(head, sink, self._about, self._keys, floor, self._slot(self._active()))

    def _staged(self):
        from .assets import is_asset, keep

        try:
            if is_asset(self._part):
                self._asset = yield from keep(self._part, self.size, self._root)
                self.resets = False
                return None
        except OSError as e:
            raise unstored(e) from None
        return (yield from super()._staged())

    def _installed(self, module, bundle):
        slot = 1 - self._active()
        path = self._slot(slot)
        try:
            put(self._root + "/module." + _NAMES[slot], module.record())
            size = os.stat(path + "/manifest")[6]
            digest = yield from digest_of(Folder(path).read, "manifest", size)
        except OSError as e:
            raise unstored(e) from None
        self._ready = slot, bundle.manifest.facts["version"], digest

    def finish(self):
        """Have the next boot try what was unpacked; return its folder. Raises OSError."""
        if self._asset:
            self._leave()
            return self._asset
        slot, version, digest = self._ready
        BootRecord(self._root).hand_off(slot, version, digest)
        self._leave()
        return self._slot(slot)

    def _active(self):
        # what runs is never overwritten, whatever the record says
        return BootRecord(self._root).active if self._runs is None else self._runs

    def _slot(self, number):
        return self._root + "/" + _NAMES[number]
