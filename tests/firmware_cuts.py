"""The power cuts of boot_cuts.py on an ESP32 whose firmware is replaced: it always starts the old
firmware or the new one, whole, and what becomes of the new one is told.
`micropython firmware_cuts.py`.
"""

import boot_cuts
from boot_cuts import ABOUT, KEYS, KINDS, ROOT, STORIES, Story
from bundles import bundle, wrapped
from particle.ota.bootrecord import ROLLED_BACK
from ram_esp32 import OTA, Chip, esp32_ab, firmware, image
from ram_flash import RamFlash, mount, umount

_MARK_AT = 32  # where the content of an image begins
_NEW = image(b"2" * 9000)
_UPDATE = wrapped(
    bundle(files={"firmware.bin": _NEW}, version=2, floor=2), kind=(7, 1, 0xFF), version=2
)


class FirmwareStory(Story):
    """As `Story`."""

    function = 7

    def powered(self, flash):
        """As of `Story`."""
        self._flash = flash

    def life(self):
        """Live from one start to the next one; return whether there is a next one."""
        assert Chip(self._flash).start(), "no firmware can be started"
        version = self._running()
        self.ran.append(version)
        found = firmware.Firmware(ROOT)
        if found.trial:
            assert version == 2
            if self.good:
                found.confirm()
            return not self.good
        if version == 2:
            # what was not confirmed has only one start
            assert self.good and (found.version, found.floor) == (2, 2)
            return False
        if found.flags & ROLLED_BACK:
            self.told = True
            if not self.good:
                return False
            found.told()
        self.update()
        return True

    def _running(self):
        return int(Chip(self._flash).get(firmware.running()[2] + _MARK_AT, 1))

    def target(self):
        """As of `Story`; None while a firmware is tried."""
        target = esp32_ab.Esp32Ab(ROOT, None, ABOUT, KEYS, 12)
        return None if target.tried() else target

    @staticmethod
    def fresh():
        """As of `Story`."""
        flash = RamFlash({}, blocks=boot_cuts.BLOCKS)
        mount(flash)
        umount()
        Chip(flash).put(OTA[0], image(b"1" * 500))
        return flash.data


for _kind, _good in (("firmware_good", True), ("firmware_bad", False)):
    KINDS[_kind] = _good, _UPDATE
    STORIES[_kind] = FirmwareStory

if __name__ == "__main__":
    boot_cuts.main()
