"""Assets go to a device after its application: those it needs and has not, named by their hash."""

import hashlib

import pytest

from cloud.ota_device import (
    FILE_SIZE,
    FUNCTION,
    accept,
    chunks,
    describe,
    description,
    digest,
    ended,
    finish,
    image,
    reaches,
    running,
    take,
    upload,
    value,
)
from cloud.running import provision_ec
from cloud.test_uploads import bundle
from firmware_files import GOLDEN
from particle_tools.cloud import modules
from particle_tools.cloud.ota import asset_module, proof

OLD, NEW = image(600, 37), image(900, 38)
CAT, DOG, COW = b"meow" * 200, b"woof" * 200, b"moo" * 200


@pytest.fixture
def device(held, rest, ec_key):
    """A device that runs OLD."""
    with running(held, ec_key, provision_ec(rest, ec_key), OLD) as found:
        yield found


def hashed(content):
    return hashlib.sha256(content).digest()


def test_only_what_is_missing_is_sent(held, rest, device):
    files = {"a.bin": NEW, "assets/cat": CAT, "assets/dog": DOG, "assets/cow": COW}
    upload(rest, device.id, bundle(files))
    accept(device, take(device, "S"))
    assert chunks(device, 2, 512) == NEW
    finish(device)
    reaches(rest, device.id, phase="applied")
    needs = (hashed(CAT), hashed(DOG))
    # it runs the application without a new session; one asset is there, one is not needed
    describe(device, description(digest(NEW), needs=needs, assets=[hashed(CAT)]))
    start = take(device, "S")
    expected = asset_module.pack("dog", DOG)
    assert (value(start, FUNCTION), value(start, FILE_SIZE)) == (9, len(expected))
    accept(device, start)
    assert chunks(device, 1, 512) == expected
    finish(device)
    describe(device, description(digest(NEW), needs=needs, assets=needs))
    assert ended(rest, device.id) == ("success", None)


@pytest.mark.parametrize("name", ["asset_compressed.bin", "asset_plain.bin"])
def test_golden_assets(name):
    (module,) = modules.read((GOLDEN / name).read_bytes())
    assert module.function == asset_module.FUNCTION


def test_what_golden_modules_need():
    names = ("argon_user_assets.bin", "p2_user_assets.bin")
    found = [asset_module.needed((GOLDEN / name).read_bytes()) for name in names]
    assert found[0] == found[1] and len(found[0]) == 2
    assert asset_module.needed((GOLDEN / "argon_user.bin").read_bytes()) == set()


def test_what_shows_a_compressed_module():
    inner = (GOLDEN / "argon_user.bin").read_bytes()
    module = {"f": "u", "n": "2", "v": 6, "vc": 30, "vv": 30}
    for name in ("argon_user_compressed.bin", "argon_user_compressed_w9.bin", "argon_user.bin"):
        data = (GOLDEN / name).read_bytes()
        assert proof.shown(data, {"m": [module | {"u": digest(inner).hex()}]})
        assert not proof.shown(data, {"m": [module | {"u": "00" * 32}]})
        assert not proof.shown(data, {})
    both = (GOLDEN / "argon_combined.bin").read_bytes()
    shown = [
        {"f": letter, "n": str(m.index), "v": m.version, "vc": 1, "vv": 1}
        for m, letter in zip(modules.read(both), "bs", strict=True)
    ]
    assert proof.shown(both, {"m": shown})
    assert not proof.shown(both, {"m": shown[:1]})
