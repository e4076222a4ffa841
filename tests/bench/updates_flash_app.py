"""Prints how many bytes an update writes to flash for each byte of its image (bench.updates)."""

import hashlib
import sys

sys.path.insert(0, "tests/ota")

from test_staging import Counted, update

from ram_flash import mount, umount

_BYTES = 200000


def main():
    """Take an update on an empty flash."""
    image = bytes(_BYTES)
    flash = Counted(blocks=80)
    mount(flash)
    umount()
    flash.written = 0
    update(flash, image, hashlib.sha256(image).digest())
    print(flash.written / _BYTES)


main()
