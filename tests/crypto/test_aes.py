"""AES-CBC in place and HMAC, with the examples of NIST SP 800-38A and RFC 2202."""

import hashlib

from particle.crypto import aes
from support import raises

# SP 800-38A, F.2.1
KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
IV = bytes(range(16))
PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
CIPHER = bytes.fromhex(
    "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
)


def test_cbc_in_place():
    for n in (16, 32, 48, 64):
        for at in (0, 2, 13):
            buf = bytearray(b"\x5a" * at + PLAIN[:n] + b"\xa5" * 3)
            aes.cbc_encrypt(KEY, IV, buf, at, n)
            assert buf == b"\x5a" * at + CIPHER[:n] + b"\xa5" * 3
            aes.cbc_decrypt(KEY, IV, buf, at, n)
            assert buf == b"\x5a" * at + PLAIN[:n] + b"\xa5" * 3


def test_nothing_to_do():
    buf = bytearray(b"abc")
    aes.cbc_encrypt(KEY, IV, buf, 1, 0)
    aes.cbc_decrypt(KEY, IV, buf, 1, 0)
    assert buf == b"abc"


def test_part_of_a_block_is_refused():
    for n in (1, 15, 17):
        buf = bytearray(PLAIN)
        raises(ValueError, aes.cbc_encrypt, KEY, IV, buf, 0, n)
        raises(ValueError, aes.cbc_decrypt, KEY, IV, buf, 0, n)
        assert buf == PLAIN


def test_hmac_sha1():
    # RFC 2202, section 3
    for key, data, digest in (
        (b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (b"\xaa" * 20, b"\xdd" * 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        (
            b"\xaa" * 80,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
        (
            b"\xaa" * 80,
            b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
            "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
        ),
    ):
        assert aes.hmac(hashlib.sha1, key, data).hex() == digest


def test_hmac_sha256():
    # RFC 4231, test case 2; and keys around the size of a block
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert aes.hmac(hashlib.sha256, b"Jefe", b"what do ya want for nothing?").hex() == digest
    long = bytes(65)
    assert aes.hmac(hashlib.sha256, long, b"") == aes.hmac(
        hashlib.sha256, hashlib.sha256(long).digest(), b""
    )
    assert aes.hmac(hashlib.sha256, bytes(64), b"") == aes.hmac(hashlib.sha256, b"", b"")
