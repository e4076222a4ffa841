"""What the C module itself refuses; runs under MicroPython with the module, by mp_runner."""

import sys

import _particle_crypto

from particle.crypto import ccm, native, p256
from support import raises, rng

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
X = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
Y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
ZERO = bytes(32)
ONE = bytes(31) + b"\x01"
G = X.to_bytes(32, "big") + Y.to_bytes(32, "big")
INFINITY = bytes(65)


def multiply(k, u=0, q=None):
    work = _particle_crypto.start(k.to_bytes(32, "big"), u.to_bytes(32, "big"), q, p256._COMB)
    while True:
        p = _particle_crypto.step(work)
        if p:
            assert bytes(work) == bytes(len(work)), "secrets are left"
            return p


def test_it_is_what_calculates():
    assert p256._mul is native._mul and p256._quotient is native._quotient
    assert ccm.Ccm is native.Ccm


def test_sums_and_infinity():
    assert multiply(1) == multiply(0, 1, G) == G + b"\x01"
    assert multiply(3) == multiply(1, 2, G) == multiply(2, 1, G) == multiply(0, 3, G)
    assert multiply(0) == multiply(0, 0, G) == INFINITY
    for k in (1, 5, N - 1, 1 << 200):
        assert multiply(k, N - k, G) == INFINITY
        assert multiply(k, 0, G) == multiply(k) == multiply(0, k, G)
        assert multiply(k, k, G) == multiply(2 * k % N)
        assert multiply(N - k)[:32] == multiply(k)[:32]


def test_points_that_are_none():
    start, comb = _particle_crypto.start, p256._COMB
    for x, y in (
        (0, 0),
        (1, 1),
        (X, Y ^ 1),
        (X ^ 1, Y),
        (Y, X),
        (X, P),
        (P, Y),
        (0, P),
        # an x of the curve, but for the prime
        (5 + P, 0x459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC),
        ((1 << 256) - 1, (1 << 256) - 1),
    ):
        q = x.to_bytes(32, "big") + y.to_bytes(32, "big")
        raises(ValueError, start, ONE, ONE, q, comb)
        raises(ValueError, start, ZERO, ONE, q, comb)
    raises(ValueError, start, ZERO, ONE, None, comb)


def test_what_is_too_short_or_no_bytes():
    start, step = _particle_crypto.start, _particle_crypto.step
    quotient, aes = _particle_crypto.quotient, _particle_crypto.aes
    comb = p256._COMB
    raises(ValueError, start, ONE[1:], ONE, G, comb)
    raises(ValueError, start, ONE, ONE[1:], G, comb)
    raises(ValueError, start, ONE, ONE, G[1:], comb)
    raises(ValueError, start, ONE, ONE, G, comb[1:])
    raises(ValueError, start, ONE, ONE, b"", comb)
    raises(TypeError, start, 1, ONE, G, comb)
    raises(TypeError, start, ONE, ONE, G)
    raises(ValueError, step, bytearray(10))
    raises(TypeError, step, None)
    for i in range(4):
        raises(ValueError, quotient, *[ONE[i == j :] for j in range(4)])
    raises(TypeError, quotient, ONE, ONE, ONE)
    raises(ValueError, aes, bytes(15))
    raises(TypeError, aes, 16)


def test_a_work_area_of_noise_ends():
    take = rng(4)
    size = len(_particle_crypto.start(ONE, ZERO, None, p256._COMB))
    for _ in range(40):
        work = bytearray(take(size))
        for _ in range(40):
            try:
                if _particle_crypto.step(work):
                    break
            except RuntimeError:  # mbedTLS looks at what it is given
                break
        else:
            raise AssertionError("it goes on for ever")


def test_records_that_do_not_fit():
    ccm = _particle_crypto.ccm
    key = _particle_crypto.aes(bytes(16))
    mac, nonce, aad, buf = bytearray(16), bytes(12), bytes(20), bytearray(40)
    ccm(key, mac, nonce, aad, 20, buf, 8, 32, False)
    for bad in (
        (key[1:], mac, nonce, aad, 20, buf, 8, 32, False),
        (key, bytearray(15), nonce, aad, 20, buf, 8, 32, False),
        (key, mac, bytes(11), aad, 20, buf, 8, 32, False),
        (key, mac, nonce, aad, 21, buf, 8, 32, False),
        (key, mac, nonce, aad, 20, buf, 9, 32, False),
        (key, mac, nonce, aad, 20, buf, 8, 33, False),
        (key, mac, nonce, aad, 20, buf, 41, 0, False),
        (key, mac, nonce, aad, -1, buf, 8, 32, False),
        (key, mac, nonce, aad, 20, buf, -1, 32, False),
        (key, mac, nonce, aad, 20, buf, 8, -1, False),
        (key, mac, nonce, aad, 20, buf, 1 << 16, 0, False),
    ):
        raises(ValueError, ccm, *bad)
    assert buf[:8] == bytes(8)


def test_without_cryptolib():
    gone = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.modules["cryptolib"] = None
    try:
        module = __import__("particle.crypto.ccm", None, None, ("Ccm",))
        assert module is not ccm
        buf = bytearray(32)
        module.Ccm(bytes(16), False).seal(bytearray(12), bytearray(1), 1, buf, 0, 24)
        assert module.Ccm(bytes(16), False).open(bytearray(12), bytearray(1), 1, buf, 0, 24)
        assert buf[:24] == bytes(24)
    finally:
        del sys.modules["cryptolib"]
        sys.modules.update(gone)


MODULES = ("particle.crypto.ccm", "particle.crypto.native")
