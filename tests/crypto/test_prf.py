"""HMAC-SHA256 and the PRF of TLS 1.2: RFC 4231, a published vector, the key block of a session."""

from particle.crypto.prf import hmac, prf
from support import vectors

# Test vector for the SHA-256 PRF, sent to the TLS working group's list by the authors of RFC 5246
SECRET = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
SEED = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
OUTPUT = (
    "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
    "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
    "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
    "87347b66"
)


def test_hmac():
    for key, data, digest in (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
    ):
        assert hmac(key, data).hex() == digest


def test_keys_of_a_block_and_of_nothing():
    assert hmac(b"", b"") == hmac(bytes(64), b"") == hmac(bytes(7), b"")
    assert hmac(bytes(63) + b"\x01", b"x") != hmac(bytes(64), b"x")


def test_prf():
    out = prf(SECRET, b"test label", SEED, 100)
    assert out.hex() == OUTPUT
    for n in (0, 1, 12, 31, 32, 33, 48, 64, 65):
        assert prf(SECRET, b"test label", SEED, n) == out[:n]


def test_key_block():
    dtls = vectors("coap-messages.json")["dtls"]
    seed = bytes.fromhex(dtls["server_random"] + dtls["client_random"])
    block = prf(bytes.fromhex(dtls["master_secret"]), b"key expansion", seed, 40).hex()
    assert block == dtls["key_block"]
    assert block == (
        dtls["client_write_key"]
        + dtls["server_write_key"]
        + dtls["client_write_iv"]
        + dtls["server_write_iv"]
    )
