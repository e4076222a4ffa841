"""Modules the host makes: the golden files again bit by bit, and what platforms expect."""

import hashlib
import struct
from pathlib import Path

import pytest

from combined import combine
from particle.wire.module import Image, user_slots
from particle_tools.errors import UserError
from particle_tools.images import modules
from particle_tools.images.modules import Prefix
from support import vectors

FOLDER = Path("tests/vectors/modules")
GOOD = sorted(n for n, e in vectors("modules/expected.json").items() if "modules" in e)
GOOD = [name for name in GOOD if not name.startswith("bad")]


def golden(name):
    return (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", GOOD)
def test_golden_files_are_made_again(name):
    data = golden(name)
    found = modules.parse(data)
    again = [modules.build(m.prefix, m.payload, m.suffix) for m in found]
    assert b"".join(again) == data


def test_compressed_combined_and_assets():
    argon = golden("argon_user.bin")
    assert modules.compress(argon, 9) == golden("argon_user_compressed_w9.bin")
    assert modules.compress(argon) == golden("argon_user_compressed.bin")
    packed = modules.parse(modules.compress(argon, 10))[0]
    assert packed.packed.window == 10 and packed.content == argon
    first, second = modules.parse(golden("argon_combined.bin"))
    plain = Prefix(**{**vars(first.prefix), "flags": 0})
    parts = modules.build(plain, first.payload, first.suffix), second.data
    assert combine(*parts) == golden("argon_combined.bin")
    water = modules.parse(golden("asset_plain.bin"))[0].payload
    assert modules.asset("water.bin", water) == golden("asset_plain.bin")
    cat = modules.parse(golden("asset_compressed.bin"))[0].content
    assert modules.asset("cat.txt", cat, 0) == golden("asset_compressed.bin")


@pytest.mark.parametrize("platform", [3, 6, 12, 13, 26, 28, 32, 35, 60000])
@pytest.mark.parametrize("assets", [{}, {"cat.txt": b"cat", "water.bin": b"water" * 50}])
@pytest.mark.parametrize("size", [66, 67, 3000])
def test_every_application_is_taken_by_its_board(platform, assets, size):
    payload = hashlib.sha256(b"%d" % size).digest() * (size // 32 + 1)
    payload = payload[:size]
    data = modules.application(payload, platform, 4321, 7, assets)
    came = []
    slots = user_slots(platform)
    image = Image(len(data), platform, slots, {}, lambda view: came.append(bytes(view)))
    image.feed(data)
    assert image.finish() == 0 and b"".join(came) == payload
    (m,) = image.modules
    assert (m.product_id, m.product_version, m.dep1) == (4321, 7, (4, 1, 6200))
    assert {name.decode(): digest for digest, name in m.assets()} == {
        name: hashlib.sha256(content).digest() for name, content in assets.items()
    }
    assert m.start % 8 == 0
    (again,) = modules.parse(data)
    assert again.product == (4321, 7) and again.payload == payload
    assert set(again.assets()) == set(assets)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="room for 262144"):
        modules.application(bytes(262144), 12, 12, 1)
    with pytest.raises(UserError, match="room for 1572864"):
        modules.application(bytes(1572864), 32, 32, 1)


def test_files_that_are_no_modules():
    argon = golden("argon_user.bin")
    damaged = modules.build(Prefix(5, 2, 6, 12, 0xB4000, 0x10), b"\x12\x00\xff\xff" + bytes(40))
    short = modules.build(Prefix(5, 2, 6, 12, 0xB4000, 2), struct.pack("<HBBI", 8, 0, 0, 9))
    for data in (b"", b"x" * 500, argon[:-1], argon[:-1] + b"x", damaged, short):
        with pytest.raises(UserError, match="no firmware module"):
            modules.parse(data)
    with pytest.raises(UserError, match="vectors"):
        modules.compress(golden("argon_system_vectors.bin"))
