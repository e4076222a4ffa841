"""The power fails in every operation on the flash of an ESP32 while its firmware is replaced, from
the first byte that arrives to the confirmation or the rollback, and again in every operation of
what follows: the board always starts the old firmware or the new one, whole, and what becomes of
the new one is told.

`micropython firmware_cuts.py` in the project's root does it all. Signatures are not verified here:
that touches no flash.
"""

import gc
import hashlib
import sys

try:
    import vfs
except ImportError:
    vfs = None

from bundles import ABOUT, bundle, public, wrapped
from particle.errors import UpdateError
from particle.ota import bundle as unpacking
from particle.ota.bootrecord import ROLLED_BACK
from ram_esp32 import OTA, Chip, esp32_ab, firmware, image
from ram_flash import Cut, RamFlash, mount, umount
from support import drive

BLOCKS = 64
TEARS = 4
_ROOT = "/cut/pt"
_CHUNK = 1024
_LIVES = 24
_MARK_AT = 32  # where the content of an image begins
_NEW = image(b"2" * 9000)


def _right(kind, key, signature, digest):
    yield
    return True


KEYS = [public()]
UPDATE = wrapped(
    bundle(files={"firmware.bin": _NEW}, version=2, floor=2), kind=(7, 1, 0xFF), version=2
)


class Story:
    """What happens to a board; good: whether the new firmware is well."""

    def __init__(self, good):
        self.good = good
        self.ran = []
        self.told = 0

    def life(self, chip):
        """Live from one start to the next one; return whether there is a next one."""
        assert chip.start(), "no firmware can be started"
        version = int(chip.get(firmware.running()[2] + _MARK_AT, 1))
        self.ran.append(version)
        found = firmware.Firmware(_ROOT)
        if found.trial:
            assert version == 2
            if self.good:
                found.confirm()
            return not self.good
        if version == 2:
            # what was not confirmed has only one start
            assert self.good and (found.version, found.floor) == (2, 2)
            return False
        if found.flags & ROLLED_BACK:
            self.told += 1
            if not self.good:
                return False
            found.told()
        self._update()
        return True

    def _update(self):
        # the cloud sends what is missing, as often as it takes
        target = esp32_ab.Esp32Ab(_ROOT, None, ABOUT, KEYS, 12)
        if target.tried():
            return
        sha = hashlib.sha256(UPDATE).digest()
        stored = drive(target.begin(len(UPDATE), sha, 7))
        for at in range(stored, len(UPDATE), _CHUNK):
            work = target.write(UPDATE[at : at + _CHUNK])
            if work:
                drive(work)
        drive(target.verify())
        target.finish()


def run(story, data, cut=0, tear=0):
    """Live until the power fails in operation `cut` of the flash; return how many there were.

    That is fewer than `cut` when the story was over before.
    """
    operations = 0
    for _ in range(_LIVES):
        flash = RamFlash(data, blocks=BLOCKS)
        try:
            mount(flash)
            flash.operations = operations
            flash._cut = cut
            flash._tear = tear
            more = story.life(Chip(flash))
        except Cut:
            return cut
        except (OSError, UpdateError):
            if not flash._dead:
                raise
            return cut  # from what closes a file behind the failure
        finally:
            umount()
        operations = flash.operations
        if not more:
            return operations
    raise AssertionError("it never ends: %s" % story.ran)


def fresh():
    """Return the flash of a board with a first firmware."""
    flash = RamFlash({}, blocks=BLOCKS)
    mount(flash)
    umount()
    Chip(flash).put(OTA[0], image(b"1" * 500))
    return flash.data


def _settled(story, data, where):
    # without a further cut
    run(story, data)
    wanted = 2 if story.good else 1
    assert story.ran[-1] == wanted, (where, story.ran)
    assert story.good or story.told, (where, story.ran)


def every(good, step=1, first=0):
    """Cut at every `step`-th place, beginning with `first`; return how often the power failed."""
    kept = unpacking.verify
    unpacking.verify = _right
    try:
        return _every(good, step, first)
    finally:
        unpacking.verify = kept


def _every(good, step, first):
    base = fresh()
    total = run(Story(good), _copy(base))
    cuts = 0
    at = first
    for tear in range(TEARS):
        for cut in range(1, total + 1):
            at += 1
            if at % step == 0:
                story = Story(good)
                data = _copy(base)
                assert run(story, data, cut, tear) == cut
                cuts += 1
                _settled(story, data, (cut, tear))
            # and again, in what follows
            for again in range(1, total + 1):
                at += 1
                if at % step:
                    continue
                once = _copy(base)
                story = Story(good)
                run(story, once, cut, tear)
                if run(story, once, again, (tear + 1) % TEARS) < again:
                    break  # it was over before
                cuts += 2
                _settled(story, once, (cut, tear, again))
            gc.collect()
    return cuts


def _copy(data):
    return {block: bytearray(data[block]) for block in data}


def main():
    """Do it all, or what the arguments name."""
    for kind in sys.argv[1:] or ("good", "bad"):
        cuts = every(kind == "good")
        print("%s: %d cuts, always the old or the new one" % (kind, cuts))


if __name__ == "__main__":
    main()
