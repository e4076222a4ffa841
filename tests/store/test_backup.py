"""The session in memory that survives a reset, and its copy on flash (DESIGN decision 3)."""

import sys

from particle.errors import ConfigError, Error
from particle.store.backup import Backup, Memory, backup, memory
from particle.store.container import pack, unpack
from particle.store.retained import Retained
from stored_session import Board, unique
from support import raises

SESSION = 1
FLASH_FULL = Error(-225, "full", "store")


class Machine:
    """A stand-in for the module: RTC memory and backup cells."""

    data = b""
    cells = bytearray(2048)

    class RTC:
        def memory(self, data=None):
            if data is None:
                return Machine.data
            Machine.data = bytes(data)
            return None

    @staticmethod
    def mem_backup(region=0):
        return Machine.cells


class Files:
    """A store in memory that counts its writes."""

    root = "build/none"
    full = False

    def __init__(self):
        self.data = {}
        self.writes = 0
        self.read = self.write = self.remove = None

    def wear(self):
        return self.writes

    def get(self, kind):
        return unpack(kind, self.data[kind]) if kind in self.data else None

    def put(self, kind, payload):
        if self.full:
            raise FLASH_FULL
        self.writes += 1
        self.data[kind] = pack(kind, bytes(payload))

    def erase(self, kind):
        self.data.pop(kind, None)


class Profile:
    BACKUP = ("rtc", 2048)


def with_machine(test):
    """Run a test with the stand-in for `machine`, for both kinds of memory."""

    def run():
        real = sys.modules.get("machine")
        sys.modules["machine"] = Machine
        try:
            for kind in ("rtc", "mem"):
                Profile.BACKUP = (kind, 2048)
                off()
                test()
        finally:
            if real:
                sys.modules["machine"] = real
            else:
                del sys.modules["machine"]

    return run


def off():
    """Switch the power off and on."""
    Machine.data = b""
    # what such memory holds then is not defined
    Machine.cells = bytearray(bytes([i * 37 & 255 for i in range(2048)]))


class Stored:
    """What `stored_session.Board` needs of a flash, over a store with backup memory."""

    full = False

    def __init__(self, files):
        self.files = files
        self.boot()

    def boot(self):
        self.store = backup(self.files, Profile)
        assert isinstance(self.store, Backup)

    def get(self, kind):
        return self.store.get(kind)

    @property
    def data(self):
        return self.store.get(SESSION)

    @data.setter
    def data(self, value):
        self.store.put(SESSION, value)

    writes = 0


class Small(Board):
    """A board that reserves one number at a time."""

    def act(self, e):
        self.conn.step = self.flash.store.step
        super().act(e)


def boot(flash, numbers):
    flash.boot()
    return Small(flash, numbers)


def said(b, count):
    for i in range(count):
        b.conn.publish(b.now, "n", b"%d" % i, 0, None)
        b.step()
        b.ack_all()
        b.events = []


@with_machine
def test_no_write_to_flash_per_record():
    files = Files()
    flash = Stored(files)
    numbers = []
    b = boot(flash, numbers)
    b.ack_all()
    assert files.writes == 2  # the new session, and what the cloud knows of the application
    said(b, 200)
    assert files.writes == 2
    said(b, 300)
    assert 3 <= files.writes <= 4
    # a reset, or waking from deep sleep: not one write, and not one number left out
    writes = files.writes
    last = numbers[-1]
    for _ in range(10):
        b = boot(flash, numbers)
        said(b, 1)
        assert b.conn.resumes == 1 and b.conn.handshakes == 0
    assert files.writes - writes <= 1
    unique(numbers)
    assert numbers[-1] - last <= 30


@with_machine
def test_power_off_goes_on_from_the_flash():
    files = Files()
    flash = Stored(files)
    numbers = []
    b = boot(flash, numbers)
    b.ack_all()
    for turn in range(40):
        said(b, turn * 13 % 50)
        if turn % 3 == 0:
            off()
        b = boot(flash, numbers)
        said(b, 1)
        assert b.conn.resumes == 1 and b.conn.handshakes == 0, turn
        unique(numbers)
    assert len(numbers) > 500


@with_machine
def test_several_messages_still_share_a_datagram():
    b = boot(Stored(Files()), [])
    b.ack_all()
    writes = []
    b.conn.transmit(b.now)
    for name in "abcde":
        b.conn.publish(b.now, name, b"", 0, None)
    b.conn.transmit(b.now)
    while True:
        e = b.conn.event()
        if e is None:
            break
        if e[0] == "SAVE":
            writes.append(e)
            b.conn.saved(True)
    assert len(writes) == 1 and b.conn._channel.left == 5


@with_machine
def test_every_byte_of_the_memory_damaged_or_cut():
    files = Files()
    flash = Stored(files)
    numbers = []
    b = boot(flash, numbers)
    b.ack_all()
    said(b, 3)
    good = bytes(memory_now())
    for at in range(10 + good[4]):
        set_memory(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        # the copy on flash, ahead of everything that was sent
        want = unpack(SESSION, files.data[SESSION])
        assert Backup(files, Memory(*Profile.BACKUP)).get(SESSION) == want, at
        assert backup(files, Profile).get(SESSION) == want, at
        set_memory(good[:at])
        assert backup(files, Profile).get(SESSION) == want, at
    set_memory(good)
    assert Backup(files, Memory(*Profile.BACKUP)).get(SESSION) != unpack(
        SESSION, files.data[SESSION]
    )


def memory_now():
    return Machine.data if Profile.BACKUP[0] == "rtc" else Machine.cells


def set_memory(data):
    Machine.data = data
    Machine.cells = bytearray(data + bytes(2048 - len(data)))


@with_machine
def test_memory_of_another_flash_is_old():
    files = Files()
    flash = Stored(files)
    b = boot(flash, [])
    b.ack_all()
    said(b, 3)
    # firmware that knows nothing of the memory went on with the session meanwhile
    other = bytearray(files.get(SESSION))
    other[60:62] = b"\x00\x09"
    files.put(SESSION, other)
    flash.boot()
    assert flash.get(SESSION) == bytes(other)
    files.erase(SESSION)
    assert flash.get(SESSION) is None


@with_machine
def test_memory_of_the_application_is_left_alone():
    if Profile.BACKUP[0] == "mem":
        return
    for mine in (b"my own", b"PT\x01\x02\x00\x00" + bytes(20)):
        Machine.data = mine
        files = Files()
        assert backup(files, Profile) is files and Machine.data == mine
    Machine.data = b""
    flash = Stored(Files())
    b = boot(flash, [])
    b.ack_all()
    Machine.data = b"my own"
    said(b, 600)
    assert Machine.data == b"my own" and b.conn.ready
    assert flash.files.writes <= 6  # the copy on flash was ahead all the time


@with_machine
def test_full_flash_and_newer_file():
    files = Files()
    flash = Stored(files)
    b = boot(flash, [])
    b.ack_all()
    files.full = True
    raises(Error, flash.store.put, SESSION, bytes(150))
    files.full = False
    files.data[SESSION] = b"PT\x01\x02" + files.data[SESSION][4:]
    flash.boot()
    raises(ConfigError, flash.get, SESSION)


def test_boards_without_such_memory():
    files = Files()
    for value in (None, ("mem", 20), ("rtc", 100)):
        Profile.BACKUP = value
        assert backup(files, Profile) is files and memory(Profile) is None
    assert backup(files, object()) is files


@with_machine
def test_other_kinds_go_to_flash():
    files = Files()
    store = backup(files, Profile)
    store.put(4, b"code")
    assert store.get(4) == b"code" == files.get(4) and store.wear() == 1
    store.erase(4)
    assert files.get(4) is None


@with_machine
def test_retained():
    r = Retained(memory(Profile))
    assert len(r) == 0 and repr(r) == "<retained {}>"
    r["boots"] = 1
    r["list"] = [1, 2.5, "x", None, True]
    again = Retained(memory(Profile))
    assert again["boots"] == 1 and again["list"] == [1, 2.5, "x", None, True]
    assert "boots" in again and "other" not in again and again.get("other", 7) == 7
    assert sorted(again) == ["boots", "list"] == sorted(again.keys())
    del again["list"]
    again.update({"a": 1, "b": 2})
    assert sorted(Retained(memory(Profile)).items()) == [("a", 1), ("b", 2), ("boots", 1)]
    raises(KeyError, lambda: again["list"])
    for key, value in (("x", b"bytes"), ("x", object()), (1, 1), ("x", {1: 2})):
        raises(ValueError, again.__setitem__, key, value)
    e = raises(Error, again.__setitem__, "x", "y" * 1100)
    assert e.errno == -190 and "bytes, at most 1024" in str(e) and "x" not in again
    # the session beside it does it no harm, nor the other way round
    flash = Stored(Files())
    b = boot(flash, [])
    b.ack_all()
    said(b, 5)
    assert Retained(memory(Profile))["boots"] == 1
    again.clear()
    flash.boot()
    assert len(Retained(memory(Profile))) == 0 and flash.store._memory.get(SESSION)
    off()
    assert len(Retained(memory(Profile))) == 0


def test_retained_in_a_file():
    files = Files()
    r = Retained(files)
    r["n"] = 1
    assert Retained(files)["n"] == 1
    files.full = True
    raises(Error, r.__setitem__, "n", 2)
    assert r["n"] == 1
    files.full = False
    files.data[7] = files.data[7][:-1] + b"?"
    assert len(Retained(files)) == 0
    files.data[7] = pack(7, b"[1, 2]")
    assert len(Retained(files)) == 0
    files.data[7] = b"PT\x07\x02" + pack(7, b"{}")[4:]
    raises(ConfigError, Retained, files)
