"""The power fails in every operation on the flash of an update, from the first byte that arrives
to the confirmation or the rollback, and again in every operation of what follows: the board always
runs the old application or the new one, whole, and ends with the one it should.

`micropython boot_cuts.py` in the project's root does it all. Signatures are not verified here:
that touches no flash.
"""

import gc
import hashlib
import sys

try:
    import vfs
except ImportError:
    vfs = None

import particle
import particle_boot
import particle_files
from boot_choice import client_of
from bundles import bundle, packed, public, tree, wrapped
from particle.errors import UpdateError
from particle.ota import bundle as unpacking
from particle.ota import rescue
from particle.ota.app_slots import AppSlots
from particle.ota.bootrecord import ROLLED_BACK, BootRecord
from particle.wire.module import user_slots
from ram_flash import Cut, RamFlash, mount, umount
from slot_files import install, put, trusted
from support import drive

BLOCKS = 64
TEARS = 4
ROOT = "/cut/pt"
_CHUNK = 512
_LIVES = 16
ABOUT = {"board": "TEST", "platform": 12, "product": 12, "abi": 2822, "client": 65536}
_FILES = {"app.py": b"print(2)\n" * 9, "lib/valve.py": bytes(range(250)) * 50}


#: Kinds of stories that are told of other boards (romfs_cuts.py).
STORIES = {}


def _right(kind, key, signature, digest):
    yield
    return True


unpacking.verify = _right
rescue.signed = trusted
particle.Cloud = client_of(ROOT)
particle_boot.root = ROOT
KEYS = [public()]
IMAGE = wrapped(bundle(files=_FILES, version=2, floor=0))
KINDS = {"good": (True, IMAGE), "bad": (False, IMAGE), "packed": (True, packed(IMAGE))}


def kept(digest):
    """Write the record of a board that has kept version 1, whose manifest has this SHA-256."""
    record = BootRecord(ROOT)
    record.version = 1
    record.digest = digest
    record.save()


class Story:
    """What happens to a board whose new application is well, or bad, or comes compressed."""

    function = 5  # of the module that brings it

    def __init__(self, kind):
        self.good, self.image = KINDS[kind]
        self.ran = []
        self.told = False  # that it was given up

    def life(self):
        """Live from one boot to the next one; return whether there is a next one."""
        record = BootRecord(ROOT)
        found = particle_boot.choose(record)
        if found is None:
            self.ran.append(None)
            return False
        slot, trial, floor = found
        # what the files say, not the record: that is what would run
        version = particle_boot.check(ROOT + ("/a", "/b")[slot], None, True)[0]
        self.ran.append(version)
        if trial:
            if self.good:
                record.confirm(floor)
            return not self.good
        if record.flags & ROLLED_BACK:
            self.told = True
            return False
        if version != 1:
            return False
        self.update()
        return True

    def switched_on(self):
        """Forget what is forgotten without power."""

    def powered(self, flash):
        """Take the flash of a boot."""

    def target(self):
        """Return what takes the update, None when nothing does now."""
        return AppSlots(ROOT, None, ABOUT, KEYS, 12, user_slots(12))

    @staticmethod
    def fresh():
        """Return the flash of a board with version 1, and an older one in its other slot."""
        particle_boot.same = particle_files.same
        flash = RamFlash({}, blocks=BLOCKS)
        mount(flash)
        digest = install(ROOT + "/a", 1)
        install(ROOT + "/b", 0)
        kept(digest)
        umount()
        return flash.data

    def update(self):
        """Take the update; the cloud sends what is missing, as often as it takes."""
        image = self.image
        target = self.target()
        if target is None:
            return
        sha = hashlib.sha256(image).digest()
        stored = drive(target.begin(len(image), sha, self.function))
        for at in range(stored, len(image), _CHUNK):
            drive(target.write(image[at : at + _CHUNK]) or iter(()))
        drive(target.verify())
        target.finish()


class Spoiled(Story):
    """The other slot has all of the update, not handed over, and files that are not of it."""

    odd = ("app.mpy", "lib/other.py")

    def life(self):
        more = super().life()
        if self.ran[-1] == 2:
            found = set(tree(ROOT + "/b"))
            assert found == {"manifest"}.union(_FILES), found
        return more

    @classmethod
    def fresh(cls):
        data = Story.fresh()
        mount(RamFlash(data, blocks=BLOCKS))
        target = AppSlots(ROOT, None, ABOUT, KEYS, 12, user_slots(12))
        drive(target.begin(len(IMAGE), hashlib.sha256(IMAGE).digest(), 5))
        for at in range(0, len(IMAGE), _CHUNK):
            drive(target.write(IMAGE[at : at + _CHUNK]) or iter(()))
        drive(target.verify())
        for name in cls.odd:
            put(ROOT + "/b/" + name, b"print(3)\n")
        umount()
        return data


KINDS["spoiled"] = (True, IMAGE)
STORIES["spoiled"] = Spoiled


def run(story, data, cut=0, tear=0):
    """Live until the power fails in operation `cut` of the flash; return how many there were.

    That is fewer than `cut` when the story was over before.
    """
    operations = 0
    more = True
    story.switched_on()
    for _ in range(_LIVES):
        flash = RamFlash(data, blocks=BLOCKS)
        story.powered(flash)
        try:
            mount(flash)
            flash.operations = operations
            flash._cut = cut
            flash._tear = tear
            more = story.life()
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


def _settled(story, data, where):
    # without a further cut
    run(story, data)
    wanted = 2 if story.good else 1
    assert set(story.ran) <= {1, 2} and story.ran[-1] == wanted, (where, story.ran)
    assert story.good or story.told, (where, story.ran)


def every(kind, step=1, first=0):
    """Cut at every `step`-th place, beginning with `first`; return how often the power failed."""
    make = STORIES.get(kind, Story)
    base = make.fresh()
    total = run(make(kind), _copy(base))
    cuts = 0
    at = first
    for tear in range(TEARS):
        for cut in range(1, total + 1):
            at += 1
            story = make(kind)
            data = _copy(base)
            if at % step == 0:
                assert run(story, data, cut, tear) == cut
                cuts += 1
                _settled(story, _copy(data), (cut, tear))
            # and again, in what follows
            for again in range(1, total + 1):
                at += 1
                if at % step:
                    continue
                once = _copy(base)
                story = make(kind)
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
    for kind in sys.argv[1:] or sorted(KINDS):
        cuts = every(kind)
        print("%s: %d cuts, always the old or the new one" % (kind, cuts))


if __name__ == "__main__":
    main()
