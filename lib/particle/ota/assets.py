"""Assets: files that an application needs and that are sent on their own (ota-and-boot 1.6).

They are kept as they were before they were packed, below `assets`, for the application to open.
A list beside them says which they are; a file that is not in it counts as missing.
"""

import binascii
import hashlib
import os
import struct

from micropython import const

from ..errors import UpdateError
from ..wire.manifest import checked_path
from ..wire.module import Image, recorded
from .slots import check_window, content, guarded, inflated, make_folder, put, through

# Error numbers of Device OS (ota-and-boot 1.9)
_FAILED = const(-1320)
_INTEGRITY = const(-1330)
_SIZE = const(-1351)

_FUNCTION_AT = const(14)  # in the prefix of a module
_ASSET = const(9)
_DEFAULT_WINDOW = const(15)
_LARGEST = const(0x01000000)
_RESERVE = const(16)  # blocks that are left to others
_ENTRY = const("<32sIB")  # SHA-256, bytes, length of the name that follows
_ENTRY_BYTES = const(37)
_SUM_BYTES = const(4)
_RECORDS = const(("module", "module.a", "module.b"))


def is_asset(path):
    """Tell whether a file holds the module of an asset."""
    with open(path, "rb") as f:
        return f.read(_FUNCTION_AT + 1)[_FUNCTION_AT:] == bytes((_ASSET,))


def stored(root):
    """Give (SHA-256, name, bytes) of the assets that are there."""
    data = content(root + "/assets.lst")
    end = len(data) - _SUM_BYTES
    if end < 0 or data[end:] != struct.pack("<I", binascii.crc32(data[:end])):
        return []  # they are sent once more
    found = []
    at = 0
    while at < end:
        digest, size, n = struct.unpack_from(_ENTRY, data, at)
        at += _ENTRY_BYTES
        name = data[at : at + n]
        at += n
        try:
            if os.stat(_path(root, name))[6] == size:
                found.append((digest, name, size))
        except OSError:
            pass
    return found


def keep(path, size, root):
    """Keep the asset in an image of `size` bytes that was checked; give the path of its file.

    A generator. Only what an application here needs is kept, and what none needs goes away.
    Raises `UpdateError`, OSError.
    """
    image = Image(size)
    with open(path, "rb") as f:
        yield from through(f.readinto, size, lambda view: guarded(image.feed, view))
        module = image.modules[0]
        asset = module.asset()
        wanted = _needed(root)
        if len(image.modules) > 1 or asset not in wanted:
            raise UpdateError(_FAILED, "an asset that no application needs", "update")
        digest, name = asset
        guarded(checked_path, name)
        there = _sweep(root, wanted)
        yield
        left = module.packed[3] if module.packed else module.payload_size
        free = os.statvfs(root)
        if left > min(_LARGEST, free[0] * max(0, free[4] - _RESERVE)):
            raise UpdateError(_SIZE, "no room for an asset of %d bytes" % left, "update")
        entry = digest, name, left
        f.seek(module.payload_at)
        read = f.readinto
        if module.packed:
            bits = module.packed[2] or _DEFAULT_WINDOW
            guarded(check_window, bits)
            read = guarded(inflated, f, bits)
        sha = hashlib.sha256()

        def take(view):
            if guarded(out.write, view) == len(view):
                sha.update(view)

        make_folder(root + "/assets")
        # in the same folder, under a name that no asset has: when the power fails while a file is
        # moved to another folder, littlefs hides that folder until something is written (seen)
        part = root + "/assets/content"
        with open(part, "wb") as out:
            left = yield from through(read, left, take)
        if left or sha.digest() != digest or module.packed and read(bytearray(1)):
            os.remove(part)
            raise UpdateError(_INTEGRITY, "the asset is damaged", "update")
    # the list never names what the file is not
    others = [each for each in there if each[1] != name]
    if len(others) < len(there):
        _list(root, others)
    os.rename(part, _path(root, name))
    _list(root, others + [entry])
    return _path(root, name)


def _path(root, name):
    return root + "/assets/" + name.decode()


def _needed(root):
    found = []
    for name in _RECORDS:
        try:
            found += recorded(content(root + "/" + name)).assets()
        except ValueError:
            pass  # there is no such application
    return found


def _sweep(root, wanted):
    # -> what is there and needed; the rest goes, first from the list
    there = stored(root)
    kept = [each for each in there if (each[0], each[1]) in wanted]
    if len(kept) < len(there):
        _list(root, kept)
        names = [name for _, name in wanted]
        for _, name, _ in there:
            if name not in names:
                os.remove(_path(root, name))
    return kept


def _list(root, entries):
    data = b""
    for digest, name, size in entries:
        data += struct.pack(_ENTRY, digest, size, len(name)) + name
    data += struct.pack("<I", binascii.crc32(data))
    path = root + "/assets.lst"
    put(path + ".new", data)
    os.rename(path + ".new", path)
