"""A sample of the power cuts of tests/networks_cuts.py, which `make soak` does all."""

import sys

from networks_cuts import PLACES, TEARS, every

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


def test_what_nvs_forgets_does_not_come_back_older():
    if "nvs" not in PLACES:
        return
    kind = PLACES["nvs"]
    full = kind({})
    full.life(lambda store: (store.write("a", b"old"), store.write("a", b"new")))
    operations = kind(full.data).life(lambda store: store.remove("a"))[0]
    assert operations == 4  # two slots: erased, committed
    for cut in range(1, operations + 1):
        for tear in range(TEARS):
            place = kind(full.data)
            place.life(lambda store: store.remove("a"), cut, tear)
            assert place.life(lambda store: store.read("a"))[1] in (b"new", None), (cut, tear)
