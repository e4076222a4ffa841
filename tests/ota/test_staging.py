"""The file that an image waits in: resets, damage, room, what is written (ota-and-boot 4.7).

With MicroPython also on littlefs whose power fails.
"""

import hashlib
import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

from particle.errors import UpdateError
from particle.ota import staging
from particle.ota.staging import edge
from particle.wire.module import Refused
from support import drive, folder, raises

if sys.platform == "qemu":
    vfs = None  # no room for a second flash in memory
if vfs:
    from ram_flash import Counted, Cut, RamFlash, mount, umount

IMAGE = bytes([i * i >> 5 & 255 for i in range(20000)])
SHA = hashlib.sha256(IMAGE).digest()
CHUNK = 512


_opened = []


class Staging(staging.Staging):
    """A target; the files of earlier ones are closed.

    A file that is left to the collector of garbage breaks a board whose flash is made in Python.
    """

    def __init__(self, *args):
        while _opened:
            _opened.pop()._close()
        super().__init__(*args)
        if not args[0].startswith("/cut"):
            _opened.append(self)


def begin(target, image=IMAGE, sha=SHA):
    return drive(target.begin(len(image), sha, 5))


def fill(target, image=IMAGE, to=None):
    at = target.stored
    while at < (len(image) if to is None else to):
        target.write(memoryview(image)[at : at + CHUNK])
        at += CHUNK


def content(target):
    with open(target.path, "rb") as f:
        return f.read()


def names(root):
    return sorted(os.listdir(root))


def test_a_whole_image():
    root = folder("staging")
    target = Staging(root)
    assert begin(target) == 0
    fill(target)
    assert target.stored == len(IMAGE)
    drive(target.verify())
    assert target.finish() == root + "/update.img"
    assert content(target) == IMAGE and "update.img" in names(root)
    # the next one takes its place
    assert begin(target, IMAGE[:700], hashlib.sha256(IMAGE[:700]).digest()) == 0
    fill(target, IMAGE[:700])
    drive(target.verify())
    target.finish()
    assert content(target) == IMAGE[:700]


def test_goes_on_after_a_lost_connection():
    target = Staging(folder("staging"))
    begin(target)
    fill(target, to=3 * CHUNK)
    target.pause()
    assert begin(target) == 3 * CHUNK
    fill(target)
    drive(target.verify())
    # also when the last answer was lost
    target.pause()
    assert begin(target) == len(IMAGE)
    drive(target.verify())
    target.finish()
    assert content(target) == IMAGE


def test_goes_on_after_a_reset():
    root = folder("staging")
    target = Staging(root)
    begin(target)
    fill(target, to=9 * CHUNK)
    target._file.close()  # what the interpreter does at a soft reset
    target = Staging(root)
    assert begin(target) == 9 * CHUNK
    assert target.resumed
    fill(target)
    drive(target.verify())
    target.finish()
    assert content(target) == IMAGE


def test_another_file_begins_anew():
    root = folder("staging")
    for size, sha in ((len(IMAGE), bytes(32)), (len(IMAGE) - 1, SHA), (len(IMAGE), None)):
        target = Staging(root)
        begin(target)
        fill(target, to=20 * CHUNK)
        target._file.close()
        target = Staging(root)
        assert drive(target.begin(size, sha, 5)) == 0
        target.discard()
    assert names(root) == []


def test_stored_part_that_was_damaged_begins_anew():
    root = folder("staging")
    there = 36 * CHUNK  # more than the 16 KiB after which there is a checksum
    for at, record, good in (
        (0, False, 0),
        (16000, False, 0),
        (there - 1, False, there),  # behind it: the end will tell
        (46, True, 0),
        (10, True, 0),
        (2, True, 0),
    ):
        target = Staging(root)
        begin(target)
        fill(target, to=there)
        target._file.close()
        path = root + ("/stage.rec" if record else "/stage.img")
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 1]))
        target = Staging(root)
        assert begin(target) == good, at
        target.discard()


def test_damage_behind_the_last_record_is_found_at_the_end():
    root = folder("staging")
    target = Staging(root)
    begin(target)
    fill(target, to=20 * CHUNK)
    target._file.close()
    with open(root + "/stage.img", "r+b") as f:
        f.seek(20 * CHUNK - 1)
        f.write(b"?")
    target = Staging(root)
    assert begin(target) == 20 * CHUNK
    fill(target)
    assert raises(UpdateError, drive, target.verify()).args[0] == -1331
    # it is forgotten, or it would never succeed
    assert names(root) == [] and begin(target) == 0


def test_sha_that_does_not_match():
    root = folder("staging")
    target = Staging(root)
    begin(target)
    fill(target, bytes(len(IMAGE)))
    assert raises(UpdateError, drive, target.verify()).args[0] == -1330
    assert names(root) == []


def test_incomplete():
    target = Staging(folder("staging"))
    begin(target)
    fill(target, to=CHUNK)
    assert raises(UpdateError, drive, target.verify()).args[0] == -1330


class Image:
    """What checks an image: refuses early, at the end, or not."""

    text = "another board"

    def __init__(self, early=0, late=0):
        self.fed = b""
        self._early = early
        self._late = late

    def feed(self, data):
        self.fed += bytes(data)
        if self._early and len(self.fed) >= 1024:
            raise Refused(self._early, "no module")

    def finish(self):
        return self._late


def test_image_is_checked():
    for early, late in ((-1300, 0), (0, -1360)):
        image = Image(early, late)
        target = Staging(folder("staging"), lambda size, function, image=image: image)
        begin(target)
        fill(target)
        error = raises(UpdateError, drive, target.verify())
        assert error.args[0] == early or late
        assert error.text in ("no module", "another board")
        assert begin(target) == 0
    made = []

    def make(size, function):
        made.append((size, function, Image()))
        return made[-1][2]

    target = Staging(folder("staging"), make)
    begin(target)
    fill(target)
    drive(target.verify())
    assert made[0][:2] == (len(IMAGE), 5) and made[0][2].fed == IMAGE


def test_without_a_sha_nothing_is_kept():
    root = folder("staging")
    target = Staging(root)
    begin(target, sha=None)
    fill(target, to=20 * CHUNK)
    target.pause()
    assert names(root) == []
    begin(target, sha=None)
    fill(target)
    drive(target.verify())
    target.finish()
    assert content(target) == IMAGE


def test_more_than_there_is_room_for():
    target = Staging(folder("staging"))
    error = raises(UpdateError, drive, target.begin(1 << 60, SHA, 5))
    assert error.args[0] == -1351 and "no room" in error.text


def test_folder_that_does_not_exist_yet():
    root = folder("staging") + "/new"
    target = Staging(root)
    begin(target)
    fill(target)
    drive(target.verify())
    target.finish()
    assert content(target) == IMAGE


def test_blocks_of_a_file():
    # every block but the first begins with pointers of 4 bytes, as many as its number is often
    # divisible by two, plus one
    total = 0
    for n in range(1, 70):
        block = n - 1
        pointers = 0
        if block:
            pointers = 1
            while not block & 1:
                pointers += 1
                block >>= 1
        total += 4096 - 4 * pointers
        assert edge(n, 4096) == total


def update(flash, image, sha):
    """Take a whole update on a mounted flash; return it."""
    mount(flash)
    try:
        target = Staging("/cut/pt")
        drive(target.begin(len(image), sha, 5))
        fill(target, image)
        drive(target.verify())
        target.finish()
        with open(target.path, "rb") as f:
            for at in range(0, len(image), CHUNK):  # a board has no room for two of them
                assert f.read(CHUNK) == image[at : at + CHUNK]
            assert not f.read(1)
    finally:
        umount()


def test_bytes_written():
    if not vfs:
        return
    # the ceiling for it: every block is written once, records are few
    for size in (100000, 200000):
        image = bytes(size)
        flash = Counted(blocks=80)
        mount(flash)
        umount()
        flash.written = 0
        update(flash, image, hashlib.sha256(image).digest())
        assert flash.written <= 1.05 * size, (size, flash.written / size)


def test_interrupted_after_every_ten_chunks():
    if not vfs:
        return
    # each time at least half of what came stays, and it comes to its end
    data = {}
    stored = -1
    boots = 0
    while True:
        flash = RamFlash(data, blocks=80)
        mount(flash)
        target = Staging("/cut/pt")
        had = begin(target)
        assert had > stored or had == stored == 0
        stored = had
        boots += 1
        try:
            fill(target, to=min(len(IMAGE), had + 10 * CHUNK))
            if target.stored == len(IMAGE):
                drive(target.verify())
                target.finish()
                assert content(target) == IMAGE
                break
        finally:
            flash._dead = True  # the power fails
            umount()
    assert boots <= 6


def test_cut_in_every_operation():
    if not vfs:
        return
    image = IMAGE[:9000]
    sha = hashlib.sha256(image).digest()
    for tear in range(4):
        cut = 0
        while True:
            cut += 1
            data = {}
            mount(RamFlash(data, blocks=80))
            umount()
            try:
                update(RamFlash(data, cut, tear, blocks=80), image, sha)
                break  # it was over before
            except Cut:
                pass
            mount(RamFlash(data, blocks=80))
            try:
                target = Staging("/cut/pt")
                if "pt" in os.listdir("/cut") and "update.img" in os.listdir("/cut/pt"):
                    assert content(target) == image
                had = begin(target, image, sha)
                assert had <= len(image)
                fill(target, image)
                drive(target.verify())
                target.finish()
                assert content(target) == image
            finally:
                umount()
    assert cut > 20
