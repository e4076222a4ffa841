"""Mount the flash and the host's read-only files, then run `main` of the first that has one; the
boot stage on a board that has slots instead.
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

for _folder in ("/flash", "/rom"):
    try:
        _names = os.listdir(_folder)
    except OSError:
        continue
    if "main.py" in _names or "main.mpy" in _names:
        import main  # noqa: F401

        break
else:
    try:
        os.stat("/flash/pt/boot.rec")
        sys.path[:] = [".frozen"]
        import particle_boot

        particle_boot.start()
    except (OSError, ImportError):
        pass  # there are no applications, or no boot stage in this firmware
