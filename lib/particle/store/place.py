"""Where a board keeps what must survive a power cut, by its profile (DESIGN 5, board)."""

import os

from micropython import const

from ..errors import ConfigError

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)


def open_store(board, rng=os.urandom):
    """Return the store of a board profile; rng(n) gives random bytes for encryption.

    STORE "littlefs": files below STORE_ROOT. "nvs": a namespace of the ESP32's NVS. "pair": raw
    flash, STORE_DEVICE = (module, class, arguments, keywords), e.g. ("rp2", "Flash", (),
    {"start": 0x1F0000, "len": 8192}). STORE_KEY: a module whose `key()` gives the 16 bytes that
    credentials are encrypted with. Raises `ConfigError` on a FAT file system, `Error(FILE)`.
    """
    kind = getattr(board, "STORE", "littlefs")
    if kind == "nvs":
        from .nvs import Nvs

        store = Nvs()
    elif kind == "pair":
        from .pair import Pair

        module, name, args, keywords = board.STORE_DEVICE
        device = getattr(__import__(module), name)(*args, **keywords)
        store = Pair(device, 0, device.ioctl(4, 0) // 2)
    else:
        from .container import Store

        store = Store(board.STORE_ROOT)
        refuse_fat(store.root)
    module = getattr(board, "STORE_KEY", None)
    if module:
        from .sealed import Sealed

        store = Sealed(store, __import__(module).key(), rng)
    return store


def refuse_fat(root):
    """Raise `ConfigError` when the folder `root` is on a FAT file system.

    There a power cut while one file is replaced loses it, and others (ota-and-boot 6.1). A store
    with the root "" has no file system.
    """
    if root and _is_fat(root):
        text = "%s is on FAT, which loses files on a power cut: format it as littlefs" % root
        text += ' (vfs.VfsLfs2.mkfs), or use a board profile with STORE = "pair" or "nvs"'
        raise ConfigError(_NOT_SUPPORTED, text, "store")


def _is_fat(root):
    try:
        import vfs

        mounts = vfs.mount()
    except (AttributeError, ImportError, TypeError):
        return False  # before MicroPython 1.26, or no file systems of its own
    if root[:1] != "/":
        root = (os.getcwd().rstrip("/") + "/" + root).rstrip("/")
    best = ""
    fat = False
    for system, at in mounts:
        if (root + "/").startswith(at.rstrip("/") + "/") and len(at) > len(best):
            best = at
            fat = "Fat" in str(type(system))
    return fat
