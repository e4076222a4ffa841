"""Mount the flash and the host's read-only files, then run `main` of the first that has one. On a
board that has slots the boot stage instead, unless the host gave a `main`: that of the flash is
not run there, as where `main.py` is frozen.
"""

import os
import sys

import uctypes
import vfs
from _flash import Flash
from micropython import const

_ROM = const(0x21100000)
_ROM_BYTES = const(0x700000)

try:
    vfs.mount(vfs.VfsLfs2(Flash()), "/flash")
except OSError:  # the first start
    vfs.VfsLfs2.mkfs(Flash())
    vfs.mount(vfs.VfsLfs2(Flash()), "/flash")
sys.path[:] = ["", ".frozen", "/flash", "/flash/lib"]
os.chdir("/flash")

_image = uctypes.bytearray_at(_ROM, _ROM_BYTES)
if _image[:3] == b"\xd2\xcd\x31":
    vfs.mount(vfs.VfsRom(_image), "/rom")
    sys.path.append("/rom")


def _has(folder, *names):
    try:
        found = os.listdir(folder)
    except OSError:
        return False
    return any(name in found for name in names)


if _has("/flash/pt", "boot.rec", "a", "b") and not _has("/rom", "main.py", "main.mpy"):
    # nothing of the flash is looked for before it is decided what runs
    sys.path[:] = [".frozen"]
    try:
        import particle_boot
    except ImportError:
        pass  # there is no boot stage in this firmware
    else:
        particle_boot.start()
elif _has("/flash", "main.py", "main.mpy") or _has("/rom", "main.py", "main.mpy"):
    import main  # noqa: F401
