"""The trial of a new application: it is kept when the cloud can be reached with it and it is well
(ota-and-boot 4.3, 4.6). And what the cloud is told of one that was given up.

Its job runs in `process()` and nowhere else: an application that hangs feeds no watchdog.
"""

import os
import sys
import time

from micropython import const

from .bootrecord import BootRecord

# state and flag of the boot record (bootrecord.py)
_TRIAL = const(1)
_ROLLED_BACK = const(1)

_EVERY_MS = const(500)
_SETTLED_MS = const(5000)  # connected, before it is called well
_LAST_S = const(5)  # for the last acknowledgements to come
_LIMIT_S = const(600)  # for a trial; and of running well, until earlier failures are forgotten
_EARLY_S = const(60)  # a reset counts as a failure until then, or until the cloud was reached
_PERIOD = const(0x3FFFFFFF)  # of ticks
_REASONS = const(
    (
        "unknown",
        "it was not well in three boots",
        "it was damaged",
        "exception",
        "deadline",
        "asked for",
        "it was not well in its only boot",
        "it was not started, the power failed",
    )
)


class Trial:
    """What becomes of the application that the boot stage `boot` has started, for its `client`,
    and of the firmware, where that can be replaced too.

    restart: function(now) that resets the board. say: function(now, name, data) that publishes,
    and gives None where it cannot.
    """

    def __init__(self, client, boot, restart, say):
        self._client = boot.client = client
        self._boot = boot
        self._firmware = getattr(boot, "firmware", None)
        self._restart = restart
        self._say = say
        self._told = None
        self._early_over = False
        self._reached = 0  # ms since the cloud was reached
        self._said = None  # IDs of what was said when it was, None before
        self._left = _LIMIT_S * 1000
        self._last = time.ticks_ms() & _PERIOD
        client._jobs[self.step] = self._last

    def step(self, now):
        """Look how it is, and once more in half a second until nothing is left to be decided."""
        boot = self._boot
        firmware = self._firmware
        passed = (now - self._last) & _PERIOD
        self._left -= passed
        self._last = now
        tried = boot.trial or firmware and firmware.trial
        if not tried and -passed <= self._left < 0:
            _forget(boot.root + "/crashes")
        if boot.watchdog:
            boot.watchdog.feed()  # there is no way to stop it
        reached = self._heard(passed)
        if not self._early_over and (
            self._reached >= _SETTLED_MS or self._left < (_LIMIT_S - _EARLY_S) * 1000
        ):
            self._early_over = True
            _forget(boot.root + "/started")
        try:
            if tried:
                if reached and self._reached >= _SETTLED_MS and _well():
                    self._keep()
                elif self._left < 0:
                    print("update: not well after %d s: reset" % _LIMIT_S)
                    self._restart(now)
            elif boot.record.flags & _ROLLED_BACK:
                if reached:
                    self._tell_of(now, "", boot.record, self._forgotten)
            elif firmware and firmware.flags & _ROLLED_BACK:
                if reached:
                    self._tell_of(now, "firmware ", firmware, firmware.told)
            elif self._left < 0 and not boot.watchdog:
                return
        except OSError as e:
            print("update:", e)  # the file system: another attempt, until the time is over
        self._client._jobs[self.step] = (now + _EVERY_MS) & _PERIOD

    def leave(self, free):
        """Decide now: the application ends the connection on purpose, to sleep for example.

        It is kept when it is well and everything it said is acknowledged; free: that may be
        waited for.
        """
        client = self._client
        if not (self._boot.trial or self._firmware and self._firmware.trial):
            return
        if free:
            client.wait_until(lambda: not (client._conn.ready and _waits(client._conn)), _LAST_S)
        if client._conn.ready and not _waits(client._conn) and _well():
            try:
                self._keep()
            except OSError as e:
                print("update:", e)

    def _heard(self, passed):
        # Whether it is connected, and what was said then is acknowledged, the description too.
        # Not what the application says from then on: on a slow link something always waits.
        conn = self._client._conn
        if conn is None or not conn.ready:
            self._said = None
            if conn and conn._type:
                self._told = None  # nobody repeats what was on its way over TCP
            return False
        waits = _waits(conn)
        if self._said is None:
            self._said = waits
            self._reached = 0
        else:
            self._said &= waits
            self._reached += passed
        # a long description is said piece by piece
        return not (self._said or waits.intersection(getattr(conn, "_news", ())))

    def _keep(self):
        boot = self._boot
        if not boot.trial:
            self._firmware.confirm()
            print("update: firmware %d is kept" % self._firmware.version)
            return
        # read again: what could not be written must not stay in what is written next
        record = BootRecord(boot.root)
        if record.state != _TRIAL:
            return
        record.confirm(boot.floor)
        boot.record = record
        boot.trial = False
        _forget(boot.root + "/crashes")
        print("update: version %d is kept" % boot.record.version)

    def _forgotten(self):
        self._boot.record.flags &= ~_ROLLED_BACK
        record = BootRecord(self._boot.root)  # an update may have come since this boot
        record.flags &= ~_ROLLED_BACK
        record.save()

    def _tell_of(self, now, what, record, told):
        # first it is said, then noted that the cloud has it
        if self._told is not record:
            why = _REASONS[record.reason if record.reason < len(_REASONS) else 0]
            text = "update_rollback, %sversion %d: %s" % (what, record.trial_version, why)
            if self._say(now, "spark/device/last_reset", text) is not None:
                self._told = record
            self._said = _waits(self._client._conn)
        else:
            told()


def _waits(conn):
    # IDs of what is not acknowledged, or not sent yet; a session that was resumed waits as a whole
    waits = set(conn._waiting)
    waits.update(getattr(conn, "_open", ()))
    if getattr(conn, "_closed", False):
        waits.add(None)
    return waits


def _well():
    # an application may have a function health() that tells
    health = getattr(sys.modules.get("app"), "health", None)
    if health is None:
        return True
    try:
        return health()
    except Exception as e:
        sys.print_exception(e)
        return False


def _forget(path):
    try:
        os.remove(path)
    except OSError:
        pass
