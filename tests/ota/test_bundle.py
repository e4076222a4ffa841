"""Bundles that arrive: good ones in any pieces, and every kind that must not be taken."""

import hashlib
import os
import struct
import sys

import bundles
from bundles import ABOUT, FILES, SECRET, deflated, hexed, lines, packed, public, tree, wrapped
from particle.errors import UpdateError
from particle.ota import bundle as unpacking
from particle.ota.signed import keys
from particle.ota.slots import clear
from particle.wire.module import user_slots
from support import folder, raises
from unpacked import unpack

_SLOW = sys.platform == "qemu"
_verify = unpacking.verify


def bundle(*args, **facts):
    """Return a bundle; what is not about signatures is not slowed by them."""
    return bundles.bundle(*args, real=False, **facts)


def signed(**facts):
    """Return a bundle with a signature."""
    return bundles.bundle(**facts)


def _believe(kind, key, signature, digest):
    yield
    return signature == bytes(64) or (yield from _verify(kind, key, signature, digest))


def run(steps):
    """Drive a generator, or a bundle, that takes zeros for a signature; return its value."""
    unpacking.verify = _believe
    try:
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value
    finally:
        unpacking.verify = _verify


def slot():
    return folder("ota") + "/a"


def install(data, step=0, path=None, **options):
    """Unpack a bundle fed in pieces; return the slot's files."""
    path = path or slot()
    run(_install(data, step or len(data), path, options.pop("keys", [public()]), options))
    return tree(path)


def _install(data, step, path, keys, options):
    b = bundles.unpacking(path, dict(ABOUT), keys, **options)
    try:
        for at in range(0, len(data), step):
            b.feed(data[at : at + step])
            while b.busy():
                yield
                b.step()
        b.finish()
        while b.busy():
            yield
            b.step()
    finally:
        b.close()


def refused(data, **options):
    """Return number and text of the refusal; the slot must not be bootable then."""
    path = slot()
    error = raises(UpdateError, lambda: install(data, 100, path, **options))
    assert error.stage == "update"
    assert "manifest" not in tree(path)
    return error.errno, error.text


def test_a_good_bundle_in_any_pieces():
    data = signed()
    head = data[: len(data) - sum([len(content) for content in FILES.values()])]
    wanted = dict(FILES)
    wanted["manifest"] = head
    for step in (0, 61) if _SLOW else (0, 1, 7, 512):
        assert install(data, step) == wanted, step


def test_what_comes_while_the_signature_is_checked_waits():
    path = slot()
    data = signed()
    b = bundles.unpacking(path, ABOUT, [public()])
    for at in range(0, len(data), 64):
        b.feed(data[at : at + 64])
    assert b.busy() and tree(path) == {}
    assert raises(UpdateError, b.finish).errno == -210
    count = 0
    while b.busy():
        b.step()
        count += 1
    assert count > 50  # the signature, in slices
    b.finish()
    while b.busy():
        b.step()
    assert len(tree(path)) == len(FILES) + 1


def test_content_that_is_deflated():
    content = b"".join([FILES[name] for name in sorted(FILES)])
    found = install(bundle(content=deflated(content), window=10), 50)
    assert {name: found[name] for name in FILES} == FILES and "content" not in found
    # a bomb, and a stream that ends early or is damaged
    assert refused(bundle(content=deflated(content + b"x"), window=10))[0] == -1370
    assert refused(bundle(content=deflated(content[:-1]), window=10))[0] == -1370
    assert refused(bundle(content=deflated(content)[:-1], window=10))[0] == -1370
    assert refused(bundle(content=b"\x07" + deflated(content), window=10))[0] == -1370
    changed = b"X" + content[1:]
    assert refused(bundle(content=deflated(changed), window=10))[0] == -1330
    assert refused(bundle(content=deflated(content), window=15))[0] == -1310
    assert refused(bundle(content=deflated(content), window=12), room=100)[0] == -1351


def test_a_delta():
    active = slot()
    install(bundle(), path=active)
    before = hexed(hashlib.sha256(lines()).digest())
    files = {"main.mpy": b"other"}
    kept = {name: data for name, data in FILES.items() if name != "main.mpy"}
    data = bundle(files=files, kept=kept, delta_from=before, version=8)
    path = active[:-1] + "b"
    found = install(data, 99, path, active=active)
    wanted = dict(FILES)
    wanted["main.mpy"] = b"other"
    assert {name: found[name] for name in wanted} == wanted
    # a delta to what is not there, or not as it was
    for where in (None, "/nowhere", path):
        assert refused_beside(data, where)[0] == -1340
    with open(active + "/lib/valve.mpy", "wb") as file:
        file.write(b"edited by hand")
    assert "whole bundle" in refused_beside(data, active)[1]
    assert refused_beside(bundle(files=files, kept=kept), active)[0] == -1370


def refused_beside(data, active):
    path = folder("ota2") + "/b"
    error = raises(UpdateError, lambda: install(data, 0, path, active=active))
    assert "manifest" not in tree(path)
    return error.errno, error.text


def test_whose_bundle():
    good = signed()
    code, text = refused(signed(kind=0))
    assert code == -1320 and "not signed" in text
    code, text = refused(good, keys=[])
    assert code == -1320 and "firmware keys" in text
    other = public(SECRET - 2)
    code, text = refused(good, keys=[other])
    assert code == -1320 and "unknown key" in text
    assert "manifest" in install(good, keys=[other, public()])  # the second of two
    at = good.find(b"version 7") + 8
    code, text = refused(good[:at] + b"8" + good[at + 1 :])
    assert code == -1320 and "signature" in text
    for at in (24 + len(lines()), 24 + len(lines()) + 63):
        code, text = refused(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert code == -1320 and "signature" in text
    code, text = refused(good[:7] + b"\x02" + good[8:])
    assert code == -1320 and "RSA" in text  # the key is of another kind


def test_for_which_board():
    for key, value in (("board", "OTHER"), ("platform", 13), ("product", 4321)):
        code, text = refused(bundle(**{key: value}))
        assert code == -1360 and str(value) in text
    for abi in (5, 2822 | 1 << 10, 6 | 3 << 8):
        assert refused(bundle(abi=abi))[0] == -1360, abi
    assert "manifest" in install(bundle(abi=2822))
    code, text = refused(bundle(client=65537))
    assert code == -1340 and "client" in text


def test_floor_and_room():
    assert "manifest" in install(bundle(), floor=7)
    code, text = refused(bundle(), floor=8)
    assert code == -1320 and "version 7 is below the security floor 8" in text
    assert refused(bundle(floor=8))[0] == -1370
    total = sum([len(data) for data in FILES.values()])
    assert "manifest" in install(bundle(), room=total)
    assert refused(bundle(), room=total - 1)[0] == -1351


def test_paths_that_leave_the_slot():
    for path in (
        "../evil",
        "a/../../evil",
        "/etc/passwd",
        "/flash/main.py",
        "..",
        ".",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "C:evil",
        "a\x01b",
        "a\x7fb",
        "manifest",
        "manifest.new",
        "content",
        "x" * 129,
        "/".join("abcdefghi"),
    ):
        code, text = refused(bundle(files={path: b"x"}))
        assert code == -1370 and "path" in text, path
    assert refused(bundle(text=lines().replace(b"main.mpy", b"main.m\xff\xfe")))[0] == -1370
    deep = "/".join("abcdefg") + "/manifest"
    assert deep in install(bundle(files={deep: b"x"}))


def test_files_that_are_there_twice():
    text = lines()
    last = text[text.rfind(b"file") :]
    for bad in (text + last, text + last.replace(b"main", b"aain")):
        code, text = refused(bundle(text=bad))
        assert code == -1370 and "twice" in text


def test_too_many_files():
    line = "file 0 " + hexed(hashlib.sha256(b"").digest()) + " f%05d\n"
    head = lines(files={})
    text = head + b"".join([(line % i).encode() for i in range(257)])
    code, why = refused(bundle(text=text, content=b""))
    assert code == -1370 and "256 files" in why
    if not _SLOW:
        assert len(install(bundle(text=text[: text.rfind(b"file")], content=b""), 4096)) == 257
    # ten thousand do not even fit what a manifest may have
    size = 10000 * len(line)
    good = bundle()
    code, why = refused(good[:16] + struct.pack("<I", size) + good[20:])
    assert code == -1370 and "manifest of %d bytes" % size in why


def test_manifests_that_make_no_sense():
    text = lines()
    for bad in (
        text[:-1],
        b"\n" + text,
        text.replace(b"format 1\n", b""),
        text.replace(b"format 1", b"format 2"),
        text.replace(b"format 1", b"format x"),
        text.replace(b"version 7", b"version -7"),
        text.replace(b"version 7", b"version 99999999999999999999"),
        text.replace(b"version 7\n", b""),
        text.replace(b"version 7\n", b"version 7\nversion 7\n"),
        text + b"version 7\n",
        text.replace(b"file 160", b"file "),
        text.replace(b"file 160 ", b"file 160 00"),
        text + b"x" * 300 + b"\n",
        lines(files={}),
        lines(delta_from="00" * 32),
    ):
        assert refused(bundle(text=bad))[0] in (-1370, -1310), bad
    assert "manifest" in install(bundle(text=text.replace(b"file 0", b"news 1\nfile 0", 1)))
    huge = text.replace(b"file 160 ", b"file 268435456 ")
    assert refused(bundle(text=huge))[0] == -1351


def test_assets_that_make_no_sense():
    digest = hexed(hashlib.sha256(b"cat").digest())
    for bad in ("../cat", "a/b", "", "..", "manifest"):
        assert refused(bundle(text=with_assets("asset %s %s\n" % (digest, bad))))[0] == -1370
    assert refused(bundle(text=with_assets("asset 00 cat\n")))[0] == -1370
    line = "asset %s cat\n" % digest
    assert "manifest" in install(bundle(text=with_assets(line * 16)))
    assert refused(bundle(text=with_assets(line * 17)))[0] == -1370


def with_assets(more):
    return lines().replace(b"client 65536\n", b"client 65536\n" + more.encode())


def test_headers_that_make_no_sense():
    good = bundle()
    for at, value in ((0, 0), (4, 2), (5, 2), (5, 1), (6, 10), (6, 7), (7, 3), (18, 1), (16, 0)):
        code, _ = refused(good[:at] + bytes([value]) + good[at + 1 :])
        assert code in (-1370, -1310, -1320), at
    code, _ = refused(good[:23] + b"\x7f" + good[24:])
    assert code == -1351


def test_contents_that_do_not_fit():
    good = bundle()
    assert refused(good[:-1])[0] == -1351
    assert refused(good + b"x")[0] == -1370
    assert refused(good[:-1] + b"x")[0] == -1330
    content = b"".join([FILES[name] for name in sorted(FILES)])
    assert refused(bundle(content=content + b"x"))[0] == -1370
    assert refused(bundle(content=content[:-1]))[0] == -1370


def test_a_slot_is_cleared_with_its_manifest_first():
    path = slot()
    install(bundle(), path=path)
    steps = clear(path)
    next(steps)
    assert "manifest" not in tree(path)
    for _ in steps:
        pass
    assert os.listdir(path) == []
    assert list(clear(path + "/nowhere")) == []


def test_keys_of_a_board():
    class Store:
        files = {"update.1.der": b"second"}

        def read(self, name):
            return self.files.get(name)

    class Board:
        pass

    assert keys(Board, Store()) == [b"second"]
    Board.UPDATE_KEYS = (b"frozen",)
    assert keys(Board, Store()) == [b"frozen"]


def stored(data):
    """Unpack a stored image; return the module and the slot's files."""
    root = folder("ota")
    with open(root + "/image", "wb") as file:
        file.write(data)
    b = bundles.unpacking(root + "/a", ABOUT, [public()])
    found = run(unpack(root + "/image", len(data), b, 12, user_slots(12)))
    return found, tree(root + "/a")


def test_a_stored_image():
    module, files = stored(wrapped(bundle()))
    assert module.function == 5 and module.product_version == 7
    assert {name: files[name] for name in FILES} == FILES
    module, files = stored(packed(wrapped(bundle())))
    assert not module.packed and "manifest" in files


def test_the_assets_of_an_image_are_those_that_were_signed():
    digest = hexed(hashlib.sha256(b"cat").digest())
    data = wrapped(bundle(text=with_assets("asset %s cat.txt\n" % digest)))
    assert raises(UpdateError, stored, data).errno == -1320  # the module names none


def test_stored_images_that_are_no_application():
    inner = wrapped(bundle())

    def code(data):
        return raises(UpdateError, stored, data).errno

    assert code(wrapped(bundle(), platform=13)) == -1360
    assert code(inner[:-1] + b"x") == -1330
    assert code(inner[:-1]) == -1300
    assert code(wrapped(b"no bundle" * 9)) == -1370
    assert code(b"x" * 100) == -1300
    assert code(packed(inner[:-1] + b"x")) == -1330
    assert code(packed(inner, bits=0)) == -1310  # 32 kB to inflate it
    assert code(packed(inner, size=len(inner) - 1)) == -1300
    assert code(packed(inner + b"bomb", size=len(inner))) == -1370
    assert code(packed(inner, size=1 << 25)) == -1370
    assert code(packed(packed(inner))) == -1370
