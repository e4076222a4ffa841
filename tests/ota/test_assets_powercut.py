"""The power fails in every operation on the flash while an asset is kept in place of another: what
the list names is there, whole; and the asset that is sent again is kept.
"""

import hashlib
import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

from asset_files import asset, extension, install, sha
from particle.ota.assets import keep, stored
from ram_flash import Cut, RamFlash, mount, umount

_ROOT = "/cut/pt"
_BLOCKS = 64
_OLD = b"old" * 500
_NEW = b"new" * 500
_DOG = b"dog" * 20
_STEP = 5 if sys.platform == "qemu" else 1


def _take(content):
    data = asset(b"cat.txt", content)
    path = _ROOT + "/stage.img"
    with open(path, "wb") as file:
        file.write(data)
    for _ in keep(path, len(data), _ROOT):
        pass


def _needs(*wanted):
    extra = b"".join([extension(18, b"\x00\x20" + sha(data) + name) for name, data in wanted])
    install(_ROOT, "module.a", extra)


def _prepared():
    # a board with an asset whose successor is needed now, and another one
    flash = RamFlash(blocks=_BLOCKS)
    mount(flash)
    os.mkdir(_ROOT)
    _needs((b"cat.txt", _OLD), (b"dog.txt", _DOG))
    _take(_OLD)
    data = asset(b"dog.txt", _DOG, _DOG)
    with open(_ROOT + "/stage.img", "wb") as file:
        file.write(data)
    for _ in keep(_ROOT + "/stage.img", len(data), _ROOT):
        pass
    _needs((b"cat.txt", _NEW), (b"dog.txt", _DOG))
    umount()
    return flash.data


def _good():
    # the names that are listed; their files are what the list says
    names = []
    for digest, name, size in stored(_ROOT):
        with open(_ROOT + "/assets/" + name.decode(), "rb") as file:
            data = file.read()
        assert len(data) == size and hashlib.sha256(data).digest() == digest, name
        names.append(name)
    return names


def _survives(first, cut, tear):
    # whether there was a cut at all
    data = {block: bytearray(cells) for block, cells in first.items()}
    flash = RamFlash(data, cut, tear, _BLOCKS)
    mount(flash)
    try:
        _take(_NEW)
        return False
    except (Cut, OSError):
        # OSError: from what closes a file behind the failure
        assert flash._dead
    finally:
        umount()
    mount(RamFlash(data, blocks=_BLOCKS))
    assert b"dog.txt" in _good()
    _take(_NEW)
    assert sorted(_good()) == [b"cat.txt", b"dog.txt"]
    umount()
    return True


def test_every_cut():
    if vfs is None:
        return
    first = _prepared()
    for tear in range(4):
        cut = 1
        while _survives(first, cut, tear):
            cut += _STEP
        assert cut > 15, cut
