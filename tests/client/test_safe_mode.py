"""Safe mode: who enters it and when, what is said, how it ends (ota-and-boot 2.4)."""

import sys

import particle
from fake_cloud import Files, make, settle
from particle import Error
from particle.runtime import power, system
from particle.runtime.power import System
from support import raises

ASKED = "safemode"
SESSION = 1


class Off(Exception):
    """The board went off."""


class Machine:
    """`machine` of a board that was switched on; `resets` counts its ends."""

    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
    cause = 1

    def __init__(self):
        self.resets = 0

    def reset_cause(self):
        return self.cause

    def reset(self):
        self.resets += 1
        raise Off


class Flash(Files):
    """A store in memory whose verbs may fail."""

    broken = ()

    def read(self, name):
        return self._do("read") or super().read(name)

    def write(self, name, data):
        self._do("write")
        super().write(name, data)

    def remove(self, name):
        self._do("remove")
        self.files.pop(name, None)

    def _do(self, verb):
        if verb in self.broken:
            raise Error(-225, "cannot " + verb, "store")


def board(flash=None):
    """Return (machine, flash, client, link, system) of a boot."""
    machine = sys.modules["machine"] = Machine()
    system._told = False
    c, link = make()
    c._store = flash or Flash()
    s = System()
    s.default = lambda: c
    power.system = s
    return machine, c._store, c, link, s


def alone(test):
    """Put back what a test has replaced."""

    def run():
        kept = sys.modules.get("machine"), power.system, system._told
        try:
            test()
        finally:
            sys.modules.pop("machine", None)
            if kept[0]:
                sys.modules["machine"] = kept[0]
            power.system, system._told = kept[1:]

    return run


def order(c, link, how):
    """Have the cloud tell the device what to do with its power."""
    link.say(b"\x50\x02\xb1E\x05spark\x06device\x05reset\xff" + how)


def serve(s, c, link, until):
    """Call safe_mode() and end it when `until()`; return True when it served."""

    class Enough(Exception):
        pass

    real = c.process

    def process():
        n = real()
        if until():
            raise Enough
        return n

    c.process = process
    try:
        s.safe_mode()
        return False
    except Enough:
        return True
    finally:
        del c.process


def said(link):
    return [(m.name, m.payload) for m in link.heard if m.path == "E"]


@alone
def test_nobody_asked():
    machine, flash, c, link, s = board()
    assert s.safe_mode() is None
    assert machine.resets == 0 and c._conn is None and not c.more.safe
    assert s.reset_reason == 40
    machine.cause = 3
    assert s.reset_reason == 60
    machine.cause = 99
    assert s.reset_reason == 10


@alone
def test_asked_by_the_application():
    machine, flash, c, link, s = board()
    s.safe_mode()
    flash.files[SESSION] = b"session"
    raises(Off, s.enter_safe_mode)
    assert machine.resets == 1
    # a reset or power cut before the next boot looks changes nothing
    machine, flash, c, link, s = board(flash)
    assert serve(s, c, link, lambda: ("spark/device/safemode", b"") in said(link))
    assert ASKED not in flash.files and SESSION not in flash.files
    assert said(link)[:2] == [
        ("spark/device/safemode", b""),
        ("spark/device/last_reset", b"safe_mode"),
    ]
    assert s.reset_reason == 110
    # what the application has registered is not announced: it was not run
    assert [m.payload for m in link.heard if m.path == "d"][-1] == b'{"f":[],"v":{}}'
    # any reset ends it
    machine, flash, c, link, s = board(flash)
    assert not serve(s, c, link, lambda: True)
    assert s.reset_reason == 40 and not c.more.safe


@alone
def test_it_is_told_with_every_connect():
    machine, flash, c, link, s = board()
    flash.files[ASKED] = b"1"
    assert serve(s, c, link, lambda: said(link))
    settle(c, link, c.connected)
    link.heard = []
    link.sock.closed = True
    settle(c, link, lambda: ("spark/device/safemode", b"") in said(link))
    assert [name for name, _ in said(link)].count("spark/device/last_reset") == 0


@alone
def test_asked_by_the_cloud():
    machine, flash, c, link, s = board()
    s.safe_mode()
    assert c.connect(timeout=30, background=False)
    order(c, link, b"safe mode")
    settle(c, link, lambda: ASKED in flash.files)
    # the message is answered before the board goes off
    assert machine.resets == 0
    raises(Off, c.wait_until, lambda: False, 5)
    # a second request, in safe mode, begins it anew
    machine, flash, c, link, s = board(flash)
    assert serve(s, c, link, lambda: said(link))
    order(c, link, b"safe mode")
    raises(Off, c.wait_until, lambda: False, 5)
    assert ASKED in flash.files
    machine, flash, c, link, s = board(flash)
    assert serve(s, c, link, lambda: said(link))
    order(c, link, b"reboot")
    raises(Off, c.wait_until, lambda: False, 5)
    assert ASKED not in flash.files


@alone
def test_a_function_that_asks_answers_its_caller():
    machine, flash, c, link, s = board()
    s.safe_mode()
    c.function("safe", lambda text: s.enter_safe_mode() or 7)
    c.connect(timeout=30, background=False)
    link.say(b"\x41\x02\x11\xb1f\x04safe")
    settle(c, link, lambda: [m for m in link.heard if m.code == 0x44])
    assert [m.payload for m in link.heard if m.code == 0x44] == [b"\x00\x00\x00\x07"]
    assert machine.resets == 0 and ASKED in flash.files
    raises(Off, c.wait_until, lambda: False, 5)


@alone
def test_a_start_up_that_does_not_look_forgets_it_with_its_first_connection():
    machine, flash, c, link, s = board()
    raises(Off, s.enter_safe_mode)
    machine, flash, c, link, s = board(flash)
    assert ASKED in flash.files
    c.connect(timeout=30, background=False)
    assert ASKED not in flash.files and said(link)[0] == ("spark/device/last_reset", b"power_down")
    # and that is no reason not to connect
    machine, flash, c, link, s = board()
    flash.files[ASKED] = b"1"
    flash.broken = ("remove",)
    c.connect(timeout=30, background=False)
    assert c.connected()


@alone
def test_a_flash_that_fails_never_keeps_the_application_off():
    for verb in ("read", "remove"):
        machine, flash, c, link, s = board()
        flash.files[ASKED] = b"1"
        flash.broken = (verb,)
        assert not serve(s, c, link, lambda: True), verb
        assert not c.more.safe and machine.resets == 0
    machine, flash, c, link, s = board()
    s.safe_mode()
    flash.broken = ("write",)
    e = raises(Error, s.enter_safe_mode)
    assert e.errno == -225 and machine.resets == 0


@alone
def test_nothing_to_serve_with_is_a_reset_and_then_the_application():
    for missing in ("server", "device"):
        machine, flash, c, link, s = board()
        flash.files[ASKED] = b"1"
        del flash.files[missing + ".rsa.der"]
        raises(Off, s.safe_mode)
        assert machine.resets == 1 and ASKED not in flash.files


@alone
def test_memory_that_ran_out_does_not_end_it():
    machine, flash, c, link, s = board()
    flash.files[ASKED] = b"1"
    real = c.run
    runs = []

    def run():
        runs.append(1)
        if len(runs) == 1:
            raise MemoryError
        real()

    c.run = run
    assert serve(s, c, link, lambda: said(link))
    assert len(runs) == 2


def test_the_public_object():
    particle.cloud = c = object()
    try:
        assert particle.system is power.system and particle.system.default() is c
    finally:
        del particle.cloud
