"""When an application that is tried is kept, and what is said of one that was given up."""

import os
import sys

from particle.ota.bootrecord import CONFIRMED, ROLLED_BACK, TRIAL, BootRecord
from particle.ota.trial import Trial
from slot_files import install, put
from support import folder


class Conn:
    """A connection, as far as a trial asks: IDs of what waits; over TCP some of it is missing."""

    _closed = False
    _type = 0  # of events: CON, 1 over TCP

    def __init__(self):
        self.ready = False
        self._waiting = {}
        self._open = {}
        self._news = []


class World:
    """A client, a boot stage and what was done to them."""

    def __init__(self, trial, flags=0, firmware=None):
        self.firmware = firmware
        self.root = folder("trial")
        record = BootRecord(self.root)
        record.version = 1
        record.flags = flags
        record.reason = 1
        record.trial_version = 2
        if trial:
            record.hand_off(1, 2, install(self.root + "/b", 2))
        else:
            record.save()
        self.record = record
        self.trial = trial
        self.floor = 1
        self.fed = self.resets = 0
        self.watchdog = self if trial else None
        self.said = []
        self.full = False  # the queue of messages
        self._jobs = {}
        self._conn = Conn()
        sys.modules.pop("app", None)
        self.tried = Trial(self, self, self.reset, self.say)
        self.now = self.tried._last

    def wait_until(self, condition, seconds):
        """Let a second pass, in which the cloud acknowledges everything."""
        assert not condition() and seconds == 5
        self.run(1)
        self._conn._open = {}
        return condition()

    def feed(self):
        self.fed += 1

    def reset(self, now):
        self.resets += 1

    def say(self, now, name, data):
        if self.full:
            return None
        self.said.append((name, data))
        return len(self.said)

    def run(self, seconds):
        """Let time pass, by the steps it asks for."""
        for _ in range(int(2 * seconds)):
            due = self._jobs.pop(self.tried.step, None)
            if due is None:
                return
            self.now = due
            self.tried.step(due)

    def stored(self):
        return BootRecord(self.root)


class Firmware:
    """A firmware that can be replaced (ota/firmware.py)."""

    version = 1
    trial_version = 2
    reason = 6

    def __init__(self, trial, flags=0):
        self.trial = trial
        self.flags = flags

    def confirm(self):
        self.trial = False
        self.version = 2

    def told(self):
        self.flags = 0


class App:
    """A module app with a health()."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def health(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_kept_when_the_cloud_was_reached_for_a_while():
    w = World(True)
    w.run(20)
    assert w.stored().state == TRIAL
    w._conn.ready = True
    w.run(4)
    assert w.stored().state == TRIAL
    w.run(2)
    found = w.stored()
    assert (found.state, found.active, found.version, found.floor) == (CONFIRMED, 1, 2, 1)
    assert not w.trial and w.resets == 0 and w.fed > 40


def test_what_is_always_watched_is_fed_and_forgets_its_failures_once():
    w = World(False)
    w.watchdog = w
    put(w.root + "/crashes", b"\7")
    w.run(599)
    assert "crashes" in os.listdir(w.root)
    w.run(3)
    assert "crashes" not in os.listdir(w.root)
    put(w.root + "/crashes", b"\1")  # of this boot; it has not run well since
    w.run(60)
    assert "crashes" in os.listdir(w.root)
    assert w.fed > 2 * 650 and w.resets == 0


def test_what_cannot_be_written_is_written_later():
    w = World(True)
    w._conn.ready = True
    os.mkdir(w.root + "/boot.rec.new")
    w.run(10)
    assert w.trial and w.stored().state == TRIAL
    os.rmdir(w.root + "/boot.rec.new")
    w.run(1)
    found = w.stored()
    assert not w.trial and (found.state, found.active, found.version) == (CONFIRMED, 1, 2)


def test_a_connection_that_does_not_last_does_not_count():
    w = World(True)
    for _ in range(9):
        w._conn.ready = True
        w.run(3)
        w._conn.ready = False
        w.run(2)
    assert w.stored().state == TRIAL


def test_what_is_not_acknowledged_does_not_count():
    w = World(True)
    w._conn.ready = True
    w._conn._open[7] = w._conn._open[8] = None
    w.run(60)
    del w._conn._open[7]
    w.run(6)
    assert w.stored().state == TRIAL
    # the second piece of a long description
    w._conn._open = {9: None}
    w._conn._news = [9]
    w.run(6)
    assert w.stored().state == TRIAL
    w._conn._open = {}
    w.run(6)
    assert w.stored().state == CONFIRMED


def test_an_application_that_always_waits_for_something_is_kept():
    w = World(True)
    w._conn.ready = True
    for mid in range(20):
        w._conn._open = w._conn._waiting = {mid: 5}
        w.run(1)
    assert w.stored().state == CONFIRMED


def test_a_resumed_session_without_an_answer_does_not_count():
    w = World(True)
    w._conn.ready = w._conn._closed = True
    w.run(60)
    assert w.stored().state == TRIAL
    w._conn._closed = False
    w.run(6)
    assert w.stored().state == CONFIRMED


def test_who_leaves_on_purpose_has_said_everything():
    for firmware in (None, Firmware(True)):
        w = World(not firmware, firmware=firmware)

        def tried(w=w):
            return w.firmware.trial if w.firmware else w.stored().state == TRIAL

        w._conn._open = {}
        w.tried.leave(False)  # not connected
        w._conn.ready = True
        w._conn._open = {7: None}
        w.tried.leave(False)
        w._conn._open = {}
        w._conn._closed = True
        w.tried.leave(False)
        w._conn._closed = False
        sys.modules["app"] = App(False, True)
        w.tried.leave(False)
        assert tried()
        w.tried.leave(False)
        assert not tried() and not w.trial
        w.tried.leave(False)  # once is enough
        w.run(10)
        assert not w.resets
        del sys.modules["app"]


def test_who_leaves_may_wait_for_the_last_acknowledgement():
    w = World(True)
    w._conn.ready = True
    w._conn._open = {7: None}
    w.tried.leave(True)
    assert w.stored().state == CONFIRMED


def test_who_leaves_while_nothing_can_be_written():
    w = World(True)
    w._conn.ready = True
    os.mkdir(w.root + "/boot.rec.new")
    w.tried.leave(False)
    assert w.trial and w.stored().state == TRIAL
    os.rmdir(w.root + "/boot.rec.new")
    w.tried.leave(False)
    assert w.stored().state == CONFIRMED


def test_without_a_connection_at_all():
    w = World(True)
    w._conn = None
    w.run(60)
    assert w.stored().state == TRIAL


def test_health_is_asked_until_it_is_well():
    w = World(True)
    w._conn.ready = True
    sys.modules["app"] = App(False, ValueError("not yet"), True)
    w.run(6)
    assert w.stored().state == TRIAL
    w.run(2)
    assert w.stored().state == CONFIRMED
    del sys.modules["app"]


def test_the_time_is_limited():
    w = World(True)
    w._conn.ready = True
    sys.modules["app"] = App(False)
    w.run(599)
    assert w.resets == 0
    w.run(3)
    assert w.resets >= 1
    assert w.stored().state == TRIAL
    del sys.modules["app"]


def test_a_rollback_is_told_once():
    w = World(False, ROLLED_BACK)
    w.run(10)
    assert not w.said
    w._conn.ready = True
    w._conn._waiting = {3: 5}
    w.run(5)
    assert not w.said
    w._conn._waiting = {4: 5}
    w.run(1)
    why = "update_rollback, version 2: it was not well in three boots"
    assert w.said == [("spark/device/last_reset", why)]
    w.run(10)
    assert w.stored().flags & ROLLED_BACK  # it may still be lost
    w._conn._waiting = {}
    w.run(10)
    assert len(w.said) == 1 and not w.stored().flags & ROLLED_BACK


def test_a_rollback_is_told_however_late_the_cloud_is_reached():
    for firmware in (None, Firmware(False, ROLLED_BACK)):
        w = World(False, ROLLED_BACK, firmware)
        w.run(3000)  # the router was switched on later
        assert not w.said and w.stored().flags & ROLLED_BACK
        w._conn.ready = True
        w.run(10)
        assert len(w.said) == (2 if firmware else 1) and not w.stored().flags & ROLLED_BACK
        assert not w._jobs and not (firmware and firmware.flags)


def test_a_rollback_is_told_when_there_is_room_for_it():
    w = World(False, ROLLED_BACK)
    w._conn.ready = w.full = True
    w.run(5)
    assert not w.said and w.stored().flags & ROLLED_BACK
    w.full = False
    w.run(5)
    assert len(w.said) == 1 and not w.stored().flags & ROLLED_BACK


def test_a_rollback_is_told_again_when_the_connection_has_lost_it():
    for kind in range(2):
        w = World(False, ROLLED_BACK)
        conn = w._conn
        conn._type = kind
        conn.ready = True
        while not w.said:
            w.run(0.5)
        conn.ready = False  # before anybody could know that it has left
        w.run(1)
        assert w.stored().flags & ROLLED_BACK
        conn.ready = True
        w.run(5)
        # over UDP the connection sends what was not acknowledged again, over TCP nobody does
        assert len(w.said) == 1 + kind and not w.stored().flags & ROLLED_BACK


def test_telling_of_a_rollback_does_not_undo_an_update_that_came_meanwhile():
    w = World(False, ROLLED_BACK)
    w._conn.ready = True
    w.run(1)
    w.stored().hand_off(1, 3, install(w.root + "/b", 3))
    w.run(5)
    found = w.stored()
    assert (found.state, found.trial_version) == (TRIAL, 3)


def test_a_firmware_is_kept_when_the_cloud_was_reached_for_a_while():
    w = World(False, firmware=Firmware(True))
    w.run(590)
    assert w.firmware.trial and w.resets == 0
    w._conn.ready = True
    w.run(6)
    assert not w.firmware.trial and w.resets == 0
    # the application was not tried, and nothing is noted of it
    assert w.stored().sequence == 1


def test_a_firmware_with_which_the_application_is_not_well():
    w = World(False, firmware=Firmware(True))
    w._conn.ready = True
    sys.modules["app"] = App(False)
    w.run(605)
    assert w.firmware.trial and w.resets >= 1
    del sys.modules["app"]


def test_a_rollback_of_the_firmware_is_told_once():
    w = World(False, firmware=Firmware(False, ROLLED_BACK))
    w._conn.ready = True
    w.run(10)
    why = "update_rollback, firmware version 2: it was not well in its only boot"
    assert w.said == [("spark/device/last_reset", why)] and not w.firmware.flags


def test_both_were_rolled_back():
    w = World(False, ROLLED_BACK, Firmware(False, ROLLED_BACK))
    w._conn.ready = True
    w.run(10)
    assert [text[:33] for _, text in w.said] == [
        "update_rollback, version 2: it wa",
        "update_rollback, firmware version",
    ]


def test_failures_are_forgotten_after_running_well():
    w = World(False)
    put(w.root + "/crashes", b"\5")
    w.run(599)
    assert "crashes" in os.listdir(w.root)
    w.run(5)
    assert "crashes" not in os.listdir(w.root)
    assert not w._jobs
    w = World(True)
    put(w.root + "/crashes", b"\5")
    w._conn.ready = True
    w.run(10)
    assert "crashes" not in os.listdir(w.root)


def test_a_reset_is_none_to_be_counted_after_a_minute_or_with_the_cloud():
    w = World(False)
    put(w.root + "/started", b"")
    w.run(59)
    assert "started" in os.listdir(w.root)
    w.run(2)
    assert "started" not in os.listdir(w.root)
    w = World(False)
    put(w.root + "/started", b"")
    w._conn.ready = True
    w.run(4)
    assert "started" in os.listdir(w.root)
    w.run(2)
    assert "started" not in os.listdir(w.root)


def test_a_reason_of_a_later_version():
    w = World(False, ROLLED_BACK)
    w.record.reason = 99
    w._conn.ready = True
    w.run(1)
    assert w.said[0][1] == "update_rollback, version 2: unknown"
