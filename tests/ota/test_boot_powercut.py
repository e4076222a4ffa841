"""A sample of the power cuts of tests/boot_cuts.py, which `make soak` does all."""

import sys

try:
    import vfs
except ImportError:
    vfs = None

STEP = 1997 if sys.platform == "qemu" else 149


def _sample(good, first):
    if vfs is None:
        return
    from boot_cuts import every

    assert every(good, STEP, first) > 5000 // STEP


def test_a_good_update():
    _sample(True, 5)


def test_a_bad_update():
    _sample(False, 11)
