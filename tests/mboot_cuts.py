"""The power fails in every operation on the flash of a firmware update through mboot, also while
that writes, and again in every operation of what follows; with and without a battery for the
registers. The board always starts the old firmware or the new one, whole, and ends with the one it
should. `micropython mboot_cuts.py`.
"""

import boot_cuts
import fake_mboot
from boot_cuts import ABOUT, KEYS, KINDS, ROOT, STORIES, Story
from bundles import bundle, wrapped
from fake_mboot import Mboot, Registers, dfu, firmware
from particle.ota.bootrecord import ROLLED_BACK
from particle.ota.layers import PLACE
from particle.ota.mboot import NAME
from particle.ota.mboot import Mboot as Target
from particle.ota.mboot_firmware import Firmware
from particle.ota.slots import make_folder
from ram_flash import RamFlash, mount, umount
from slot_files import put

_SIZE = 6000
_OLD = firmware(1, _SIZE)
_NEW = firmware(2, _SIZE)


def image(files=None, version=2):
    """Return the module that brings version 2."""
    made = bundle(files=files or {NAME: dfu(_NEW)}, version=2, floor=0)
    return wrapped(made, kind=PLACE, version=version)


class _Reset(Exception):
    """The board resets itself."""


def _reset():
    raise _Reset


class Board:
    """A profile."""

    STORE_ROOT = ROOT
    MBOOT = fake_mboot.MBOOT


class MbootStory(Story):
    """As `Story`."""

    function = 7

    def __init__(self, kind):
        super().__init__(kind)
        self._battery = KINDS_HERE[kind]
        self._registers = Registers()

    def switched_on(self):
        """As of `Story`."""
        if not self._battery:
            self._registers.clear()

    def powered(self, flash):
        """As of `Story`."""
        self._flash = flash

    def life(self):
        """Live from one boot to the next one; return whether there is a next one."""
        mboot = Mboot(self._flash, self._registers, "/cut")
        mboot.start()
        found = mboot.application(_SIZE)
        assert found in (_OLD, _NEW), found[:16]
        self.ran.append(found[8])
        try:
            own = Firmware(Board, self._registers, _reset)
        except _Reset:
            return True
        if own.trial:
            if self.good:
                own.confirm()
            return not self.good
        if own.flags & ROLLED_BACK:
            self.told = True
            return False
        if own.version == 2:
            return False
        self._own = own
        self.update()
        return True

    def target(self):
        """As of `Story`."""
        return Target(self._own, ROOT, None, ABOUT, KEYS, 12)

    @staticmethod
    def fresh():
        """As of `Story`."""
        flash = RamFlash({}, blocks=boot_cuts.BLOCKS)
        mount(flash)
        make_folder(ROOT)
        make_folder(ROOT + "/fw.run")
        put(ROOT + "/fw.run/" + NAME, dfu(_OLD))
        Mboot(flash, Registers(), "/cut").start()
        umount()
        return flash.data


KINDS_HERE = {"mboot_good": True, "mboot_bad": True, "mboot_lost": False}
for _kind in KINDS_HERE:
    KINDS[_kind] = _kind != "mboot_bad", image()
    STORIES[_kind] = MbootStory

if __name__ == "__main__":
    boot_cuts.main()
