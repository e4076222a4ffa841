"""Prints how many bytes an update writes to flash for each byte of its image: those that wait for
their end, and all of an application that is unpacked into a slot then (bench.updates).
"""

import hashlib
import sys

sys.path.insert(0, "tests/ota")

from test_staging import CHUNK, update

from bundles import bundle, public, wrapped
from particle.ota.app_slots import AppSlots
from particle.wire.module import user_slots
from ram_flash import Counted, mount, umount
from support import drive as end

_BYTES = 200000
_PLATFORM = 12
_ABOUT = {"board": "TEST", "platform": 12, "product": 12, "abi": 2822, "client": 65536}


def _empty(blocks):
    flash = Counted(blocks=blocks)
    mount(flash)
    umount()
    flash.written = 0
    return flash


def _staged():
    image = bytes(_BYTES)
    flash = _empty(80)
    update(flash, image, hashlib.sha256(image).digest())
    return flash.written / _BYTES


def _unpacked():
    files = {"app.py": bytes(_BYTES * 3 // 5), "lib/valve.py": bytes(_BYTES * 2 // 5)}
    image = wrapped(bundle(files=files, version=2, floor=0))
    flash = _empty(160)
    mount(flash)
    slots = user_slots(_PLATFORM)
    target = AppSlots("/cut/pt", None, _ABOUT, [public()], _PLATFORM, slots)
    end(target.begin(len(image), hashlib.sha256(image).digest(), 5))
    for at in range(0, len(image), CHUNK):
        end(target.write(image[at : at + CHUNK]) or iter(()))
    end(target.verify())
    target.finish()
    umount()
    return flash.written / len(image)


def main():
    """Take updates on an empty flash."""
    print(_staged(), _unpacked())


main()
