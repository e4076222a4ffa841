"""What our packer writes, read by Particle's own reader; the device reads the same in it."""

import base64
import hashlib
import random

import pytest

from combined import combine
from interop import module_reader, node
from particle.wire.module import Image
from particle_tools import ROOT
from particle_tools.images import bundles, files, modules
from particle_tools.images.modules import Dependency, Extension, Prefix
from support import vectors

FOLDER = ROOT / "tests/vectors/modules"
EXPECTED = vectors("modules/expected.json")


@pytest.fixture(autouse=True)
def peer(need):
    need(module_reader.NAME, module_reader.PACKAGES.find(), node.COMMAND)


def ask(verb, *data, **more):
    """Return what the reader makes of files; bytes for bytes."""
    return many([(verb, data, more)])[0]


def many(jobs):
    encoded = [
        {"verb": verb, "files": [base64.b64encode(each).decode() for each in data], **more}
        for verb, data, more in jobs
    ]
    found = []
    for (verb, _, _), answer in zip(jobs, module_reader.read(encoded), strict=True):
        assert "error" not in answer, answer
        result = answer["result"]
        if verb == "split":
            result = [base64.b64decode(each) for each in result]
        elif verb != "parse":
            result = base64.b64decode(result)
        found.append(result)
    return found


def by_device(data):
    """Return what the device's reader makes of a module, in the words of the driver."""
    image = Image(len(data))
    image.feed(data)
    (m,) = image.modules
    return {
        "crc32_ok": m.crc32_ok,
        "crc32": m.crc32.hex(),
        "prefix_offset": m.offset,
        "start": m.start,
        "end": m.end,
        "mcu": m.mcu,
        "flags": m.flags,
        "version": m.version,
        "platform_id": m.platform_id,
        "function": m.function,
        "index": m.index,
        "needs": [list(m.dep1), list(m.dep2)],
        "prefix_size": m.prefix_size,
        "prefix_extensions": [[kind, body.hex()] for kind, body in m.prefix_extensions],
        "suffix_size": m.suffix_size,
        "suffix_extensions": [[kind, body.hex()] for kind, body in m.suffix_extensions],
        "product": None if m.product_id is None else [m.product_id, m.product_version],
        "sha256": m.sha256.hex(),
        "assets": [[name.decode(), digest.hex()] for digest, name in m.assets()],
    }


def compare(every):
    """Have all modules read by both."""
    answers = many([("parse", [data], {}) for data in every])
    for data, answer in zip(every, answers, strict=True):
        assert answer == by_device(data), data.hex()


def test_golden_modules():
    names = [
        name
        for name, wanted in EXPECTED.items()
        if len(wanted.get("modules", ())) == 1 and not name.startswith("bad_crc")
    ]
    compare([(FOLDER / name).read_bytes() for name in names])


def some_bundle(dice, size):
    files_ = {f"lib/m{n}.mpy": dice.randbytes(size) for n in range(dice.randrange(1, 6))}
    facts = bundles.Facts("UNIX_SIM", 12, 4321, 7, 5, 6, 65536)
    return bundles.make(facts, files_, None, dice.choice((0, 9, 10, 12)))


@pytest.mark.parametrize("platform", [6, 8, 10, 12, 13, 22, 23, 25, 26, 28, 32, 35])
def test_applications_of_every_platform(platform):
    dice = random.Random(platform)
    every = []
    for size in (1, 66, 67, 700, 3000):
        payload = some_bundle(dice, size).pack()
        assets = {"cat.txt": b"cat", "water.bin": dice.randbytes(50)}
        for needed in ({}, assets):
            every.append(modules.application(payload, platform, 4321, size, needed))
    compare(every)


def test_modules_of_any_kind():
    dice = random.Random(11)
    every = []
    for _ in range(40):
        tail = modules.product(dice.randrange(1, 65536), dice.randrange(65536))
        prefix = Prefix(
            dice.choice((2, 4, 5, 7, 8)),
            dice.randrange(3),
            dice.randrange(65536),
            dice.choice((12, 13, 26)),
            0x28000,
            dice.choice((0, 1)),
            0,
            (Dependency(4, 1, dice.randrange(65536)), Dependency(2, 0, dice.randrange(65536))),
        )
        every.append(modules.build(prefix, dice.randbytes(dice.randrange(60, 2000)), tail))
    compare(every)


def test_compressed_both_ways():
    dice = random.Random(5)
    plain = modules.application(some_bundle(dice, 900).pack(), 12, 12, 3)
    packed = [modules.compress(plain, window) for window in (0, 9, 12, 15)]
    assert many([("inflate", [data], {}) for data in packed]) == [plain] * 4
    compare(packed)
    theirs = ask("deflate", plain)
    assert modules.parse(theirs)[0].content == plain
    assert files.parse(theirs).bundle == files.parse(plain).bundle


def test_combined_both_ways():
    first, second = (modules.application(b"MPAB" + bytes(n), 12, 12, n) for n in (80, 90))
    combined = combine(first, second)
    assert ask("combine", first, second) == combined
    assert ask("split", combined) == [first, second]


def test_assets_both_ways():
    data = b"water" * 60
    plain, packed = modules.asset("water.bin", data), modules.asset("water.bin", data, 0)
    assert ask("unwrap", plain) == ask("unwrap", packed) == data
    assert ask("wrap", data, name="water.bin", compress=False) == plain
    theirs = ask("wrap", data, name="water.bin", compress=True)
    (found,) = modules.parse(theirs)
    assert found.content == data
    assert Extension(modules.NAME, b"water.bin") in found.extensions
    digest = b"\x00\x20" + hashlib.sha256(data).digest()
    assert Extension(modules.HASH, digest) in found.extensions
    compare([plain, packed, theirs])
