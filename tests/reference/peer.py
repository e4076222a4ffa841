"""Cases whose results `cryptography` (OpenSSL) gives: edges, and many at random."""

import random
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reference.nist import Case

_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SHA256 = utils.Prehashed(hashes.SHA256())


def edge_scalars() -> Iterator[Case]:
    """Both multiplications with numbers at which an algorithm may stumble."""
    base = _point(1)
    for d in _scalars():
        yield "public", (f"{d:x}",), _point(d)
        yield "ecdh", (f"{d:x}", base), _point(d)[2:66]


def edge_sums() -> Iterator[Case]:
    """Signatures whose check adds equal, opposite or no points."""
    some = (1, 2, 3, 7, _N - 1, _N - 2, (_N + 1) // 2, 1 << 192)
    for d in some:
        key = _key(d)
        for u in (0, *some):
            for v in some[:7]:
                total = (u + v * d) % _N
                r = int(_point(total)[2:66], 16) % _N if total else 1
                s = r * pow(v, -1, _N) % _N
                digest = (u * s % _N).to_bytes(32, "big")
                yield _verify(key, digest, r, s)


def signatures(count: int) -> Iterator[Case]:
    """Random keys: agreement, signatures of both sides, changed signatures."""
    rng = random.Random(4)
    for _ in range(count):
        d, e = rng.randrange(1, _N), rng.randrange(1, _N)
        key = _key(d)
        digest = rng.randbytes(32)
        yield "ecdh", (f"{e:x}", _point(d)), _key(e).exchange(ec.ECDH(), key.public_key()).hex()
        algorithm = ec.ECDSA(_SHA256, deterministic_signing=True)
        r, s = utils.decode_dss_signature(key.sign(digest, algorithm))
        yield "sign", (f"{d:x}", digest.hex()), f"{r:x} {s:x}"
        r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(_SHA256)))
        yield _verify(key, digest, r, s)
        yield _verify(key, digest, r, _N - s)
        yield _verify(key, digest, r ^ 1 << rng.randrange(255), s)
        yield _verify(key, digest, r, s ^ 1 << rng.randrange(255))
        yield _verify(_key(e), digest, r, s)


def hmacs(count: int) -> Iterator[Case]:
    """Random keys of up to a block, random data."""
    rng = random.Random(5)
    for _ in range(count):
        key, data = rng.randbytes(rng.randrange(65)), rng.randbytes(rng.randrange(300))
        one = hmac.HMAC(key, hashes.SHA256())
        one.update(data)
        yield "hmac", (key.hex(), data.hex()), one.finalize().hex()


def records(count: int) -> Iterator[Case]:
    """Random records, sealed and opened by both forms, each also with one bit changed."""
    rng = random.Random(6)
    for i in range(count):
        key, nonce, aad = (
            rng.randbytes(16),
            rng.randbytes(12),
            rng.randbytes(1 + rng.randrange(60)),
        )
        plain = rng.randbytes(i if i < 300 else rng.randrange(1400))
        sealed = AESCCM(key, tag_length=8).encrypt(nonce, plain, aad)
        start = (i % 2 == 0, key.hex(), nonce.hex(), aad.hex())
        yield "seal", (*start, plain.hex()), sealed.hex()
        start = (not start[0], *start[1:])
        yield "unseal", (*start, sealed.hex()), plain.hex()
        bad = bytearray(sealed)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        yield "unseal", (*start, bad.hex()), "refused"


def _scalars() -> list[int]:
    found = {*range(1, 18), *range(_N - 17, _N), _N // 2, _N // 2 + 1}
    for i in range(0, 256, 3):
        found |= {(1 << i) - 1, 1 << i, (1 << i) + 1, _N - (1 << i)}
    for digit in range(1, 16):  # the same digit in all windows of 3 and 4 bits
        found.add(int(f"{digit:x}" * 63, 16))
        found.add(int(f"{digit % 8:o}" * 85, 8))
    for bits in range(16):  # the same bits in all columns of a comb with four teeth
        teeth = [((1 << 64) - 1) << 64 * i for i in range(4) if bits >> i & 1]
        found.add((2 * sum(teeth) - (1 << 256) + 1) % _N)
        # twice an entry of the table
        found.add(2 * sum((1 if bits >> i & 1 else -1) << 64 * i for i in range(4)) % _N)
    return sorted(d for d in found if 0 < d < _N)


def _key(d: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(d, ec.SECP256R1())


def _point(d: int) -> str:
    public = _key(d).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()


def _verify(key: ec.EllipticCurvePrivateKey, digest: bytes, r: int, s: int) -> Case:
    good = True
    try:
        key.public_key().verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(_SHA256))
    except InvalidSignature:
        good = False
    point = _point(key.private_numbers().private_value)
    return "verify", (point, digest.hex(), f"{r:x}", f"{s:x}"), str(good)
