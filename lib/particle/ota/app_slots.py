"""Two applications on littlefs, one of which runs: where an update goes (ota-and-boot 3.10, 4).

The image waits in a file until all of it is there and right. Then it is unpacked into the slot
that is not in use, and one write of the boot record has the boot stage try it.
"""

import hashlib
import os

from micropython import const

from ..errors import UpdateError
from .bootrecord import TRIAL, BootRecord
from .bundle import Bundle
from .sink import Folder, Head
from .slots import PIECE, SLICE, clear
from .staging import Staging
from .unpack import unpack

# Error numbers of Device OS (errors.py)
_BUSY = const(-110)
_FLASH = const(-219)

_NAMES = "ab"
_RESERVE = const(16)  # blocks that are left to others


class AppSlots(Staging):
    """The target of a board with slots in the folder `root`; image: as of `Staging`.

    about, keys: as of `Bundle`. platform_id, places: as of `unpack`. runs: number of the slot
    whose application runs, None: as the record says.
    """

    def __init__(self, root, image, about, keys, platform_id, places, runs=None):
        super().__init__(root, image)
        self._root = root
        self._about = about
        self._keys = keys
        self._runs = runs
        self._platform = platform_id, places
        self._ready = None  # slot, version, SHA-256 of the manifest
        self._asset = None  # path of one that was kept

    def begin(self, size, sha, function):
        """As of `Staging`; raises `UpdateError` while another update is being tried."""
        if BootRecord(self._root).state == TRIAL:
            raise UpdateError(_BUSY, "an update is being tried; wait for its end", "update")
        self._ready = self._asset = None
        self.resets = True
        path = self._slot(1 - self._active())
        if not _there(path + "/manifest"):
            yield from clear(path)  # nothing that could run: it is but room
        return (yield from super().begin(size, sha, function))

    def verify(self):
        """Check the image and unpack it into the slot; a generator. Raises `UpdateError`."""
        yield from super().verify()
        from .assets import is_asset, keep

        active = self._active()
        slot = 1 - active
        path = None
        try:
            if is_asset(self._part):
                self._asset = yield from keep(self._part, self.size, self._root)
                self.resets = False
                return
            path = self._slot(slot)
            bundle = Bundle(
                Head(self._root + "/stage.head"),
                Folder(path, _RESERVE),
                self._about,
                self._keys,
                BootRecord(self._root).floor,
                self._slot(active),
            )
            module = yield from unpack(self._part, self.size, bundle, *self._platform)
            with open(self._root + "/module." + _NAMES[slot], "wb") as f:
                f.write(module.record())
            digest = hashlib.sha256()
            buffer = memoryview(bytearray(PIECE))
            n = pieces = 0
            with open(path + "/manifest", "rb") as f:
                while True:
                    n = f.readinto(buffer)
                    if not n:
                        break
                    digest.update(buffer[:n])
                    pieces += 1
                    if not pieces % SLICE:
                        yield
        except OSError as e:
            if path and not _there(path + "/manifest"):
                yield from clear(path)
            if isinstance(e, UpdateError):
                self.discard()  # the same bytes would be refused again
                raise
            raise UpdateError(_FLASH, "cannot store the update: %s" % e, "update") from None
        self._ready = slot, bundle.manifest.facts["version"], digest.digest()

    def finish(self):
        """Have the next boot try what was unpacked; return its folder. Raises OSError."""
        if self._asset:
            self.discard()
            return self._asset
        slot, version, digest = self._ready
        BootRecord(self._root).hand_off(slot, version, digest)
        self.discard()
        return self._slot(slot)

    def _active(self):
        # what runs is never overwritten, whatever the record says
        return BootRecord(self._root).active if self._runs is None else self._runs

    def _slot(self, number):
        return self._root + "/" + _NAMES[number]


def _there(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
