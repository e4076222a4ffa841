"""What an update does with the boot record (ota-and-boot 4.3); each step is one write."""

import os

from micropython import const

from .record import Record

CONFIRMED = const(0)
TRIAL = const(1)

# Flags
ROLLED_BACK = const(1)  # the last update was; cleared when the cloud has been told

_NONE = const(0xFF)
_TRIES = const(3)  # a power cut in a trial must not count as a failure


class BootRecord(Record):
    """The boot record of the folder `root`, as `Record`, and what else may become of it."""

    def hand_off(self, slot, version, digest):
        """Have the next boots try what is in `slot`, whose manifest has this SHA-256."""
        self.state = TRIAL
        self.trial = slot
        self.tries = _TRIES
        self.trial_version = version
        self.digest = digest
        self.flags &= ~ROLLED_BACK
        self.save()

    def confirm(self, floor):
        """Keep what was tried; floor: the one its manifest asks for."""
        self.state = CONFIRMED
        self.active = self.trial
        self.version = self.trial_version
        self.floor = max(self.floor, floor)
        self.trial = _NONE
        self.tries = 0
        self.save()

    def use(self, slot, version, floor, digest):
        """Go on with the application in `slot`: nothing has vouched for one."""
        self.active = slot
        self.version = version
        self.floor = max(self.floor, floor)
        self._settle(digest)


def forgive(root):
    """Forget how often the application has failed: something else may have been the reason."""
    for name in ("/crashes", "/started"):
        try:
            os.remove(root + name)
        except OSError:
            pass
