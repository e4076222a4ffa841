"""What the boot stage decides, and the record it goes by; on files of any file system."""

import os

import particle_boot
from boot_choice import choose
from particle.ota.bootrecord import ROLLED_BACK, TRIAL, BootRecord
from particle_boot import check
from slot_files import install, put, trusted
from support import folder, raises


def _board(a, b=None):
    # a board whose slots hold these versions, None: nothing; the first one is confirmed
    root = particle_boot.root = folder("slots")
    digests = [a and install(root + "/a", a), b and install(root + "/b", b)]
    record = BootRecord(root)
    record.version = a or 0
    record.digest = digests[0]
    record.save()
    return root, digests


def _boot(contents=False):
    # with any signature: what becomes of wrong ones is in test_rescue.py
    return choose(particle_boot.root, trusted, contents)


def _trial(version=2):
    root, digests = _board(1, version)
    BootRecord(root).hand_off(1, version, digests[1])
    return root


def test_record_is_kept_and_read_again():
    root, _ = _board(1, 2)
    digest = bytes(range(32))
    BootRecord(root).hand_off(1, 0x10002, digest)
    found = BootRecord(root)
    assert found.found and found.state == TRIAL and found.digest == digest
    assert (found.active, found.trial, found.tries) == (0, 1, 3)
    assert (found.version, found.trial_version, found.sequence) == (1, 0x10002, 2)
    with open(root + "/boot.rec", "rb") as f:
        data = f.read()
    # ota-and-boot 4.2
    assert len(data) == 64 and data[:9] == b"PTB1\x01\x01\x00\x01\x03"
    assert data[28:60] == digest


def test_damaged_records_count_as_missing():
    root, _ = _board(1, 2)
    with open(root + "/boot.rec", "rb") as f:
        good = f.read()
    for at in range(64):
        put(root + "/boot.rec", good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        assert not BootRecord(root).found, at
    for data in (b"", good[:63], good + b"\0"):
        put(root + "/boot.rec", data)
        assert not BootRecord(root).found


def test_what_a_write_left_is_used_when_the_record_is_gone():
    root, _ = _board(1, 2)
    os.rename(root + "/boot.rec", root + "/boot.rec.new")
    assert BootRecord(root).found
    assert _boot() == (0, False, 0)


def test_confirmed_application_runs():
    _board(1, 2)
    assert _boot() == (0, False, 0)


def test_trial_has_three_boots():
    _trial()
    for _ in range(3):
        assert _boot() == (1, True, 0)
    assert _boot() == (0, False, 0)
    record = BootRecord(particle_boot.root)
    assert record.flags & ROLLED_BACK and record.reason == 1 and record.tries == 0
    assert _boot() == (0, False, 0)


def test_confirmed_trial_is_kept_and_the_floor_rises_only():
    root = _trial()
    assert _boot() == (1, True, 0)
    record = BootRecord(root)
    record.confirm(2)
    assert _boot() == (1, False, 0)
    record = BootRecord(root)
    assert (record.active, record.version, record.floor) == (1, 2, 2)
    record.hand_off(0, 3, install(root + "/a", 3))
    BootRecord(root).confirm(1)
    assert BootRecord(root).floor == 2


def test_damaged_trial_is_rolled_back_at_once():
    root = _trial()
    put(root + "/b/lib/valve.py", b"\1" * 1500)
    assert _boot() == (0, False, 0)
    assert BootRecord(root).reason == 2


def test_trial_is_what_was_handed_off():
    root = _trial()
    install(root + "/b", 3)
    assert _boot() == (0, False, 0)


def test_damaged_application_is_replaced_by_the_other_one_but_not_below_the_floor():
    root, _ = _board(2, 1)
    os.remove(root + "/a/app.py")
    assert _boot() == (1, False, 0)
    root, _ = _board(2, 1)
    record = BootRecord(root)
    record.floor = 2
    record.save()
    os.remove(root + "/a/app.py")
    assert _boot() is None


def test_without_a_record_the_newer_complete_application_runs():
    for versions, wanted in (((1, 2), 1), ((2, 1), 0), ((None, 1), 1), ((3, None), 0)):
        root, _ = _board(*versions)
        put(root + "/boot.rec", b"nonsense")
        assert _boot() == (wanted, False, 0), versions
        assert BootRecord(root).active == wanted
    _board(None, None)
    assert _boot() is None
    os.remove(particle_boot.root + "/boot.rec")
    assert _boot() is None


def test_slots_swapped_by_hand():
    root, _ = _board(1, 2)
    os.rename(root + "/a", root + "/c")
    os.rename(root + "/b", root + "/a")
    os.rename(root + "/c", root + "/b")
    # each is complete and signed: what was kept is kept, the newer one was never tried
    assert _boot() == (1, False, 0)
    assert BootRecord(root).version == 1


def test_slots_swapped_during_a_trial():
    root = _trial()
    os.rename(root + "/a", root + "/c")
    os.rename(root + "/b", root + "/a")
    os.rename(root + "/c", root + "/b")
    # what is signed and newer has a trial of its own
    assert _boot() == (0, True, 0)
    assert BootRecord(root).tries == 2


def test_damaged_manifests():
    root, digests = _board(1)
    path = root + "/a/manifest"
    with open(path, "rb") as f:
        good = f.read()
    assert check(root + "/a", digests[0], True) == (1, 0)
    for at in range(len(good)):
        put(path, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert check(root + "/a", digests[0], False) is None, at
    for n in (0, 1, 23, 24, 25, len(good) // 2, len(good) - 1):
        put(path, good[:n])
        assert check(root + "/a", digests[0], False) is None, n
    # without anything to compare with it may mean something else, but never ends badly
    for at in range(len(good)):
        for bit in (1, 0x80):
            put(path, good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :])
            check(root + "/a", None, True)


def test_no_manifest_takes_all_the_memory():
    root, _ = _board(1)
    path = root + "/a/manifest"
    with open(path, "rb") as f:
        good = f.read()
    put(path, good + bytes(300))
    assert check(root + "/a", None, True) is None
    # nothing that is read line by line, and more behind it than there is memory
    put(path, good[:16] + bytes(8))
    with open(path, "ab") as f:
        for _ in range(600):
            f.write(bytes(1000))
    assert check(root + "/a", None, True) is None
    put(path, good)

    def same(*args):
        raise MemoryError

    kept = particle_boot.same
    particle_boot.same = same
    try:
        assert check(root + "/a", None, True) is None
        assert _boot() is None
    finally:
        particle_boot.same = kept


def test_every_byte_of_every_file_counts():
    root, digests = _board(1)
    for name in ("app.py", "lib/valve.py"):
        path = root + "/a/" + name
        with open(path, "rb") as f:
            good = f.read()
        for at in range(0, len(good), 97):
            put(path, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            assert check(root + "/a", digests[0], True) is None
            # a usual boot looks at sizes only
            assert check(root + "/a", digests[0], False) == (1, 0)
        put(path, good + b"x")
        assert check(root + "/a", digests[0], False) is None
        put(path, good)
    assert check(root + "/a", digests[0], True) == (1, 0)


def test_a_boot_that_reads_files_finds_what_others_do_not():
    root, _ = _board(2, 1)
    put(root + "/a/lib/valve.py", b"\1" * 1500)
    assert _boot() == (0, False, 0)
    assert _boot(True) == (1, False, 0)
    # it stays so
    assert _boot() == (1, False, 0)


def test_a_record_that_cannot_be_written_changes_nothing():
    root, digests = _board(1, 2)
    os.mkdir(root + "/boot.rec.new")
    raises(OSError, BootRecord(root).hand_off, 1, 2, digests[1])
    assert _boot() == (0, False, 0)


def test_nothing_is_tried_that_cannot_be_counted():
    root = _trial()
    os.mkdir(root + "/boot.rec.new")
    assert _boot() == (0, False, 0)
    assert _boot() == (0, False, 0)
    assert BootRecord(root).state == TRIAL


def test_records_that_make_no_sense_count_as_missing():
    root, digests = _board(1, 2)
    for field, value in (("active", 2), ("state", 2), ("trial", 7)):
        record = BootRecord(root)
        record.state = TRIAL
        record.trial = 1
        setattr(record, field, value)
        record.save()
        found = BootRecord(root)
        assert not found.found and found.active == 0, field
        assert _boot() == (1, False, 0)


def test_files_are_read_when_nothing_tells_which_manifest_is_meant():
    root, _ = _board(1, 2)
    os.remove(root + "/boot.rec")
    put(root + "/b/lib/valve.py", b"\1" * 1500)
    assert _boot() == (0, False, 0)


def test_nothing_below_the_floor_runs_from_its_own_slot_either():
    root, _ = _board(2, 1)
    record = BootRecord(root)
    record.floor = 2
    record.digest = None
    record.save()
    os.rename(root + "/a", root + "/c")
    os.rename(root + "/b", root + "/a")
    assert _boot() is None
    os.rename(root + "/c", root + "/b")
    assert _boot() == (1, False, 0)


def test_facts_of_a_later_format_are_no_files():
    root, _ = _board(1)
    path = root + "/a/manifest"
    with open(path, "rb") as f:
        data = f.read()
    more = b"asset 12 34 my cat.txt\n"
    size = len(data) - 24 - 64
    data = data[:16] + bytes((size + len(more) & 255, size + len(more) >> 8)) + data[18:]
    put(path, data[:24] + data[24 : 24 + size] + more + data[24 + size :])
    assert check(root + "/a", None, True) == (1, 0)


def test_what_was_given_up_is_never_the_other_one():
    root, digests = _board(1, 2)
    BootRecord(root).hand_off(1, 2, digests[1])
    for _ in range(4):
        _boot()
    os.remove(root + "/a/app.py")
    assert _boot() is None
