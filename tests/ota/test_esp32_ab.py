"""A firmware from its bytes to the partition that is tried next, and what becomes of it."""

import hashlib

import particle_boot
from bundles import ABOUT, FILES, bundle, public, tree, wrapped
from particle.errors import UpdateError
from particle.ota import bundle as unpacking
from particle.ota.app_slots import AppSlots
from particle.ota.bootrecord import ROLLED_BACK, TRIAL, BootRecord
from particle.ota.layers import PLACE, Layers
from particle.wire.module import Image, user_slots
from ram_esp32 import (
    OTA,
    OTADATA,
    SLOT,
    TABLE,
    Chip,
    Partition,
    esp32_ab,
    firmware,
    image,
    otadata,
)
from slot_files import put
from support import drive, folder, raises

KIND = (7, 1, 0xFF)
SECOND = image(b"the second firmware " * 450)
APPLICATION = wrapped(bundle(real=False))
_SIGNED = {}


def update(
    content=SECOND, name="firmware.bin", version=2, kind=KIND, more=None, real=False, **facts
):
    """Return the file of a firmware."""
    digest = hashlib.sha256(content).digest()
    key = repr((digest, name, version, kind, more, real, sorted(facts.items())))
    if key not in _SIGNED:
        files = {name: content}
        files.update(more or {})
        facts.setdefault("floor", 0)
        signed = bundle(files=files, version=version, real=real, **facts)
        _SIGNED[key] = wrapped(signed, kind=kind, version=version)
    return _SIGNED[key]


def _right(kind, key, signature, digest):
    # a real one takes an emulated processor a second
    yield
    return not any(signature)


class Board:
    """A board with a first firmware; `target` is what updates go to in this boot."""

    def __init__(self, chip=None):
        self.chip = chip or Chip()
        if not chip:
            self.chip.put(OTA[0], image(b"one"))
        self.root = folder("esp32_ab")
        self.boot()

    def boot(self):
        """Reset; return the label of what runs then."""
        label = self.chip.start()
        self.firmware = firmware.Firmware(self.root)
        place = {PLACE: (0, 0xFFFFFFFF)}
        whole = esp32_ab.Esp32Ab(
            self.root, lambda n, _: Image(n, 12, place), ABOUT, [public()], 12
        )
        apps = AppSlots(
            self.root,
            lambda n, _: Image(n, 12, user_slots(12)),
            ABOUT,
            [public()],
            12,
            user_slots(12),
        )
        self.target = Layers(self.root, apps, whole)
        return label

    def send(self, data, function=7, sha=True, verify=_right, stop=None):
        """Send a file, or what is before byte `stop`; raises what the target raises."""
        kept = unpacking.verify
        unpacking.verify = verify
        try:
            return self._send(data, function, sha, stop)
        finally:
            unpacking.verify = kept

    def _send(self, data, function, sha, stop, step=512):
        sha = hashlib.sha256(data).digest() if sha else None
        stored = drive(self.target.begin(len(data), sha, function))
        end = stop or len(data)
        for at in range(stored, end, step):
            work = self.target.write(data[at : min(end, at + step)])
            if work:
                drive(work)
        if stop:
            self.target.pause()
        else:
            drive(self.target.verify())
        return stored

    def refused(self, data, function=7):
        """Send what must not be taken; return the error."""
        before = self.chip.states()
        error = raises(UpdateError, self.send, data, function)
        assert self.chip.states() == before and self.firmware.state != TRIAL
        return error


def test_update_that_is_confirmed():
    board = Board()
    board.send(update(real=True), verify=unpacking.verify)
    assert board.chip.states()[1] is None
    assert board.target.finish() == "ota_1"
    assert board.chip.get(OTA[1], len(SECOND)) == SECOND
    assert sorted(tree(board.root)) == ["firmware.rec"]
    assert board.boot() == "ota_1" and board.firmware.trial
    board.firmware.confirm()
    found = firmware.Firmware(board.root)
    assert (found.version, found.trial, found.flags) == (2, False, 0)
    assert board.boot() == "ota_1" and board.chip.states()[1] == (2, otadata.VALID)
    # and the next one goes where the first one was
    board.send(update(version=3))
    assert board.target.finish() == "ota_0"
    assert board.boot() == "ota_0" and board.firmware.trial
    assert board.firmware.version == 2 and board.firmware.trial_version == 3


def test_update_that_is_not_confirmed_is_told_once():
    board = Board()
    board.send(update())
    board.target.finish()
    board.boot()
    assert board.boot() == "ota_0" and not board.firmware.trial
    found = board.firmware
    assert (found.version, found.trial_version, found.flags) == (0, 2, ROLLED_BACK)
    assert found.reason == 6
    board.boot()
    assert board.firmware.flags == ROLLED_BACK
    board.firmware.told()
    board.boot()
    assert board.firmware.flags == 0
    # it can be tried again
    board.send(update())
    board.target.finish()
    assert board.boot() == "ota_1" and board.firmware.trial


def test_telling_of_a_rollback_does_not_undo_an_update_that_came_meanwhile():
    board = Board()
    board.send(update())
    board.target.finish()
    board.boot()
    board.boot()
    assert board.firmware.flags == ROLLED_BACK
    board.send(update(version=3))
    board.target.finish()
    board.firmware.told()
    assert board.boot() == "ota_1" and board.firmware.trial
    assert board.firmware.trial_version == 3


def test_nothing_is_taken_while_a_firmware_is_tried():
    board = Board()
    board.send(update())
    board.target.finish()
    # not before the reset either
    for function in (7, 5, None):
        error = raises(UpdateError, board.send, update(version=3), function)
        assert error.errno == -110 and "being tried" in error.text
    board.boot()
    before = board.chip.get(OTA[0], 4096)
    for function in (7, 5, None):
        assert raises(UpdateError, board.send, update(version=3), function).errno == -110
    assert board.chip.get(OTA[0], 4096) == before
    board.firmware.confirm()
    board.send(update(version=3))


def test_no_firmware_while_an_application_is_tried():
    board = Board()
    record = BootRecord(board.root)
    record.hand_off(1, 4, bytes(32))
    assert raises(UpdateError, board.send, update()).errno == -110


def test_applications_go_where_they_always_went():
    board = Board()
    board.send(APPLICATION, 5)
    assert board.target.finish() == board.root + "/b"
    found = tree(board.root + "/b")
    found.pop("manifest")
    assert found == FILES and board.chip.states()[1] is None


def test_what_is_wrong_is_refused_before_it_is_written():
    board = Board()
    untouched = board.chip.get(OTA[1], SLOT)
    for data, code, text in (
        (update(kind=(7, 1, 0)), -1300, "no place"),
        (update(version=2, board="OTHER"), -1360, "for b'OTHER'"),
        (update(version=2, platform=13), -1360, ""),
        (update(version=2, client=0x7F000000), -1340, "client"),
        (update(name="app.py"), -1310, "app.py, and not firmware.bin"),
        (update(more={"a.txt": b"x"}), -1310, "a.txt, and not firmware.bin"),
        (update(content=image(b"x" * 999, chip=9)), -1360, "chip 9, this is chip 0"),
        (update(content=b"print('hello')" * 99), -1310, "no firmware image"),
        (update(content=b"\xe9"), -1310, "no firmware image"),
        (update(content=SECOND + bytes(8192)), -1351, "no room"),
        (wrapped(bundle(kind=0, files={"firmware.bin": SECOND}), kind=KIND), -1320, "not signed"),
        (
            wrapped(bundle(secret=77, files={"firmware.bin": SECOND}, real=False), kind=KIND),
            -1320,
            "unknown",
        ),
        (wrapped(bundle(real=False), kind=KIND), -1310, "not firmware.bin"),
    ):
        error = board.refused(data)
        assert error.errno == code and text in error.text, (code, text, error)
    assert board.chip.get(OTA[1], SLOT) == untouched
    # another version outside than inside: the cloud would never see it as installed
    inside = bundle(files={"firmware.bin": SECOND}, version=2, floor=0, real=False)
    assert board.refused(wrapped(inside, kind=KIND, version=3)).errno == -1320


def test_tampered_firmware():
    board = Board()
    good = update()
    at = len(good) - 400
    bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
    assert board.refused(bad).errno in (-1330, -1331)
    # signed, but the bootloader would not start it
    broken = SECOND[:500] + b"?" + SECOND[501:]
    board.send(update(content=broken))
    assert raises(OSError, board.target.finish).args[0] == -5379
    assert board.boot() == "ota_0" and not board.firmware.trial
    assert (board.firmware.flags, board.firmware.reason) == (ROLLED_BACK, 2)
    board.send(update())


def test_security_floor():
    board = Board()
    board.send(update(version=3, floor=3))
    board.target.finish()
    board.boot()
    # it counts when it is kept, not before
    assert board.firmware.floor == 0
    board.firmware.confirm()
    error = board.refused(update(version=2))
    assert error.errno == -1320 and "below the security floor 3" in error.text
    # that of applications is another one
    assert BootRecord(board.root).floor == 0


def test_resumes_where_it_was():
    data = update()
    for stop in (300, 700, 4800, 9000, len(data) - 1):
        board = Board()
        board.send(data, stop=stop)
        board.boot()
        erased = board.chip.flash.operations
        stored = board.send(data)
        # the last whole block, and what comes before the contents
        assert stored <= stop and stop - stored < 4096 + 512, (stop, stored)
        # what is there is not written again
        written = board.chip.flash.operations - erased
        assert written <= (len(data) - stored) // 512 + 8, (stop, written)
        assert board.target.finish() == "ota_1"
        assert board.chip.get(OTA[1], len(SECOND)) == SECOND


def test_the_older_protocol_does_not_say_what_it_sends():
    board = Board()
    board.send(update(), None, sha=False)
    assert board.target.finish() == "ota_1"
    assert board.boot() == "ota_1" and board.firmware.trial
    board.firmware.confirm()
    board.send(APPLICATION, None, sha=False)
    assert board.target.finish() == board.root + "/b"
    assert "stage.img" not in tree(board.root)


def test_a_start_that_never_came_is_told_too():
    board = Board()
    board.send(update())
    board.target.finish()
    # the power failed when the bootloader had erased a record to mark it
    board.chip.erase(OTADATA + 4096)
    assert board.boot() == "ota_0"
    assert (board.firmware.flags, board.firmware.reason) == (ROLLED_BACK, 7)


def test_what_an_earlier_firmware_has_left_is_not_taken_for_its_end():
    # the bootloader still has a record of the slot: of what was kept there, or was given up
    for kept in (True, False):
        board = Board()
        for version in (2, 3) if kept else (2,):
            board.send(update(version=version))
            board.target.finish()
            board.boot()
            if kept:
                board.firmware.confirm()
        label = board.boot()
        if not kept:
            board.firmware.told()
        board.send(update(version=4))
        cut = board.chip.flash.operations

        def fails(self):
            raise KeyboardInterrupt  # the power

        kind = Partition
        set_boot = kind.set_boot
        kind.set_boot = fails
        try:
            raises(KeyboardInterrupt, board.target.finish)
        finally:
            kind.set_boot = set_boot
        assert board.chip.flash.operations == cut
        assert board.boot() == label
        found = board.firmware
        assert (found.flags, found.reason, found.trial_version) == (ROLLED_BACK, 7, 4), kept
        # and when it had its boot
        found.told()
        board.send(update(version=4))
        board.target.finish()
        assert board.boot() != label and board.firmware.trial
        assert board.boot() == label
        assert (board.firmware.flags, board.firmware.reason) == (ROLLED_BACK, 6), kept


def test_bad_firmwares_do_not_count_against_the_application():
    board = Board()
    particle_boot.root = board.root
    assert particle_boot._crashes(2) == 2
    for version in range(2, 12):
        board.send(update(version=version))
        board.target.finish()
        board.boot()
        assert board.firmware.trial
        put(board.root + "/started", b"")
        # it was reset by the watchdog; then the application has raised
        assert particle_boot._crashes(1) == 1
        assert particle_boot._crashes(1) == 2
        put(board.root + "/started", b"")
        board.boot()
        assert board.firmware.flags == ROLLED_BACK and "started" not in tree(board.root)
        assert particle_boot._crashes(1) == 1
        board.firmware.told()
    # its own do
    board.boot()
    assert particle_boot._crashes(1) == 2


def test_a_hand_over_that_was_not_noted():
    board = Board()
    board.send(update())
    save = board.firmware._save
    saved = []

    def first():
        if saved:
            raise OSError(28)
        saved.append(save())

    board.firmware._save = first
    board.target.finish()
    assert board.boot() == "ota_1" and board.firmware.trial
    assert board.boot() == "ota_0"
    assert (board.firmware.flags, board.firmware.reason) == (ROLLED_BACK, 6)


def test_what_was_confirmed_but_not_noted():
    board = Board()
    board.send(update())
    board.target.finish()
    board.boot()
    Partition.mark_app_valid_cancel_rollback()
    board.boot()
    assert (board.firmware.version, board.firmware.state) == (2, 0)


def test_what_somebody_else_has_handed_over_is_tried_too():
    board = Board()
    board.chip.put(OTA[1], SECOND)
    Partition("ota_1").set_boot()
    # before the reset and after it, nothing may be written over
    assert raises(UpdateError, board.send, update()).errno == -110
    assert board.boot() == "ota_1" and board.firmware.trial
    assert raises(UpdateError, board.send, update()).errno == -110
    board.firmware.confirm()
    assert board.boot() == "ota_1" and not board.firmware.trial
    assert board.chip.states()[1] == (2, otadata.VALID)


def test_a_damaged_record():
    for content in (b"", b"PTF1", bytes(32), b"PTF1" + bytes(28)):
        board = Board()
        board.send(update())
        board.target.finish()
        for name in ("firmware.rec", "firmware.rec.new"):
            with open(board.root + "/" + name, "wb") as f:
                f.write(content)
        # it is tried and can be confirmed; only its version is not known any more
        assert board.boot() == "ota_1" and board.firmware.trial
        board.firmware.confirm()
        assert board.boot() == "ota_1" and board.firmware.version == 0
        board.send(update(version=3))


def test_boards_that_cannot():
    board = Board()
    assert esp32_ab.unusable() is None
    for table, text in (
        ([each for each in TABLE if each[0] != "otadata"], "no otadata"),
        ([("factory", 0, 0, OTA[0], 0x10000), TABLE[1]], "no second slot"),
        ([TABLE[1], TABLE[2]], "no second slot"),
    ):
        chip = Chip(partitions=table)
        chip.put(OTA[0], image(b"one"))
        chip.start()
        assert text in esp32_ab.unusable()
    board.chip.start()
