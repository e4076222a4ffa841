"""Applications that are ROMFS images in two regions of the flash, for the boot stage
(particle_boot.py, ota-and-boot 4.8). The folder of a slot has the manifest alone.
"""

import sys
from hashlib import sha256

import vfs
from particle_board import ROMFS


def _view(path):
    # the bytes of the region that belongs to a slot, as ota/region.py has them
    name, at, size = ROMFS
    if path[-1] == "b":
        at += size
    module = __import__(name)
    if name == "vfs":
        return memoryview(module.rom_ioctl(2, 0))[at : at + size]
    return memoryview(module.Flash(start=at, len=size))


def same(path, name, size, digest, contents):
    """Tell whether the image of a slot is as its manifest says: a ROMFS has no checksum."""
    return not contents or sha256(_view(path)[:size]).digest() == bytes.fromhex(digest)


def load(path, name):
    """Run the application in the region of a slot; None: a module that is frozen."""
    if path:
        vfs.mount(vfs.VfsRom(_view(path)), "/app")
        sys.path += "/app", "/app/lib"
    __import__(name)
