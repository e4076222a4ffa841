"""A sample of the power cuts of tests/firmware_cuts.py, which `make soak` does all."""

import sys

try:
    import vfs
except ImportError:
    vfs = None

STEP = 1997 if sys.platform == "qemu" else 307


def _sample(good, first):
    if vfs is None:
        return
    from firmware_cuts import every

    assert every(good, STEP, first) > 3000 // STEP


def test_a_good_firmware():
    _sample(True, 5)


def test_a_bad_firmware():
    _sample(False, 11)
