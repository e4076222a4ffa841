"""What runs when the boot record vouches for nothing: signatures, versions and floors."""

import hashlib
import os

import particle_boot
from boot_choice import choose
from bundles import ABOUT, bundle, public
from particle.ota import rescue
from particle.ota.bootrecord import ROLLED_BACK, BootRecord
from particle.wire.module import Refused
from slot_files import put, trusted
from support import folder, raises

_VERIFY = rescue.signed
_FILES = {"app.py": b"print(1)\n"}
_KEYS = (public(),)


def _put(path, **facts):
    # a slot as an update leaves it; returns the SHA-256 of its manifest
    for each in (path.rpartition("/")[0], path):
        try:
            os.mkdir(each)
        except OSError:
            pass
    whole = bundle(files=_FILES, **facts)
    about = whole[: len(whole) - len(_FILES["app.py"])]
    put(path + "/manifest", about)
    put(path + "/app.py", _FILES["app.py"])
    return hashlib.sha256(about).digest()


class _Dog:
    fed = 0

    def feed(self):
        self.fed += 1


def _signed(path, keys=_KEYS, about=ABOUT, dog=None):
    return _VERIFY(path, about, keys, dog)


def test_a_right_signature():
    path = folder("rescue") + "/a"
    digest = _put(path)
    dog = _Dog()
    assert _signed(path, dog=dog) == digest
    assert dog.fed > 10  # it takes long


def test_a_wrong_signature():
    path = folder("rescue") + "/a"
    _put(path, real=False)
    assert "signature" in raises(Refused, _signed, path).args[0]
    _put(path, kind=0)
    assert "signature" in raises(Refused, _signed, path).args[0]
    _put(path)
    with open(path + "/manifest", "rb") as f:
        good = f.read()
    for bad in (good[:-1], good.replace(b"version 7", b"version 8")):
        put(path + "/manifest", bad)
        assert "signature" in raises(Refused, _signed, path).args[0]
    put(path + "/manifest", good[:60])
    raises(Refused, _signed, path)


def test_keys():
    path = folder("rescue") + "/a"
    _put(path)
    assert "no key" in raises(Refused, _signed, path, ()).args[0]
    assert "unknown key" in raises(Refused, _signed, path, (b"other",)).args[0]


def test_what_is_for_another_board():
    path = folder("rescue") + "/a"
    _put(path)
    for key, value in (("board", "OTHER"), ("platform", 13), ("product", 9)):
        about = dict(ABOUT)
        about[key] = value
        assert "the bundle is for" in raises(Refused, _signed, path, _KEYS, about).args[0]


class _Board:
    """Slots on which every signature is right; the record is of version 2 in the first one."""

    def __init__(self, a, b, record=True):
        self.root = particle_boot.root = folder("rescue")
        digests = []
        for name, facts in (("/a", a), ("/b", b)):
            version, floor = facts
            digests.append(_put(self.root + name, real=False, version=version, floor=floor))
        if record:
            kept = BootRecord(self.root)
            kept.version = 2
            kept.digest = digests[0]
            kept.save()
        self.digests = digests

    def boot(self, signed=trusted):
        return choose(self.root, signed)


def test_an_update_that_was_never_handed_off_is_tried():
    board = _Board((2, 0), (3, 3))
    put(board.root + "/a/app.py", b"print(2)")
    for tries in (2, 1, 0):
        assert board.boot() == (1, True, 3)
        record = BootRecord(board.root)
        assert (record.tries, record.trial_version, record.version) == (tries, 3, 2)
    # it was not well, and is not kept for the want of another one
    assert board.boot() is None
    assert BootRecord(board.root).flags & ROLLED_BACK
    assert board.boot() is None


def test_what_was_kept_before_is_kept_again():
    for version in (1, 2):
        board = _Board((2, 0), (version, 0))
        put(board.root + "/a/app.py", b"print(2)")
        assert board.boot() == (1, False, 0)
        record = BootRecord(board.root)
        assert (record.active, record.version, record.digest) == (1, version, board.digests[1])


def test_the_record_vouches_again():
    board = _Board((2, 0), (1, 0))
    record = BootRecord(board.root)
    record.digest = None
    record.save()
    assert board.boot() == (0, False, 0)
    # this time no signature is read: here it would not be right
    assert BootRecord(board.root).digest == board.digests[0]
    assert board.boot(_VERIFY) == (0, False, 0)


def test_without_a_record_the_floor_is_the_highest_of_both():
    board = _Board((6, 2), (5, 5), False)
    assert board.boot() == (0, False, 2)
    record = BootRecord(board.root)
    assert (record.version, record.floor) == (6, 5)
    # what is not bootable says nothing
    board = _Board((6, 2), (9, 9), False)
    put(board.root + "/b/app.py", b"print(2)")
    assert board.boot() == (0, False, 2)
    assert BootRecord(board.root).floor == 2


def test_nothing_runs_unless_its_signature_is_right():
    board = _Board((6, 2), (5, 5), False)
    assert board.boot(_VERIFY) is None  # there are no keys here
    assert not BootRecord(board.root).found
    assert board.boot() == (0, False, 2)


def test_whatever_is_missing_is_said_and_nothing_runs():
    board = _Board((6, 2), (5, 5), False)

    def signed(*args):
        raise ImportError("no module named 'particle.crypto.p256'")

    assert board.boot(signed) is None
