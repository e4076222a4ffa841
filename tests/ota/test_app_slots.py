"""An update from its bytes to the slot that is tried next."""

import hashlib
import os

from bundles import ABOUT, FILES, bundle, public, tree, wrapped
from particle.errors import UpdateError
from particle.ota.app_slots import AppSlots
from particle.ota.bootrecord import TRIAL, BootRecord
from particle.ota.slots import guarded, make_folder, put
from particle.wire.module import recorded, user_slots
from slot_files import install
from support import drive, folder, raises


def _target(active=1):
    root = folder("app_slots")
    install(root + "/a", active)
    return AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12)), root


def _send(target, data, step=512):
    stored = drive(target.begin(len(data), hashlib.sha256(data).digest(), 5))
    for at in range(stored, len(data), step):
        work = target.write(data[at : at + step])
        if work:
            drive(work)
    drive(target.verify())


def test_what_arrived_is_tried_next():
    target, root = _target()
    data = wrapped(bundle())
    _send(target, data)
    # nothing is tried before it is handed over
    assert not BootRecord(root).found
    assert target.finish() == root + "/b"
    record = BootRecord(root)
    assert (record.state, record.trial, record.tries, record.trial_version) == (TRIAL, 1, 3, 7)
    found = tree(root + "/b")
    assert record.digest == hashlib.sha256(found.pop("manifest")).digest()
    assert found == FILES
    with open(root + "/module.b", "rb") as f:
        assert recorded(f.read()).version == 6
    left = tree(root)
    assert "stage.img" not in left and "stage.rec" not in left and "update.img" not in left


def test_nothing_but_what_the_manifest_lists_is_left_in_the_slot():
    """`app.py` would be run instead of `app.mpy`: an install that goes on removes what is odd."""
    target, root = _target()
    data = wrapped(bundle())
    sha = hashlib.sha256(data).digest()
    slot = root + "/b"
    odd = ("app.py", "lib/valve.py", "lib/more/deep.py", "app/__init__.py")

    def spoil():
        for name in odd:
            for at in range(len(name)):
                if name[at] == "/":
                    make_folder(slot + "/" + name[:at])
            put(slot + "/" + name, b"print(1)")

    # before anything came, in the middle of it, and when all of it is there and not handed over
    os.mkdir(slot)
    for part in (0, 1, 900, len(data)):
        spoil()
        target = AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12))
        stored = drive(target.begin(len(data), sha, 5))
        for at in range(stored, part):
            drive(target.write(data[at : at + 1]) or iter(()))
        target._close()
    spoil()
    target = AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12))
    _send(target, data)
    target.finish()
    found = tree(slot)
    assert found.pop("manifest")
    assert found == FILES
    assert sorted(os.listdir(slot)) == ["empty", "lib", "main.mpy", "manifest"]
    # the same once more, into the slot that has it and more
    BootRecord(root).use(0, 1, 0, None)
    spoil()
    target = AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12))
    _send(target, data)
    assert target.finish() == slot
    found = tree(slot)
    assert found.pop("manifest")
    assert found == FILES


def test_slots_take_turns():
    target, root = _target()
    _send(target, wrapped(bundle()))
    target.finish()
    BootRecord(root).confirm(5)
    _send(target, wrapped(bundle(version=8)))
    assert target.finish() == root + "/a"
    assert BootRecord(root).floor == 5


def test_nothing_is_taken_while_another_one_is_tried():
    target, root = _target()
    _send(target, wrapped(bundle()))
    target.finish()
    before = tree(root)
    error = raises(UpdateError, _send, target, wrapped(bundle(version=8)))
    assert error.errno == -110 and "being tried" in error.text
    assert tree(root) == before


def test_the_floor_of_what_runs_counts():
    target, root = _target()
    record = BootRecord(root)
    record.floor = 8
    record.save()
    error = raises(UpdateError, _send, target, wrapped(bundle(version=7)))
    assert error.errno == -1320 and "below the security floor 8" in error.text
    assert "manifest" not in tree(root + "/b")
    # the same bytes would be refused again: they are not kept
    assert "stage.img" not in tree(root)


def test_what_is_wrong_leaves_the_slot_empty_and_the_record_alone():
    target, root = _target()
    good = wrapped(bundle())
    for bad in (wrapped(bundle(kind=0)), wrapped(bundle(board="X")), wrapped(b"MPAB")):
        raises(UpdateError, _send, target, bad)
        assert not BootRecord(root).found
    _send(target, good)
    assert target.finish()


def test_what_failed_leaves_no_files():
    target, root = _target()
    damaged = bundle()
    damaged = damaged[:-9] + bytes((damaged[-9] ^ 1,)) + damaged[-8:]
    raises(UpdateError, _send, target, wrapped(damaged))
    assert tree(root + "/b") == {}


def test_the_slot_that_runs_is_never_overwritten():
    root = folder("app_slots")
    install(root + "/a", 1)
    install(root + "/b", 2)
    target = AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12), 1)
    before = tree(root + "/b")
    _send(target, wrapped(bundle()))
    assert target.finish() == root + "/a"
    assert tree(root + "/b") == before


def test_a_full_flash_is_said():
    def full():
        raise OSError(28)

    e = raises(UpdateError, guarded, full)
    assert (e.errno, e.text) == (-1351, "cannot store the update: no room, remove files")
