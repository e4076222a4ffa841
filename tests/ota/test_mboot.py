"""A firmware through mboot: what is taken, what becomes of it, a loader that is not ours."""

import hashlib
import os
import sys

from bundles import ABOUT, bundle, public, wrapped
from fake_mboot import FAILED, MBOOT, ORDER, PROGRAM, ROLLED_BACK, Registers, dfu, firmware
from fake_mboot import order as order_of
from particle.errors import UpdateError
from particle.ota import mboot_firmware
from particle.ota.bootrecord import ROLLED_BACK as FLAG
from particle.ota.layers import PLACE
from particle.ota.mboot import NAME, Mboot
from particle.ota.mboot_firmware import Firmware
from particle.ota.targets import target
from slot_files import put
from support import drive, folder, raises

NEW = dfu(firmware(7))


class World:
    """A board; its registers; how often it was reset."""

    def __init__(self):
        self.STORE_ROOT = folder("mboot")
        self.MBOOT = MBOOT
        self.registers = Registers()
        self.resets = 0
        os.mkdir(self.STORE_ROOT + "/fw.run")
        put(self.STORE_ROOT + "/fw.run/" + NAME, b"old")

    def reset(self):
        self.resets += 1

    def boot(self):
        return Firmware(self, self.registers, self.reset)

    def target(self):
        own = self.boot()
        return Mboot(own, self.STORE_ROOT, None, dict(ABOUT), [public()], 12)

    def send(self, data, function=7):
        target = self.target()
        stored = drive(target.begin(len(data), hashlib.sha256(data).digest(), function))
        for at in range(stored, len(data), 512):
            drive(target.write(data[at : at + 512]) or iter(()))
        drive(target.verify())
        return target

    def has(self, name):
        try:
            with open(self.STORE_ROOT + "/" + name + "/" + NAME, "rb") as f:
                return f.read()
        except OSError:
            return None


def _file(files=None, version=7, **facts):
    made = bundle(files=files or {NAME: NEW}, floor=5, **facts)
    return wrapped(made, kind=PLACE, version=version)


def test_what_arrived_is_written_and_tried_with_the_next_reset():
    w = World()
    target = w.send(_file())
    # nothing is asked for before it is handed over
    assert not w.registers[ORDER] and w.has("fw.run") == b"old"
    target.finish()
    assert target.tried()
    assert w.registers[ORDER] == order_of(PROGRAM, 3) and w.registers[ORDER + 4] == 1
    assert (w.has("fw.run"), w.has("fw.old"), w.has("fw.new")) == (NEW, b"old", None)
    w.registers[ORDER] = order_of(2, 2)
    own = w.boot()
    assert own.trial and own.runs() == 7 and own.version == 0
    own.confirm()
    own = w.boot()
    assert (own.trial, own.version, own.floor) == (False, 7, 5) and not w.registers[ORDER]
    assert (w.has("fw.run"), w.has("fw.old")) == (NEW, None)
    error = raises(UpdateError, w.send, _file(version=4))
    assert error.errno == -1320
    assert not w.resets


def test_what_mboot_gave_up_is_told():
    for state, reason in ((FAILED, 2), (ROLLED_BACK, 1), (PROGRAM, 2)):
        w = World()
        w.send(_file()).finish()
        w.registers[ORDER] = order_of(state, 0)
        own = w.boot()
        assert not own.trial and own.flags & FLAG and own.reason == reason
        assert (own.version, own.trial_version) == (0, 7)
        assert (w.has("fw.run"), w.has("fw.old")) == (b"old", None)
        own = w.boot()
        assert own.flags & FLAG
        own.told()
        assert not w.boot().flags
        # and once more
        w.send(_file()).finish()
        assert w.registers[ORDER] == order_of(PROGRAM, 3)


def test_registers_that_keep_nothing_end_too():
    w = World()
    w.send(_file()).finish()
    for _ in range(9):
        w.registers.clear()
        own = w.boot()
    assert w.resets == 4 and own.flags & FLAG and w.has("fw.run") == b"old"


def test_what_the_hook_has_repaired_is_started_anew_without_a_watchdog():
    w = World()
    w.registers[ORDER] = order_of(2, 2)
    for _ in range(2):
        own = w.boot()
        assert not own.trial and not w.registers[ORDER] and w.resets == 1


def test_a_bad_firmware_does_not_count_against_the_application():
    w = World()
    w.send(_file()).finish()
    for order in (order_of(2, 2), order_of(2, 1), order_of(2, 0), order_of(ROLLED_BACK, 0)):
        w.registers[ORDER] = order
        put(w.STORE_ROOT + "/crashes", b"\7")
        put(w.STORE_ROOT + "/started", b"")
        own = w.boot()
        assert own.trial == (order != order_of(ROLLED_BACK, 0))
        left = os.listdir(w.STORE_ROOT)
        assert "crashes" not in left and "started" not in left
    put(w.STORE_ROOT + "/crashes", b"\7")
    w.boot()
    assert "crashes" in os.listdir(w.STORE_ROOT)


def test_a_flash_that_takes_no_writes_stops_no_boot():
    # a folder where the next record is to be written: for a full flash, or one that is worn out
    for what in (0, order_of(PROGRAM, 3), order_of(FAILED, 0), order_of(ROLLED_BACK, 0)):
        w = World()
        w.send(_file()).finish()
        w.registers[ORDER] = what
        os.mkdir(w.STORE_ROOT + "/firmware.rec.new")
        for _ in range(3):
            own = w.boot()
            assert not own.trial and own.runs() == 0
            assert w.has("fw.run") and not w.resets
        # when it takes them again it is judged after all
        os.rmdir(w.STORE_ROOT + "/firmware.rec.new")
        for _ in range(9):
            own = w.boot()
        assert own.flags & FLAG and not own.trial and w.has("fw.run") == b"old", what
        assert not w.registers[ORDER]


def test_folders_that_cannot_be_moved_stop_no_boot():
    w = World()
    w.send(_file()).finish()
    w.registers[ORDER] = order_of(FAILED, 0)
    rename = os.rename

    def only_files(old, new):
        if old.endswith("fw.old"):
            raise OSError(30)
        rename(old, new)

    mboot_firmware.os = Files(only_files)
    try:
        own = w.boot()
        assert own.flags & FLAG and w.has("fw.run") is None
    finally:
        mboot_firmware.os = os
    own = w.boot()
    assert own.flags & FLAG and w.has("fw.run") == b"old"


class Files:
    """`os`, as far as a firmware uses it, with another `rename`."""

    rmdir = os.rmdir

    def __init__(self, rename):
        self.rename = rename


def test_what_is_not_taken():
    w = World()
    for data, code in (
        (_file({"firmware.dfu.gz": NEW}), -1310),
        (_file({NAME: NEW, "more": b""}), -1310),
        (_file(version=6), -1320),
        (_file(board="OTHER"), -1360),
        (wrapped(bundle(files={NAME: NEW}, floor=5)), -1300),
    ):
        error = raises(UpdateError, w.send, data)
        assert error.errno == code, (code, error.errno, error.text)
        assert w.has("fw.run") == b"old" and not w.registers[ORDER]
    os.remove(w.STORE_ROOT + "/fw.run/" + NAME)
    error = raises(UpdateError, w.send, _file())
    assert error.errno == -120 and "no way back" in error.text


class Profile(World):
    """A board as its profile has it, a client of it, and what the boot stage has found."""

    NAME = "TEST"
    OTA = "mboot"
    UPDATE_KEYS = (public(),)
    slot = ""
    _store = None
    _values = {"platform_id": 12, "product_id": 0xFFFF}

    def target(self):
        self.firmware = self.boot()
        return target(self, self, self.STORE_ROOT, None, self)


def test_a_board_takes_applications_beside():
    w = Profile()
    both = w.send(_file())
    both.finish()
    assert w.registers[ORDER] == order_of(PROGRAM, 3)
    abi = getattr(sys.implementation, "_mpy", 0) & 0xFF
    application = wrapped(bundle(floor=5, abi=abi))
    # not before the reset
    error = raises(UpdateError, lambda: drive(both.begin(len(application), bytes(32), 5)))
    assert error.errno == -110
    w.registers[ORDER] = order_of(2, 2)
    w.boot().confirm()
    found = w.send(application, 5).finish()
    assert found == w.STORE_ROOT + "/b"
    # without its part of the boot stage nothing is done to the firmware
    w = Profile()
    w.boot = lambda: None
    assert not hasattr(w.target(), "tried")
