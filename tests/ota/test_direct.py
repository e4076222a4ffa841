"""An update that is unpacked while it arrives: resets, damage, refusals, what is written.

With MicroPython also on littlefs whose power fails.
"""

import hashlib
import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

from bundles import ABOUT, bundle, packed, public, tree, wrapped
from particle.errors import UpdateError
from particle.ota.app_slots import AppSlots
from particle.ota.bootrecord import BootRecord
from particle.wire.module import user_slots
from slot_files import install
from support import drive, folder, raises, rng

if sys.platform == "qemu":
    vfs = None  # no room for a second flash in memory
if vfs:
    from ram_flash import Counted, RamFlash, mount, umount

CHUNK = 512
FILES = {
    "app.mpy": bytes([i * i >> 5 & 255 for i in range(9000)]),
    "empty": b"",
    "lib/one.mpy": b"one" * 400,
    "lib/two.mpy": b"second" * 1500,
}
IMAGE = wrapped(bundle(files=FILES))
_HEAD = 40  # bytes of a record in front of what is kept


def target(root):
    return AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12))


def begin(slots, image=IMAGE, function=5):
    return drive(slots.begin(len(image), hashlib.sha256(image).digest(), function))


def send(slots, image=IMAGE, to=None, step=CHUNK):
    while slots.stored < (len(image) if to is None else to):
        work = slots.write(image[slots.stored : slots.stored + step])
        if work:
            drive(work)


def finish(slots, root, files=None):
    drive(slots.verify())
    assert slots.finish() == root + "/b"
    found = tree(root + "/b")
    assert hashlib.sha256(found.pop("manifest")).digest() == BootRecord(root).digest
    assert found == (FILES if files is None else files)
    assert not [name for name in os.listdir(root) if name.startswith("stage")]


def place():
    root = folder("direct")
    install(root + "/a", 1)
    return root


def reset(slots, root):
    slots._close()  # a reset keeps less; that is tried on littlefs
    return target(root)


def test_pieces_of_any_size():
    for step in (24, 100, 1136, len(IMAGE)):
        root = place()
        slots = target(root)
        assert begin(slots) == 0
        send(slots, step=step)
        assert not {"stage.img", "stage.rec"} & set(os.listdir(root))
        finish(slots, root)


def test_goes_on_after_a_lost_connection():
    root = place()
    slots = target(root)
    for at in (3, 11, 30):
        begin(slots)
        send(slots, to=at * CHUNK)
        slots.pause()
        assert begin(slots) == at * CHUNK
    send(slots)
    drive(slots.verify())
    slots.pause()  # the last answer was lost
    assert begin(slots) == len(IMAGE)
    finish(slots, root)


def test_goes_on_while_the_signature_is_checked():
    root = place()
    slots = target(root)
    begin(slots)
    work = None
    while not work:
        work = slots.write(IMAGE[slots.stored : slots.stored + CHUNK])
    next(work)
    slots.pause()
    assert begin(slots) == slots.stored > 0
    send(slots)
    finish(slots, root)


def test_goes_on_after_a_reset_anywhere():
    random = rng(5)
    for at in (1, 300, 900, 1100, 5000, 9900, 12000, 19000, len(IMAGE)):
        root = place()
        slots = target(root)
        begin(slots)
        send(slots, to=at)
        sent = slots.stored
        slots = reset(slots, root)
        had = begin(slots)
        assert had <= sent and slots.resumed == (had > 0)
        assert sent - had < 1200 + CHUNK  # a prefix and a suffix, at most
        send(slots, step=24 + random(1)[0])
        finish(slots, root)


def test_goes_on_behind_the_last_check():
    root = place()
    slots = target(root)
    begin(slots)
    send(slots)
    drive(slots.verify())
    slots = reset(slots, root)
    assert len(IMAGE) - 60 < begin(slots) < len(IMAGE)
    send(slots)
    finish(slots, root)


def test_damage_begins_anew():
    for name, at in (
        ("stage.head", 1),
        ("stage.head", 39),
        ("stage.head", _HEAD + 3),
        ("stage.head", _HEAD + 60),
        ("b/manifest.new", 30),
        ("b/app.mpy", 8999),
        ("b/lib/two.mpy", 10),
    ):
        root = place()
        slots = target(root)
        begin(slots)
        send(slots, to=len(IMAGE) - 3000)
        slots._close()
        with open(root + "/" + name, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes((byte[0] ^ 1,)))
        slots = target(root)
        # a partial file may be found wrong at its end only; of a slot only the head is believed
        had = begin(slots)
        if name == "b/manifest.new":
            assert 0 < had < 1200
        elif "two" not in name:
            assert had == 0, name
        try:
            send(slots)
        except UpdateError as e:
            assert "two" in name and e.errno == -1330
            assert raises(UpdateError, begin, slots).errno == -1330
            assert begin(slots) == 0
            send(slots)
        finish(slots, root)


def test_another_file_begins_anew():
    root = place()
    slots = target(root)
    begin(slots)
    send(slots, to=12000)
    slots = reset(slots, root)
    files = {"app.mpy": bytes(9000), "other": b"x"}
    other = wrapped(bundle(files=files, version=8))
    assert begin(slots, other) == 0
    send(slots, other)
    finish(slots, root, files)


def test_without_a_sha_nothing_is_kept():
    root = place()
    slots = target(root)
    assert drive(slots.begin(len(IMAGE), None, None)) == 0
    send(slots, to=9000)
    slots.pause()
    assert drive(slots.begin(len(IMAGE), None, None)) == 0
    send(slots)
    finish(slots, root)


def test_what_is_compressed_waits_in_a_file():
    image = packed(IMAGE)
    root = place()
    slots = target(root)
    begin(slots, image)
    send(slots, image, to=6000)
    assert "stage.img" in os.listdir(root)
    slots = reset(slots, root)
    assert begin(slots, image) > 5000
    send(slots, image)
    finish(slots, root)


def test_a_bundle_that_is_deflated_is_unpacked_at_its_end():
    from bundles import deflated

    content = deflated(b"".join([FILES[name] for name in sorted(FILES)]))
    image = wrapped(bundle(files=FILES, content=content, window=10))
    root = place()
    slots = target(root)
    begin(slots, image)
    send(slots, image, to=9000)
    slots = reset(slots, root)
    assert begin(slots, image) > 8000
    send(slots, image)
    finish(slots, root)


def test_refused_while_it_comes_and_told_at_the_next_start():
    for bad, code in (
        (wrapped(bundle(files=FILES, board="X")), -1360),
        (wrapped(bundle(files=FILES, kind=0)), -1320),
        (wrapped(bundle(files=FILES, version=4, floor=4)), -1320),
        (wrapped(bundle(files=FILES), platform=13), -1360),
        (wrapped(b"no bundle" * 999), -1370),
    ):
        root = place()
        install(root + "/b", 0)
        record = BootRecord(root)
        record.floor = 5
        record.save()
        before = tree(root)
        slots = target(root)
        assert begin(slots, bad) == 0
        error = raises(UpdateError, send, slots, bad)
        assert error.errno == code
        assert slots.stored < 3 * CHUNK
        again = raises(UpdateError, begin, slots, bad)
        assert (again.errno, again.text) == (code, error.text)
        # the application in the other slot is as it was, and so is everything else
        assert tree(root) == before
        # it is not held against it for ever: there may be another key now
        assert begin(slots, bad) == 0
        slots.discard()


def test_sha_that_does_not_match():
    root = place()
    slots = target(root)
    drive(slots.begin(len(IMAGE), bytes(32), 5))
    send(slots)
    assert raises(UpdateError, drive, slots.verify()).errno == -1330
    assert tree(root + "/b") == {}
    slots = target(root)
    begin(slots)
    send(slots, to=len(IMAGE) - 10, step=10)
    assert raises(UpdateError, drive, slots.verify()).errno == -1330


def test_more_than_there_is_room_for():
    root = place()
    install(root + "/b", 0)
    slots = target(root)
    before = tree(root)
    error = raises(UpdateError, drive, slots.begin(1 << 60, bytes(32), 5))
    assert error.errno == -1351 and "no room" in error.text
    assert tree(root) == before


def test_discarded():
    root = place()
    slots = target(root)
    begin(slots)
    send(slots, to=9000)
    slots.discard()
    assert begin(slots) == 0
    assert tree(root + "/b") == {}
    send(slots)
    finish(slots, root)


def _board(blocks=80):
    flash = Counted(blocks=blocks)
    mount(flash)
    install("/cut/pt/a", 1)
    return flash


def test_resets_after_every_ten_chunks():
    if not vfs:
        return
    # something stays each time, and it comes to its end
    for first in (10, 3, 17):
        flash = _board()
        data = flash.data
        umount()
        had = -1
        count = first
        while True:
            flash = RamFlash(data, blocks=80)
            mount(flash)
            try:
                slots = target("/cut/pt")
                stored = begin(slots)
                assert stored > had
                had = stored
                send(slots, to=min(len(IMAGE), had + count * CHUNK))
                count = 10
                if slots.stored == len(IMAGE):
                    finish(slots, "/cut/pt")
                    break
            finally:
                flash._dead = True  # the power fails
                umount()


def test_bytes_written():
    if not vfs:
        return
    # the ceiling for it: what comes is written once, where it belongs
    small = sys.maxsize < 1 << 32  # a heap of 1 MB
    image = wrapped(bundle(files={"app.mpy": bytes(60000 if small else 180000)}))
    flash = _board(80)
    try:
        before = flash.written
        slots = target("/cut/pt")
        begin(slots, image)
        send(slots, image)
        drive(slots.verify())
        slots.finish()
        written = flash.written - before
    finally:
        umount()
    # what entries of a folder take does not grow with it; 1.048 at 180 kB
    assert written <= 1.02 * len(image) + 5000, written / len(image)
