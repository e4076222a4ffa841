"""RSA: padding accepted and refused, as in the published test suites for PKCS#1 v1.5."""

from particle.crypto import der, rsa
from support import drive, raises, rng, slices, vectors

HANDSHAKE = vectors("coap-messages.json")["tcp_handshake"]
KEY = der.rsa_private(bytes.fromhex(HANDSHAKE["device_private_key_der"]))
SPKI = bytes.fromhex(HANDSHAKE["device_public_key_der"])
N, E, D = KEY[:3]
SIZE = 128
DIGEST = bytes(range(0x80, 0x94))
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")


def seal(block):
    """The bare public operation on a padded block."""
    return pow(int.from_bytes(block, "big"), E, N).to_bytes(SIZE, "big")


def sign(block):
    """The bare private operation on a padded block."""
    return pow(int.from_bytes(block, "big"), D, N).to_bytes(SIZE, "big")


def test_powmod_is_pow():
    take = rng(3)
    for size in (1, 8, 64, 65, 100, 128, 256):
        m = int.from_bytes(take(size), "big") | 3
        b = int.from_bytes(take(size), "big") % m
        for e in (0, 1, 2, 3, 16, 255, 256, 65537, int.from_bytes(take(20), "big")):
            assert drive(rsa.powmod(b, e, m)) == pow(b, e, m), (size, e)
        assert drive(rsa.powmod(b + m, 3, m)) == pow(b, 3, m)
        assert drive(rsa.powmod(0, 3, m)) == 0
        assert drive(rsa.powmod(m - 1, 65537, m)) == m - 1


def test_a_slice_is_a_bounded_number_of_multiplications():
    # 512 bits: 640 multiplications of 32 k instructions; 2048 bits: 17 of 620 k
    assert slices(rsa.powmod(3, KEY[5], KEY[3])) >= 15
    big = der.rsa_public(bytes.fromhex(HANDSHAKE["server_public_key_der"]))[0]
    assert slices(rsa.powmod(3, 65537, big)) >= 10


def test_round_trip_of_every_length():
    for n in (0, 1, 40, 52, 116, 117):
        message = bytes(range(n))
        block = drive(rsa.encrypt(N, E, message, rng(n + 1)))
        assert len(block) == SIZE
        assert drive(rsa.decrypt(KEY, block)) == message


def test_a_message_that_leaves_no_room_for_padding_is_refused():
    for n in (118, 125, 128, 300):
        raises(ValueError, drive, rsa.encrypt(N, E, bytes(n), rng()))


def test_padding_has_no_zero_bytes():
    take = rng(9)

    def mostly_zeros(n):
        return bytes([x if x > 200 else 0 for x in take(n)])

    block = drive(rsa.encrypt(N, E, b"m", mostly_zeros))
    plain = pow(int.from_bytes(block, "big"), D, N).to_bytes(SIZE, "big")
    assert plain[:2] == b"\x00\x02" and plain[-2:] == b"\x00m"
    assert 0 not in plain[2:-2] and min(plain[2:-2]) > 200


def test_a_dead_random_source_ends_in_an_error():
    raises(ValueError, drive, rsa.encrypt(N, E, b"m", bytes))


def test_two_encryptions_differ():
    take = rng(4)
    assert drive(rsa.encrypt(N, E, b"m", take)) != drive(rsa.encrypt(N, E, b"m", take))


def padded(n, message, first=b"\x00\x02"):
    return first + b"\x01" * n + b"\x00" + message


def test_padding_that_is_just_right():
    assert drive(rsa.decrypt(KEY, seal(padded(8, b"m" * 117)))) == b"m" * 117
    assert drive(rsa.decrypt(KEY, seal(padded(125, b"")))) == b""
    # only the first zero ends the padding
    assert drive(rsa.decrypt(KEY, seal(padded(100, b"\x00" * 25)))) == b"\x00" * 25


def test_bad_padding_is_refused():
    bad = [
        padded(85, b"m" * 40, b"\x01\x02"),
        padded(85, b"m" * 40, b"\x00\x00"),
        padded(85, b"m" * 40, b"\x00\x01"),
        padded(85, b"m" * 40, b"\x00\x03"),
        padded(85, b"m" * 40, b"\x00\xff"),
        padded(85, b"m" * 40, b"\x02\x00"),
        padded(7, b"m" * 118),
        padded(1, b"m" * 124),
        padded(0, b"m" * 125),
        b"\x00\x02" + b"\x01" * 126,  # no end of the padding
        b"\x00" * 128,
        b"\x00" * 127 + b"\x01",
        b"\x00\x01" + b"\xff" * 105 + b"\x00" + DIGEST,
    ]
    for i in range(2, 10):  # a zero among the first eight bytes of padding
        block = bytearray(padded(85, b"m" * 40))
        block[i] = 0
        bad.append(bytes(block))
    for block in bad:
        assert len(block) == SIZE
        raises(ValueError, drive, rsa.decrypt(KEY, seal(block)))


def test_blocks_out_of_range_are_refused():
    good = seal(padded(85, b"m" * 40))
    for block in (
        b"",
        good[1:],
        good[:-1],
        b"\x00" + good,
        good + b"\x00",
        good * 2,
        N.to_bytes(SIZE, "big"),
        (N + 1).to_bytes(SIZE, "big"),
        b"\xff" * SIZE,
        (N - 1).to_bytes(SIZE, "big"),
        bytes(SIZE),
        bytes(SIZE - 1) + b"\x01",
    ):
        raises(ValueError, drive, rsa.decrypt(KEY, block))


def test_a_changed_block_never_gives_the_message():
    good = seal(padded(85, b"m" * 40))
    for i in range(0, SIZE, 9):
        block = good[:i] + bytes((good[i] ^ 1,)) + good[i + 1 :]
        try:
            assert drive(rsa.decrypt(KEY, block)) != b"m" * 40
        except ValueError:
            pass


def verify(signature, digest=DIGEST):
    return drive(rsa.verify(N, E, signature, digest))


def test_signature():
    good = sign(b"\x00\x01" + b"\xff" * 105 + b"\x00" + DIGEST)
    assert verify(good) is True
    for i in range(len(DIGEST)):
        digest = DIGEST[:i] + bytes((DIGEST[i] ^ 0x10,)) + DIGEST[i + 1 :]
        assert verify(good, digest) is False
    assert not verify(good, b"") and not verify(good, DIGEST[:-1]) and not verify(good, DIGEST[1:])
    assert not verify(good, DIGEST + b"\x00") and not verify(good, b"\x00" + DIGEST)
    assert not verify(good, b"\xff\x00" + DIGEST)
    # a digest that fills the modulus leaves no padding
    for n in (117, 118, 125, 126, 200):
        assert verify(good, bytes(n)) is False


def test_forged_padding_is_refused():
    tail = b"\x00" + DIGEST
    for block in (
        b"\x00\x01" + b"\xff" * 90 + b"\x00" + SHA1_INFO + DIGEST,  # DigestInfo present
        b"\x00\x01" + b"\xff" * 90 + SHA1_INFO + tail,
        b"\x00\x02" + b"\xff" * 105 + tail,
        b"\x00\x00" + b"\x00" * 105 + tail,
        b"\x01\x01" + b"\xff" * 105 + tail,
        b"\x00\x01" + b"\xfe" + b"\xff" * 104 + tail,
        b"\x00\x01" + b"\xff" * 50 + b"\x00" + b"\xff" * 54 + tail,
        b"\x00\x01" + b"\xff" * 104 + b"\x7f" + tail,
        b"\x00\x01" + b"\xff" * 104 + b"\x00" + tail,
        b"\x00\x01" + b"\xff" * 105 + b"\x01" + DIGEST,
        b"\x00\x01" + b"\xff" * 106 + DIGEST,
        b"\x00\x01" + b"\xff" * 8 + tail + b"\x00" * 97,  # short padding, trailing garbage
        b"\x00\x01" + tail + b"\xff" * 105,
        b"\x00\x01" + b"\xff" * 104 + tail + b"\x00",
        b"\x00" * 107 + tail,
    ):
        assert len(block) == SIZE
        assert verify(sign(block)) is False


def test_signatures_out_of_range_are_refused():
    good = sign(b"\x00\x01" + b"\xff" * 105 + b"\x00" + DIGEST)
    s = int.from_bytes(good, "big")
    for signature in (
        b"",
        good[1:],
        good[:-1],
        b"\x00" + good,
        good + b"\x00",
        bytes(SIZE),
        bytes(SIZE - 1) + b"\x01",
        N.to_bytes(SIZE, "big"),
        (N - 1).to_bytes(SIZE, "big"),
        (N - s).to_bytes(SIZE, "big"),
        (N + s).to_bytes(SIZE + 1, "big"),
        b"\xff" * SIZE,
    ):
        assert verify(signature) is False
    # the same number plus the modulus, where it has the length of a signature
    small = 2
    block = pow(small, E, N).to_bytes(SIZE, "big")
    assert block[:2] != b"\x00\x01"
    assert verify((N + small).to_bytes(SIZE, "big")) is False
    for i in range(0, SIZE, 9):
        assert verify(good[:i] + bytes((good[i] ^ 1,)) + good[i + 1 :]) is False


def test_small_and_odd_moduli_do_no_harm():
    for n in (3, 15, 65537, (1 << 64) + 13, (1 << 160) + 7):
        size = len(der.octets(n))
        assert drive(rsa.verify(n, 3, bytes(size), DIGEST)) is False
        raises(ValueError, drive, rsa.encrypt(n, 3, DIGEST, rng()))


def test_pair():
    assert rsa.pair_test(KEY) is True
    assert rsa.pair_test(KEY, SPKI) is True
    server = bytes.fromhex(HANDSHAKE["server_public_key_der"])
    assert rsa.pair_test(KEY, server) is False
    assert rsa.pair_test(KEY, der.rsa_spki(N - 2)) is False
    raises(ValueError, rsa.pair_test, KEY, SPKI[:-1])
    assert rsa.pair_test(der.rsa_private(bytes.fromhex(HANDSHAKE["server_private_key_pkcs1_der"])))


def test_numbers_that_do_not_belong_together():
    for i in range(8):
        for number in (0, 1, 2, KEY[i] + 1, KEY[i] - 1, KEY[i] + 2, KEY[i] * 2, KEY[i] ^ 1 << 40):
            assert rsa.pair_test(KEY[:i] + (number,) + KEY[i + 1 :]) is False, (i, number)
    n, e, d, p, q, dp, dq, qinv = KEY
    assert not rsa.pair_test((n, e, d, q, p, dq, dp, qinv))
    assert not rsa.pair_test((n, 1, 1, p, q, 1, 1, qinv))
    assert not rsa.pair_test((n, e, d, n, 1, dp, dq, qinv))
    assert not rsa.pair_test((0,) * 8)
