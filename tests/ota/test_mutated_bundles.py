"""Bundles that were changed anywhere, signed or not: refused with a number of Device OS, or taken
as they are; nothing is ever written outside the slot.
"""

import hashlib
import os
import struct

from bundles import ABOUT, FILES, bundle, deflated, lines, public, tree, unpacking, wrapped
from particle.errors import UpdateError
from particle.ota.app_slots import AppSlots
from particle.wire.manifest import Manifest
from particle.wire.module import Refused, recorded, user_slots
from support import drive, folder, raises, rng
from unpacked import unpack

_CODES = range(-1370, -1299)
_WORDS = (
    b"file",
    b"keep",
    b"asset",
    b"..",
    b"/",
    b"manifest",
    b" ",
    b"\n",
    b"\0",
    b"-1",
    b"9" * 30,
)


def number(random, limit):
    return struct.unpack("<I", random(4))[0] % limit


def changed(random, data, limit=0):
    """Change some bytes, take some away, put words in between."""
    data = bytearray(data)
    for _ in range(1 + random(1)[0] % 4):
        at = number(random, limit or len(data))
        kind = random(1)[0] % 4
        if kind == 0:
            data[at] = random(1)[0]
        elif kind == 1:
            data = data[:at] + data[at + 1 + random(1)[0] % 9 :]
        elif kind == 2:
            data = data[:at] + _WORDS[random(1)[0] % len(_WORDS)] + data[at:]
        else:
            end = number(random, len(data) - at) + at
            data = data[:end] + data[at:end] + data[end:]
        if len(data) < 2:
            break
    return bytes(data)


def install(image):
    """Unpack an image; return what is in the folder afterwards, and None or the number."""
    root = folder("mutated")
    with open(root + "/image", "wb") as file:
        file.write(image)
    b = unpacking(root + "/a", ABOUT, [public()])
    code = None
    try:
        for _ in unpack(root + "/image", len(image), b, 12, user_slots(12)):
            pass
    except UpdateError as error:
        code = error.errno
    assert set(os.listdir(root)) <= {"a", "a.head", "image"}
    return tree(root + "/a"), code


def arrive(image):
    """Unpack an image while it arrives; return as `install` does."""
    root = folder("mutated")
    slots = AppSlots(root, None, dict(ABOUT), [public()], 12, user_slots(12))
    code = None
    try:
        drive(slots.begin(len(image), hashlib.sha256(image).digest(), 5))
        for at in range(0, len(image), 512):
            drive(slots.write(image[at : at + 512]) or iter(()))
        drive(slots.verify())
    except UpdateError as error:
        code = error.errno
        assert not {"stage.head", "stage.img"} & set(os.listdir(root))
    assert set(os.listdir(root)) <= {"b", "module.b", "stage.head", "stage.img", "stage.rec"}
    return tree(root + "/b"), code


def check(image):
    """Install an image; it is complete, or refused and not bootable. Tell which."""
    files, code = install(image)
    found, other = arrive(image)
    assert (code is None) == (other is None), (code, other)
    if code is None:
        assert "manifest" in files and found == files
        return True
    # -219: a path that the file system of this computer cannot take
    for each in (code, other):
        assert each in _CODES or each == -219, each
    assert "manifest" not in files and not found
    return False


def signed_nonsense(seed, rounds):
    """Sign manifests that make little sense; tell how many were taken all the same."""
    random = rng(seed)
    text = lines(delta_from=None)
    content = b"".join([FILES[name] for name in sorted(FILES)])
    taken = 0
    for i in range(rounds):
        wrong = changed(random, text)
        if not 0 < len(wrong) < 32768:
            continue
        squeezed = deflated(content) if i & 1 else content
        taken += check(wrapped(bundle(text=wrong, content=squeezed, window=10 if i & 1 else 0)))
    return taken


def unsigned_nonsense(seed, rounds):
    """Change images anywhere, under checksums that are right or wrong."""
    random = rng(seed)
    good = bundle()
    image = wrapped(good)
    head = 24 + len(lines()) + 64
    for i in range(rounds):
        if i & 1:
            # what was changed may be as before: twice the same byte
            wrong = wrapped(changed(random, good, head)) if i & 2 else changed(random, image)
            assert check(wrong) == (wrong == image)
        else:
            data = bytearray(good)
            data[number(random, head)] ^= 1 << random(1)[0] % 8
            assert not check(wrapped(bytes(data)))


def lines_of_nonsense(seed, rounds):
    """Feed lines to a manifest without anything around it."""
    random = rng(seed)
    text = lines(kept={"zz": b"kept"}, delta_from="00" * 32)
    for _ in range(rounds):
        m = Manifest()
        try:
            for line in changed(random, text).split(b"\n"):
                m.line(line + b"\n")
            m.check(ABOUT, 0, None)
        except Refused as error:
            assert error.code in _CODES


def records_of_nonsense(seed, rounds):
    """Records of modules: read, or refused."""
    random = rng(seed)
    for _ in range(rounds):
        data = random(random(1)[0])
        try:
            recorded(data).assets()
        except ValueError:
            pass


def test_signed_nonsense():
    signed_nonsense(1, 12)


def test_unsigned_nonsense():
    unsigned_nonsense(1, 16)


def test_lines_and_records_of_nonsense():
    lines_of_nonsense(1, 200)
    records_of_nonsense(1, 100)


def test_it_is_found_when_there_is_nothing_wrong():
    assert check(wrapped(bundle()))
    assert raises(Refused, Manifest().line, b"").code == -1370
