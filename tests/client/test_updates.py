"""Updates as an application meets them: allowed or not, told of, the reset at the end (device-api
4.2), over a scripted cloud.
"""

import os
import struct
import sys
from binascii import crc32

import particle
import particle_boot
import plain_updates
from fake_cloud import Board, Files, make, settle
from particle.runtime import system
from particle.runtime.power import System
from particle.store import place
from support import folder, raises

with open("tests/vectors/modules/micropython_app_user.bin", "rb") as file:
    IMAGE = file.read()
PLATFORM = IMAGE[12] | IMAGE[13] << 8
CHUNK = 512


class Machine:
    """`machine` of a board; `resets` counts its ends."""

    PWRON_RESET = 1

    def __init__(self):
        self.resets = 0

    def reset_cause(self):
        return 1

    def reset(self):
        self.resets += 1


class Profile(Board):
    """A board that takes updates."""

    PLATFORM_ID = PLATFORM
    OTA = "app-ab"
    STORE_ROOT = "build/none"


class Flash(Files):
    """A store in memory whose files can be removed."""

    def remove(self, name):
        self.files.pop(name, None)


class Boot:
    """A boot of a board: `client`, `link` to the cloud, `system`, `machine`, what was told."""

    def __init__(self, store=None, profile=Profile):
        self.store = store or Flash()
        profile.STORE_ROOT = folder("updates") if store is None else profile.STORE_ROOT
        plain_updates.install(profile.STORE_ROOT)
        self.kept = sys.modules.get("machine"), system._told
        self.machine = sys.modules["machine"] = Machine()
        system._told = False
        self.client, self.link = make()
        self.client._store = self.store
        self.client._board = profile
        self.client._values["platform_id"] = PLATFORM
        self.system = System()
        self.system.default = lambda: self.client
        self.events = []
        names = "FIRMWARE_UPDATE FIRMWARE_UPDATE_PENDING RESET_PENDING RESET".split()
        bits = [getattr(particle, name) for name in names]
        for bit in bits:
            self.system.on(bit, lambda event, value: self.events.append((event, value)))
        self.bits = bits
        self.client.connect(timeout=30, background=False)
        self.settle(lambda: not self.client._conn._queue)

    def off(self):
        """Put back what the boot has replaced."""
        if self.client.more.updating and self.client.more.updating.target:
            # a file that is left to the collector of garbage breaks a flash that is made in Python
            self.client.more.updating.target._close()
        plain_updates.remove()
        sys.modules.pop("machine", None)
        if self.kept[0]:
            sys.modules["machine"] = self.kept[0]
        system._told = self.kept[1]

    def settle(self, condition):
        settle(self.client, self.link, condition)

    def ask(self, rest, code=2, type=0, token=b"\x40"):
        """Send a request; return the messages that the device says to it."""
        self.link.heard = []
        self.link.say(bytes([0x41 | type << 4, code]) + token + rest)
        self.settle(lambda: self.link.heard)
        return self.link.heard

    def begin(self):
        data = struct.pack(">BHIBI", 0, CHUNK, len(IMAGE), 0, 0)
        got = self.ask(b"\xb1u\xff" + data)
        if got[0].code == 0:
            self.settle(lambda: len(self.link.heard) > 1)
        return self.link.heard[-1].code

    def transfer(self):
        """Send the whole image; return the result."""
        assert self.begin() == 0x44
        for at in range(0, len(IMAGE), CHUNK):
            part = IMAGE[at : at + CHUNK]
            crc = struct.pack(">I", crc32(part) & 0xFFFFFFFF)
            self.ask(b"\xb1c\x44" + crc + b"\xff" + part, token=b"\x41")
            self.settle(lambda: len(self.link.heard) > 1)
            assert self.link.heard[-1].code == 0x44
        return self.ask(b"\xb1u", 3, token=b"\x42")[-1].payload

    def values(self, name):
        """Return the parameters of the events of one kind."""
        return [v for e, v in self.events if e == getattr(particle, name)]


def event(boot, name, data):
    path = b"".join([bytes([len(p)]) + p.encode() for p in name.split("/")])
    boot.link.say(b"\x50\x02\xb1E" + path + b"\xff" + data)


def booted(test):
    """Run a test with a boot, and put back what it replaced."""

    def run():
        boot = Boot()
        try:
            test(boot)
        finally:
            boot.off()

    return run


@booted
def test_a_whole_update(boot):
    s = boot.system
    assert s.update_status == 1 and not s.reset_pending and s.reset_enabled
    assert boot.begin() == 0x44 and s.update_status == 3
    boot.client._conn.close(0)
    boot.client.process()
    assert boot.values("FIRMWARE_UPDATE") == [0, -1]
    boot.client.connect(timeout=30, background=False)
    assert boot.transfer() == b'{"r":0}'
    told = boot.values("FIRMWARE_UPDATE")
    assert told[:3] == [0, -1, 0] and told[-1] == 1 and set(told[3:-1]) == {2}
    assert s.reset_pending and boot.values("RESET_PENDING") == [0]
    root = Profile.STORE_ROOT
    with open(root + "/update.img", "rb") as f:
        assert f.read() == IMAGE
    boot.settle(lambda: boot.machine.resets)
    assert boot.values("RESET") == [0]
    boot.off()
    # the next boot knows why it is one
    again = Boot(boot.store)
    try:
        assert again.system.reset_reason == 70
        (message,) = [m for m in again.link.heard if m.name == "spark/device/last_reset"]
        assert message.payload == b"update"
        assert "reason" not in again.store.files
    finally:
        again.off()


@booted
def test_update_that_cannot_be_handed_over(boot):
    def finish():
        raise OSError(28)

    boot.begin()
    boot.client.more.updating.target.finish = finish
    boot.transfer()
    name = "spark/device/last_reset"
    boot.settle(lambda: [m for m in boot.link.heard if m.name == name])
    # the cloud has just heard that it is a success
    told = [m.payload for m in boot.link.heard if m.payload]
    assert told == [b'{"r":0}', b"update_error, 28"]
    assert boot.values("FIRMWARE_UPDATE")[-1] == -1
    assert not boot.system.reset_pending and not boot.machine.resets


@booted
def test_reset_that_waits(boot):
    boot.system.reset_enabled = False
    boot.transfer()
    assert boot.client.more.updating._reset not in boot.client._jobs
    assert boot.system.reset_pending and boot.system.update_status == 2
    boot.system.reset_enabled = True
    assert boot.machine.resets == 1


@booted
def test_updates_that_are_disabled(boot):
    boot.link.heard = []
    boot.system.updates_enabled = False
    boot.system.updates_enabled = False
    name = "particle/device/updates/enabled"
    boot.settle(lambda: [m for m in boot.link.heard if m.name == name])
    assert [m.payload for m in boot.link.heard if m.name == name] == [b"false"]
    assert not boot.system.updates_enabled and boot.begin() == 0xA3
    event(boot, "particle/device/updates/pending", b"true")
    boot.settle(lambda: boot.system.updates_pending)
    assert boot.values("FIRMWARE_UPDATE_PENDING") == [1] and boot.system.update_status == 2
    event(boot, "particle/device/updates/forced", b"true")
    boot.settle(lambda: boot.system.updates_forced)
    assert boot.begin() == 0x44
    assert boot.values("FIRMWARE_UPDATE") == [0]


@booted
def test_board_that_takes_no_updates(boot):
    for kind in ("none", "mboot", None):

        class Other(Board):
            STORE_ROOT = Profile.STORE_ROOT

        if kind:
            Other.OTA = kind
        boot.client._board = Other
        assert boot.begin() == 0xA3
    assert os.listdir(Profile.STORE_ROOT) == []


@booted
def test_application_that_no_boot_stage_has_chosen(boot):
    # its own main.py would run again, and an image without a signature be stored for nothing
    particle_boot.record = None
    assert boot.begin() == 0xA3
    error, text = boot.client.more.updating.refusal(len(IMAGE))
    assert error == -120 and "main.py" in text
    assert os.listdir(Profile.STORE_ROOT) == [] and boot.values("FIRMWARE_UPDATE") == []


@booted
def test_board_whose_files_are_on_fat(boot):
    # where a power cut while one file is written loses others (ota-and-boot 6.3)
    kept = place._is_fat
    place._is_fat = lambda root: root == Profile.STORE_ROOT
    try:
        assert boot.begin() == 0xA3
    finally:
        place._is_fat = kept
    assert boot.begin() == 0x44


@booted
def test_image_of_another_platform(boot):
    boot.client._values["platform_id"] = PLATFORM + 1
    assert boot.transfer() in (b'{"r":-1360}', b'{"r":-1300}')
    assert boot.values("FIRMWARE_UPDATE")[-1] == -1 and not boot.system.reset_pending
    assert os.listdir(Profile.STORE_ROOT) == []


def test_without_the_component():
    if sys.implementation.name != "cpython":
        return  # a module cannot be hidden there
    boot = Boot()
    kept = sys.modules.pop("particle.updating", None)
    sys.modules["particle.updating"] = None
    try:
        # documented: Not Implemented, and the connection stays
        assert boot.begin() == 0xA1
        assert boot.client.connected()
    finally:
        del sys.modules["particle.updating"]
        if kept:
            sys.modules["particle.updating"] = kept
        boot.off()


@booted
def test_handlers_of_events(boot):
    raises(ValueError, boot.system.on, "FIRMWARE_UPDATE", print)
    raises(ValueError, boot.system.on, particle.FIRMWARE_UPDATE, None)
    seen = []

    def bad(event, value):
        seen.append(value)
        raise KeyError("shown, and no harm")

    subscription = boot.system.on(particle.FIRMWARE_UPDATE | particle.RESET, bad)
    boot.begin()
    assert seen == [0] and boot.client.connected()
    subscription.off()
    boot.begin()
    assert seen == [0]
