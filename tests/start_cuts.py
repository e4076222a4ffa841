"""The power cuts of boot_cuts.py on a board that runs `start` and a trial in every boot, with the
files that these keep beside the record: `micropython start_cuts.py`.

The old application fails once before it takes the update.
"""

import os
import sys

import boot_cuts
import particle_boot
from boot_cuts import IMAGE, KINDS, ROOT, STORIES, Story
from particle.ota import trial as trials
from particle.ota.bootrecord import ROLLED_BACK, BootRecord
from particle.runtime import board as unknown

_LEFT_MS = 8000  # of the minutes that a boot has: enough for a trial, and not many steps
_DAY_S = 86400
_NAMES = ("load", "machine", "particle_board", "path", "record", "root", "slot", "sys", "time")
_NAMES += ("trial", "version", "watchdog", "_safe", "client", "floor")


class Reset(BaseException):
    """The board resets itself."""


class Machine:
    """What `machine` is to the boot stage; one that was reset by itself has another cause."""

    PWRON_RESET = 1
    WDT_RESET = 3
    DEEPSLEEP_RESET = 4
    SOFT_RESET = 5

    def __init__(self, cause):
        self._cause = cause

    def reset_cause(self):
        return self._cause

    def reset(self):
        raise Reset

    def WDT(self, timeout):  # noqa: N802  as in `machine`
        return self

    def feed(self):
        pass


class Board:
    """The profile, besides it that of a board without one."""

    STORE_ROOT = ROOT

    def __getattr__(self, name):
        return getattr(unknown, name)


class Clock:
    """Each boot is on another day."""

    def __init__(self, day):
        self._now = day * _DAY_S

    def time(self):
        return self._now

    def ticks_ms(self):
        return 0

    def ticks_diff(self, a, b):
        return a - b


class Quiet:
    """What the boot stage has of `sys`."""

    modules = sys.modules

    @staticmethod
    def print_exception(error):
        pass


class Conn:
    """A connection over which everything is acknowledged."""

    ready = True
    _waiting = _open = _news = ()


class StartStory(Story):
    """As `Story`."""

    def __init__(self, kind):
        super().__init__(kind)
        self._conn = Conn()
        self._failed = self._cold = False
        self._jobs = {}

    def switched_on(self):
        """As of `Story`."""
        self._cold = True

    def life(self):
        """As of `Story`."""
        saved = {name: getattr(particle_boot, name, None) for name in _NAMES}
        board = sys.modules.get("particle_board")
        cause = Machine.PWRON_RESET if self._cold else Machine.SOFT_RESET
        self._cold = False
        particle_boot.machine = Machine(cause)
        particle_boot.time = Clock(len(self.ran) + 1)
        particle_boot.sys = Quiet
        particle_boot.trial = False
        particle_boot.watchdog = particle_boot.client = None
        particle_boot.load = self._load
        particle_boot._safe = self._safe
        particle_boot.print = trials.print = _nothing
        sys.modules["particle_board"] = Board()
        try:
            particle_boot.start()
            return False
        except Reset:
            return True
        finally:
            del particle_boot.print, trials.print
            del sys.modules["particle_board"]
            if board:
                sys.modules["particle_board"] = board
            for name in saved:
                setattr(particle_boot, name, saved[name])

    def _safe(self, why, needed=True):
        raise AssertionError("in safe mode: %s after %s" % (why, self.ran))

    def _load(self, path, name):
        # the application
        version = particle_boot.check(path, None, True)[0]
        self.ran.append(version)
        if not (self._failed and (self.good or version == 1)):
            self._failed = True
            raise ValueError
        self._run()
        if version == 1 and not self.told:
            self.update()
            raise Reset
        for file in ("crashes", "started"):
            assert not _exists(file), (file, self.ran)

    def _run(self):
        tried = trials.Trial(self, particle_boot, self._reset, self._say)
        tried._left = _LEFT_MS
        now = tried._last
        while self._jobs.get(tried.step) is not None and tried._left > -2000:
            now = self._jobs.pop(tried.step)
            tried.step(now)
        self._jobs = {}
        assert not particle_boot.trial
        assert not BootRecord(ROOT).flags & ROLLED_BACK

    def _reset(self, now):
        raise AssertionError("a good application was not kept: %s" % self.ran)

    def _say(self, now, name, data):
        assert data == "update_rollback, version 2: it was not well in three boots"
        self.told = True
        return 1


def _nothing(*args):
    pass


def _exists(name):
    try:
        os.stat(ROOT + "/" + name)
        return True
    except OSError:
        return False


for _kind, _good in (("start_good", True), ("start_bad", False)):
    KINDS[_kind] = _good, IMAGE
    STORIES[_kind] = StartStory

if __name__ == "__main__":
    boot_cuts.main()
