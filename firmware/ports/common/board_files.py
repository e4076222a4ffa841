"""Mounts the file system of a board. Only a flash in which nothing is gets formatted.

What ports of MicroPython do instead when a file system cannot be mounted: format it, or print a
message for ever (ota-and-boot 0.10). A board in the field shall keep its files, and go on.
"""

import vfs
from micropython import const

_BLOCKS = const(4)  # ioctl of a block device
_BLOCK_BYTES = const(5)
_ROOT = const(2)  # blocks that a formatting writes


def blank(device):
    """Tell whether nothing was ever stored; a first formatting may have been cut."""
    buffer = bytearray(device.ioctl(_BLOCK_BYTES, 0))
    erased = b"\xff" * len(buffer)
    for block in range(_ROOT, device.ioctl(_BLOCKS, 0)):
        device.readblocks(block, buffer)
        if buffer != erased:
            return False
    return True


def prepare(device, where, **options):
    """Format a device that cannot be mounted if it is blank; return whether it was.

    options: of `vfs.VfsLfs2`. Raises OSError when the flash cannot be written.
    """
    if blank(device):
        vfs.VfsLfs2.mkfs(device, **options)
        return True
    print("%s: no littlefs, or a damaged one; it was not formatted" % where)
    return False


def mount(device, where, **options):
    """Mount littlefs of `device` at `where`; return whether there is one now.

    options: of `vfs.VfsLfs2`. Raises OSError when the flash cannot be written.
    """
    try:
        vfs.mount(vfs.VfsLfs2(device, **options), where)
    except OSError:
        if not prepare(device, where, **options):
            return False
        vfs.mount(vfs.VfsLfs2(device, **options), where)
    return True
