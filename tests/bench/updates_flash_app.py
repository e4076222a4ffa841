"""Prints how many bytes an update writes to flash for each byte of its image: an application in
two files, and one in twenty (bench.updates).
"""

import hashlib
import sys

sys.path.insert(0, "tests/ota")

from test_direct import CHUNK, send, target

from bundles import bundle, wrapped
from ram_flash import Counted, mount, umount
from support import drive

_BYTES = 200000


def _written(image):
    # on an empty flash, from the start to the boot record
    flash = Counted(blocks=200)
    mount(flash)
    umount()
    flash.written = 0
    mount(flash)
    try:
        slots = target("/cut/pt")
        drive(slots.begin(len(image), hashlib.sha256(image).digest(), 5))
        send(slots, image, step=CHUNK)
        drive(slots.verify())
        slots.finish()
    finally:
        umount()
    return flash.written / len(image)


def _application(sizes):
    files = {}
    for n, size in enumerate(sizes):
        files["lib/part%02d.py" % n] = bytes(size)
    return wrapped(bundle(files=files))


def main():
    """Take updates on an empty flash."""
    two = _application((_BYTES * 3 // 5, _BYTES * 2 // 5))
    print(_written(two), _written(_application((_BYTES // 20,) * 20)))


main()
