"""A sample of the power cuts of tests/firmware_cuts.py, which `make soak` does all."""

import sys

try:
    import vfs
except ImportError:
    vfs = None

STEP = 1997 if sys.platform == "qemu" else 307


def _sample(kind, first):
    if vfs is None:
        return
    import boot_cuts
    import firmware_cuts  # noqa: F401  its stories

    assert boot_cuts.every(kind, STEP, first) >= 3000 // STEP


def test_a_good_firmware():
    _sample("firmware_good", 5)


def test_a_bad_firmware():
    _sample("firmware_bad", 11)
