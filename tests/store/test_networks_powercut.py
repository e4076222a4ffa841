"""A sample of the power cuts of tests/networks_cuts.py, which `make soak` does all."""

import sys

from networks_cuts import PLACES, every

STEP = 997 if sys.platform == "qemu" else 61


def _sample(name, least):
    if name in PLACES:
        assert every(name, STEP, 7) > least * 61 // STEP


def test_files():
    _sample("files", 20)


def test_sealed_files():
    _sample("sealed", 20)


def test_pair():
    _sample("pair", 60)


def test_nvs():
    _sample("nvs", 20)
