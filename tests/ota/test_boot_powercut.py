"""A sample of the power cuts of tests/boot_cuts.py and of the boards that have theirs beside it,
which `make soak` does all.
"""

import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

SMALL = not hasattr(os, "getenv")  # an emulated board has no memory for every kind
STEP = 1997 if sys.platform == "qemu" else 311

FIRMWARE = 1990 if SMALL else 3000  # cuts of which a sample is taken, at least


def _sample(kinds, first, step=STEP, least=5000):
    import boot_cuts

    for number, kind in enumerate(kinds):
        assert boot_cuts.every(kind, step, first + number) > (least - 1) // step


def test_a_good_update():
    if vfs:
        _sample(("good",), 5)


def test_a_bad_update():
    if vfs:
        _sample(("bad",), 11)


def test_a_compressed_update():
    if vfs:
        _sample(("packed",), 17)


def test_an_update_into_a_slot_with_other_files():
    if vfs and not SMALL:
        _sample(("spoiled",), 3, 13, 1300)


def test_a_good_firmware():
    if vfs:
        import firmware_cuts  # noqa: F401

        _sample(("firmware_good",), 5, least=FIRMWARE)


def test_a_bad_firmware():
    if vfs:
        import firmware_cuts  # noqa: F401

        _sample(("firmware_bad",), 11, least=FIRMWARE)


def test_the_start_of_every_boot():
    if vfs and not SMALL:
        import start_cuts  # noqa: F401

        _sample(("start_good",), 5, 997, 1994)
        _sample(("start_bad",), 5, 997, 1994)


def test_romfs():
    if vfs and not SMALL:
        import romfs_cuts  # noqa: F401

        _sample(("romfs_good", "romfs_bad", "romfs_packed"), 0, 1499, 2998)


def test_mboot():
    if vfs and not SMALL:
        import mboot_cuts  # noqa: F401

        _sample(("mboot_bad", "mboot_good", "mboot_lost"), 0, 1499, 2998)
