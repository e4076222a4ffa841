"""P-256: published signatures and multiples, invalid points, what does not end in one slice."""

import hashlib
import sys

from particle.crypto import p256
from support import drive, raises, rng, slices

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
# RFC 6979, A.2.5
D = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
Q = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SIGNATURES = (
    (
        b"sample",
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    (
        b"test",
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
)
DIGEST = hashlib.sha256(b"sample").digest()
R, S = SIGNATURES[0][1:]


def point(x, y):
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def test_the_keys_and_signatures_of_rfc_6979():
    assert drive(p256.public(D)) == Q
    for message, r, s in SIGNATURES:
        digest = hashlib.sha256(message).digest()
        assert drive(p256.sign(D, digest)) == (r, s)
        assert drive(p256.verify(Q, digest, r, s)) is True


def test_small_and_large_multiples_of_the_base_point():
    assert drive(p256.public(1)) == G
    assert drive(p256.public(2)).hex() == (
        "047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
        "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"
    )
    y = int.from_bytes(G[33:], "big")
    assert drive(p256.public(N - 1)) == point(int.from_bytes(G[1:33], "big"), P - y)


def test_both_multiplications_agree():
    # public() adds points from a table, ecdh() multiples of its argument; N - 2 makes the latter
    # meet the point it is about to add, 2 * (2**192 + 2**128 - 2**64 + 1) may make the former
    for d in (1, 2, 3, 7, N - 1, N - 2, 1 << 255, (1 << 193) + (1 << 129) - (1 << 65) + 2):
        assert drive(p256.ecdh(d, G)) == drive(p256.public(d))[1:33], d


def test_shared_secret():
    take = rng(1)
    for _ in range(3):
        a, b = p256.scalar(take), p256.scalar(take)
        secret = drive(p256.ecdh(a, drive(p256.public(b))))
        assert secret == drive(p256.ecdh(b, drive(p256.public(a)))) and len(secret) == 32


def test_results_keep_their_leading_zeros():
    both = [drive(p256.public(d)).hex() for d in (43, 379)]
    assert len(both[0]) == 130 and both[0][66:72] == "003ccc"
    assert both[1][2:8] == "005543"
    assert drive(p256.ecdh(379, G)).hex() == both[1][2:66]


def test_no_slice_is_the_whole_calculation():
    if "particle.crypto.native" in sys.modules:
        return  # the C module's are counted in instructions: tests/silicon/test_c_module
    # 256 doublings of 100 k instructions, 4 at a time; 64 doublings and additions, 4 at a time
    assert slices(p256.ecdh(D, G)) >= 65
    assert slices(p256.verify(Q, DIGEST, R, S)) >= 66
    assert slices(p256.public(D)) >= 17
    assert slices(p256.sign(D, DIGEST)) >= 18


def test_random_scalars():
    draws = [bytes(32), N.to_bytes(32, "big"), b"\xff" * 32, (N - 1).to_bytes(32, "big")]
    assert p256.scalar(lambda n: draws.pop(0)) == N - 1
    assert p256.scalar(lambda n: b"\x00" * (n - 1) + b"\x01") == 1
    for dead in (bytes(32), b"\xff" * 32):
        raises(ValueError, p256.scalar, lambda n, dead=dead: dead)


def test_points_that_are_none():
    x, y = int.from_bytes(Q[1:33], "big"), int.from_bytes(Q[33:], "big")
    # 5 is an x of the curve, so 5 + P < 2**256 would be one if it were reduced
    y5 = 0x459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC
    assert len(drive(p256.ecdh(2, point(5, y5)))) == 32
    for bad in (
        b"",
        b"\x00",
        b"\x04",
        bytes(65),
        b"\x04" + bytes(64),
        Q[1:],
        Q[:-1],
        Q + b"\x00",
        b"\x00" + Q,
        b"\x02" + Q[1:33],
        b"\x03" + Q[1:33],
        b"\x02" + Q[1:],
        b"\x05" + Q[1:],
        b"\x06" + Q[1:],
        b"\x07" + Q[1:],
        point(x, y ^ 1),
        point(x ^ 1, y),
        point(y, x),
        point(0, 0),
        point(0, 1),
        point(x, 0),
        point(x, P),
        point(P, y),
        point(0, P),
        point(5 + P, y5),
        b"\x04" + b"\xff" * 64,
        Q[1:] + b"\x04",
        # on the curve with another b, as an invalid-curve attack would send: 1 * 1 = 1 - 3 + 3
        point(1, 1),
    ):
        raises(ValueError, drive, p256.ecdh(D, bad))
        assert drive(p256.verify(bad, DIGEST, R, S)) is False, bad


def test_numbers_out_of_range():
    small = 3
    for r, s in (
        (0, S),
        (R, 0),
        (0, 0),
        (N, S),
        (R, N),
        (N, N),
        (R + N, S),
        (R, S + N),
        (R + N, S + N),
        (-R, S),
        (R, -S),
        (R - N, S),
        (R, S - N),
        (small + N, S),
        (R, small + N),
        (1 << 256, S),
        (R, 1 << 256),
        (R + (N << 300), S),
        (R, S + (N << 300)),
        (P, S),
    ):
        steps = p256.verify(Q, DIGEST, r, s)
        assert drive(steps) is False, (r, s)


def test_signatures_that_are_wrong():
    for digest, r, s in (
        (DIGEST, S, R),
        (DIGEST, N - R, S),
        (DIGEST, R ^ 1, S),
        (DIGEST, R, S ^ 1),
        (DIGEST, 1, 1),
        (DIGEST, N - 1, N - 1),
        (bytes(32), R, S),
        (DIGEST[1:] + DIGEST[:1], R, S),
        (DIGEST[:31] + bytes((DIGEST[31] ^ 1,)), R, S),
    ):
        assert drive(p256.verify(Q, digest, r, s)) is False, (r, s)
    assert drive(p256.verify(G, DIGEST, R, S)) is False
    # the other point with the same x
    mirror = point(int.from_bytes(Q[1:33], "big"), P - int.from_bytes(Q[33:], "big"))
    assert drive(p256.verify(mirror, DIGEST, R, S)) is False


def test_the_second_form_of_a_signature_is_accepted():
    # ECDSA allows it; nothing here takes a signature for an identity
    assert drive(p256.verify(Q, DIGEST, R, N - S)) is True


def test_an_x_above_the_order():
    # made for this: the sum of G and this key has x = N + 3
    q = bytes.fromhex(
        "044850d2963fe5d2f3c1b251a96ba095ebadeee7b736b34c6a731a8666fcca67bf"
        "999c111ef77bf8d58fd61dcecf607598f61d6651366c9902400b7dd93112b636"
    )
    assert drive(p256.verify(q, (3).to_bytes(32, "big"), 3, 3)) is True
    assert drive(p256.verify(q, (3).to_bytes(32, "big"), 3 + N, 3)) is False
    assert drive(p256.verify(q, (2).to_bytes(32, "big"), 3, 3)) is False


def test_a_digest_above_the_order_is_reduced():
    for digest in (b"\xff" * 32, N.to_bytes(32, "big"), bytes(32)):
        r, s = drive(p256.sign(D, digest))
        assert drive(p256.verify(Q, digest, r, s)) is True
    # N and 0 are the same to ECDSA
    assert drive(p256.verify(Q, N.to_bytes(32, "big"), r, s)) is True


def test_sums_that_meet_a_special_case():
    # u * G + v * d * G, where the two parts are equal, opposite or small
    for d, u, v in (
        (1, 1, 1),
        (1, 2, N - 1),
        (N - 1, 5, 2),
        (2, 2, N - 1),
        (3, 3, 1),
        (2, 4, N - 2),
    ):
        q = drive(p256.public(d))
        total = (u + v * d) % N
        r = int.from_bytes(drive(p256.public(total))[1:33], "big") % N if total else 1
        s = r * pow(v, N - 2, N) % N
        digest = (u * s % N).to_bytes(32, "big")
        assert drive(p256.verify(q, digest, r, s)) is (total != 0), (d, u, v)


def test_a_nonce_is_drawn_again():
    # RFC 6979, 3.2 h.3: not reachable with real digests, so HMAC is replaced
    draws = [N.to_bytes(32, "big"), bytes(32), (5).to_bytes(32, "big")]
    real = p256.hmac
    calls = []

    def fake(key, data):
        calls.append(data)
        # four calls to begin with, then: draw, key, value, draw, key, value, draw
        turn = len(calls) - 5
        return draws[turn // 3] if turn >= 0 and turn % 3 == 0 else data[:32]

    p256.hmac = fake
    try:
        r, s = drive(p256.sign(D, DIGEST))
    finally:
        p256.hmac = real
    assert r == int.from_bytes(drive(p256.public(5))[1:33], "big") % N
    assert len(calls) == 11 and drive(p256.verify(Q, DIGEST, r, s))
