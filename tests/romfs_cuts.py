"""The power cuts of boot_cuts.py on a board whose applications are ROMFS images in regions of the
flash: `micropython romfs_cuts.py`.
"""

import hashlib
import sys

import boot_cuts
import particle_boot
import ram_rom
from boot_cuts import ABOUT, KEYS, KINDS, ROOT, STORIES, Story, kept
from bundles import bundle, packed, wrapped
from particle.ota.romfs_slots import RomfsSlots
from particle.ota.slots import make_folder
from particle.wire.module import user_slots
from ram_flash import BLOCK, RamFlash, mount, umount
from slot_files import manifest, put

_OLD = ram_rom.image(b"old" * 2000)
_IMAGE = wrapped(bundle(files={"app.romfs": ram_rom.image(b"new" * 4000)}, version=2, floor=0))


def _stage():
    # the part of the boot stage for such a board
    found = sys.modules.get("particle_board")
    sys.modules["particle_board"] = ram_rom.Board
    import particle_rom

    del sys.modules["particle_board"]
    if found:
        sys.modules["particle_board"] = found
    return particle_rom


class RomStory(Story):
    """As `Story`."""

    def powered(self, flash):
        """As of `Story`."""
        ram_rom.chip = flash

    def target(self):
        """Return what takes the update."""
        return RomfsSlots(ram_rom.Board, ROOT, None, ABOUT, KEYS, 12, user_slots(12))

    @staticmethod
    def fresh():
        """As of `Story`."""
        particle_boot.same = _stage().same
        flash = ram_rom.chip = RamFlash({}, blocks=boot_cuts.BLOCKS)
        mount(flash)
        for each in (ROOT, ROOT + "/a", ROOT + "/b"):
            make_folder(each)
        digest = hashlib.sha256(manifest(1, {"app.romfs": _OLD})).digest()
        put(ROOT + "/a/manifest", manifest(1, {"app.romfs": _OLD}))
        put(ROOT + "/b/manifest", manifest(0, {"app.romfs": _OLD}))
        for number in range(2):
            region = ram_rom.Flash(start=number * 8 * BLOCK, len=8 * BLOCK)
            for at in range(0, len(_OLD), BLOCK):
                region.writeblocks(at // BLOCK, _OLD[at : at + BLOCK], 0)
        kept(digest)
        umount()
        return flash.data


KINDS["romfs_good"] = True, _IMAGE
KINDS["romfs_bad"] = False, _IMAGE
KINDS["romfs_packed"] = True, packed(_IMAGE)
for _kind in ("romfs_good", "romfs_bad", "romfs_packed"):
    STORIES[_kind] = RomStory

if __name__ == "__main__":
    boot_cuts.main()
