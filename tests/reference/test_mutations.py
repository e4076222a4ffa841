"""A hundred thousand mutated inputs per reader: refused, or exactly what another reader finds."""

import random

from cryptography.hazmat.primitives.asymmetric import utils

from particle.crypto import p256
from particle.store import keys_ec
from particle.wire import dtls_handshake
from support import drive

_COUNT = 100_000
_POINT = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)


def mutated(data, rng):
    """Return data after one to three small changes."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data.insert(at, rng.choice((0, 1, 2, 0x30, 0x80, 0xFF)))
        elif kind == 2:
            data[at:at] = data[rng.randrange(len(data) + 1) :][: rng.randrange(1, 9)]
        elif kind == 3:
            del data[at : at + rng.randrange(1, 4)]
        elif at < len(data):
            data[at] = (data[at] + rng.choice((1, -1, 128, rng.randrange(256)))) & 255
    return bytes(data)


def attempt(read, data):
    """Return what a reader finds, None when it raises ValueError."""
    try:
        return read(data)
    except ValueError:
        return None


def test_signatures():
    rng = random.Random(1)
    accepted = 0
    for _ in range(_COUNT):
        sizes = rng.choice((8, 248, 256)), rng.choice((8, 248, 256))
        data = mutated(dtls_handshake.signature(*map(rng.getrandbits, sizes)), rng)
        theirs = attempt(utils.decode_dss_signature, data)
        # numbers of any size, and negative ones, are in order for the other reader
        if theirs and not all(0 <= number < 1 << 256 for number in theirs):
            theirs = None
        assert attempt(dtls_handshake.parse_signature, data) == theirs, data.hex()
        accepted += theirs is not None
    assert _COUNT // 100 < accepted < _COUNT // 2


def test_private_keys():
    rng = random.Random(2)
    der = (
        bytes.fromhex("30770201010420")
        + bytes(range(32))
        + bytes.fromhex("a00a06082a8648ce3d030107")
    )
    der += bytes.fromhex("a144034200") + _POINT
    for _ in range(_COUNT):
        data = mutated(der, rng)
        found = attempt(keys_ec.ec_private, data)
        if found:
            d, point = found
            assert data[:121] == der[:7] + d.to_bytes(32, "big") + der[39:56] + point
            assert point[0] == 4 and not data[121:].strip(b"\x00\xff")


def test_public_keys():
    rng = random.Random(3)
    der = keys_ec.ec_spki(_POINT)
    for _ in range(_COUNT):
        data = mutated(der, rng)
        point = attempt(keys_ec.ec_public, data)
        if point:
            assert data[:91] == keys_ec.ec_spki(point)
            assert point[0] == 4 and not data[91:].strip(b"\x00\xff")


def test_points():
    rng = random.Random(4)
    accepted = 0
    for _ in range(_COUNT):
        data = mutated(_POINT, rng)
        steps = p256.ecdh(1, data)
        try:
            next(steps)  # the first slice checks the point
        except ValueError:
            continue
        accepted += 1
        assert drive(steps) == data[1:33]
    assert accepted <= _COUNT // 100  # a change that undid another
