"""What a connection over UDP calculates: P-256, the PRF, CCM records."""

from particle.crypto import p256, prf
from particle.crypto.ccm import Ccm
from support import drive

VECTORS = {}


def cases():
    """Yield (key, function); what the function returns is counted too if it is a generator."""
    d = int.from_bytes(b"\xa7" * 32, "big")
    digest = b"\x5a" * 32
    point = drive(p256.public(d))
    r, s = drive(p256.sign(d, digest))
    yield "p256_public", lambda: p256.public(d)
    yield "p256_ecdh", lambda: p256.ecdh(d, point)
    yield "p256_sign", lambda: p256.sign(d, digest)
    yield "p256_verify", lambda: p256.verify(point, digest, r, s)
    yield "prf_40", lambda: prf.prf(b"m" * 48, b"key expansion", b"r" * 64, 40)
    nonce, aad, buf = bytearray(12), bytearray(29), bytearray(256)
    for fast in (False, True):
        ccm = Ccm(b"k" * 16, fast)
        name = "fast" if fast else "small"
        for n in (16, 200):
            yield "ccm_seal_%d_%s" % (n, name), _seal(ccm, nonce, aad, buf, n)
        yield "ccm_open_200_" + name, _seal(ccm, nonce, aad, buf, 200, True)


def _seal(ccm, nonce, aad, buf, n, opening=False):
    def call():
        (ccm.open if opening else ccm.seal)(nonce, aad, 21, buf, 0, n)

    return call
