"""Assets on a board: kept when an application needs them, whole, and told to the cloud."""

import os

from asset_files import asset, extension, install, sha
from bundles import bundle, hexed, lines, wrapped
from particle.errors import UpdateError
from particle.ota.app_slots import AppSlots
from particle.ota.assets import is_asset, keep, stored
from particle.wire.module import Image, user_slots
from support import drive, folder, raises

CAT = b"cat" * 700


def board(*needed):
    """Return a root where an application is installed that needs assets (name, content)."""
    root = folder("assets")
    extra = b"".join([extension(18, b"\x00\x20" + sha(data) + name) for name, data in needed])
    install(root, "module.a", extra)
    return root


def take(root, data):
    """Keep what is in an image; return the content of the file."""
    path = root + "/stage.img"
    with open(path, "wb") as file:
        file.write(data)
    assert is_asset(path)
    steps = keep(path, len(data), root)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            with open(done.value, "rb") as file:
                return file.read()


def refused(root, data):
    before = stored(root)
    error = raises(UpdateError, take, root, data)
    assert stored(root) == before
    return error.errno


def test_what_is_needed_is_kept():
    root = board((b"cat.txt", CAT), (b"dog.txt", b"dog"))
    assert stored(root) == []
    assert take(root, asset(b"cat.txt", CAT)) == CAT
    assert take(root, asset(b"dog.txt", b"dog", b"dog")) == b"dog"
    entries = [(sha(CAT), b"cat.txt", 2100), (sha(b"dog"), b"dog.txt", 3)]
    assert stored(root) == entries
    assert take(root, asset(b"cat.txt", CAT)) == CAT  # once more does no harm
    assert sorted(stored(root)) == sorted(entries)


def test_what_is_not_needed_is_refused():
    root = board((b"cat.txt", CAT))
    assert refused(root, asset(b"dog.txt", b"dog")) == -1320
    assert refused(root, asset(b"dog.txt", CAT)) == -1320
    assert refused(root, asset(b"cat.txt", b"dog")) == -1320
    assert refused(board(), asset(b"cat.txt", CAT)) == -1320
    os.remove(root + "/module.a")
    assert refused(root, asset(b"cat.txt", CAT)) == -1320


def test_what_is_not_what_it_says():
    root = board((b"cat.txt", CAT), (b"../evil", CAT))
    assert refused(root, asset(b"cat.txt", b"dog" * 700, digest=sha(CAT))) == -1330
    assert refused(root, asset(b"cat.txt", CAT, b"x" + CAT, digest=sha(CAT))) == -1330
    assert refused(root, asset(b"cat.txt", CAT + b"bomb", digest=sha(CAT), size=2100)) == -1330
    assert refused(root, asset(b"cat.txt", CAT[:-1], digest=sha(CAT), size=2100)) == -1330
    assert refused(root, asset(b"cat.txt", CAT, digest=sha(CAT), size=1 << 31)) == -1351
    assert refused(root, asset(b"cat.txt", CAT, bits=15)) == -1310
    assert refused(root, asset(b"cat.txt", CAT, bits=0)) == -1310
    assert refused(root, asset(b"../evil", CAT)) == -1370
    assert "evil" not in os.listdir(root)
    assert os.listdir(root + "/assets") == []


def test_what_no_application_needs_any_more_goes():
    root = board((b"cat.txt", CAT), (b"dog.txt", b"dog"))
    take(root, asset(b"cat.txt", CAT))
    take(root, asset(b"dog.txt", b"dog"))
    install(root, "module.a", extension(18, b"\x00\x20" + sha(b"new cat") + b"cat.txt"))
    assert take(root, asset(b"cat.txt", b"new cat")) == b"new cat"
    assert os.listdir(root + "/assets") == ["cat.txt"]
    # what the other slot's application needs stays
    install(root, "module.b", extension(18, b"\x00\x20" + sha(b"dog") + b"dog.txt"))
    take(root, asset(b"dog.txt", b"dog"))
    assert [name for _, name, _ in stored(root)] == [b"cat.txt", b"dog.txt"]


def test_a_damaged_list_or_file_counts_as_missing():
    root = board((b"cat.txt", CAT))
    take(root, asset(b"cat.txt", CAT))
    with open(root + "/assets.lst", "rb") as file:
        good = file.read()
    for bad in (b"", good[:-1], good[:3] + b"x" + good[4:]):
        with open(root + "/assets.lst", "wb") as file:
            file.write(bad)
        assert stored(root) == []
    with open(root + "/assets.lst", "wb") as file:
        file.write(good)
    assert len(stored(root)) == 1
    with open(root + "/assets/cat.txt", "wb") as file:
        file.write(b"short")
    assert stored(root) == []
    os.remove(root + "/assets/cat.txt")
    assert stored(root) == []


def test_an_application_is_no_asset():
    root = folder("assets")
    text = lines().replace(b"client", b"asset %s cat\nclient" % hexed(sha(CAT)).encode())
    with open(root + "/stage.img", "wb") as file:
        file.write(wrapped(bundle(text=text)))
    assert not is_asset(root + "/stage.img")


def test_the_target_of_updates_keeps_assets_without_a_reset():
    root = board((b"cat.txt", CAT))
    target = AppSlots(root, lambda size, kind: Image(size), {}, [], 12, user_slots(12))
    for data in (asset(b"cat.txt", CAT), asset(b"dog.txt", b"dog")):
        drive(target.begin(len(data), sha(data), 9))
        target.write(data)
        if data.find(b"dog.txt") >= 0:
            assert raises(UpdateError, drive, target.verify()).errno == -1320
            assert "stage.img" not in os.listdir(root)
            continue
        drive(target.verify())
        assert not target.resets
        assert target.finish() == root + "/assets/cat.txt"
        assert "stage.img" not in os.listdir(root) and "boot.rec" not in os.listdir(root)
    assert [name for _, name, _ in stored(root)] == [b"cat.txt"]
