"""A sample of the power cuts of tests/boot_cuts.py, which `make soak` does all."""

import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

STEP = 1997 if sys.platform == "qemu" else 311


def _sample(kind, first):
    if vfs is None:
        return
    from boot_cuts import every

    assert every(kind, STEP, first) > 5000 // STEP


def test_a_good_update():
    _sample("good", 5)


def test_a_bad_update():
    _sample("bad", 11)


def test_a_compressed_update():
    _sample("packed", 17)


def test_the_start_of_every_boot():
    if vfs is None or not hasattr(os, "getenv"):
        return  # an emulated board has no memory for it
    import start_cuts  # noqa: F401
    from boot_cuts import every

    for kind in ("start_good", "start_bad"):
        assert every(kind, 997, 5) > 1
