"""Key schedule and signatures of TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 (cloud-protocol 2.2)."""

from __future__ import annotations

import hashlib
import hmac

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

KEY_BLOCK = 40  # client key, server key, client IV, server IV
VERIFY_DATA = 12
_MASTER = 48
_KEY = 16
_IV = 4
_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(hashes.SHA256())


def prf(secret: bytes, label: bytes, seed: bytes, n: int) -> bytes:
    """Return n bytes of the TLS 1.2 pseudorandom function with SHA-256."""
    seed = label + seed
    a, out = seed, b""
    while len(out) < n:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:n]


def master_secret(premaster: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """Return the 48-byte master secret."""
    return prf(premaster, b"master secret", client_random + server_random, _MASTER)


def key_block(master: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """Return the 40 bytes that a session needs to go on."""
    return prf(master, b"key expansion", server_random + client_random, KEY_BLOCK)


def split_key_block(block: bytes) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Return (key, IV) of the client's and of the server's records."""
    ivs = 2 * _KEY
    return (block[:_KEY], block[ivs : ivs + _IV]), (block[_KEY:ivs], block[ivs + _IV :])


def verify_data(master: bytes, label: bytes, transcript: bytes) -> bytes:
    """Return the content of a Finished; label is b"client finished" or b"server finished"."""
    return prf(master, label, hashlib.sha256(transcript).digest(), VERIFY_DATA)


class Ephemeral:
    """The server's key of one handshake."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(_CURVE)
        self.point = self._key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def agree(self, point: bytes) -> bytes:
        """Return the premaster secret. Raises ValueError for what is not a point."""
        if len(point) != len(self.point) or point[0] != 4:
            raise ValueError("not an uncompressed point of P-256")
        peer = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        return self._key.exchange(ec.ECDH(), peer)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return an ECDSA-SHA256 signature as DER."""
    return key.sign(message, _ECDSA)


def verify(spki: bytes, signature: bytes, message: bytes) -> bool:
    """Check an ECDSA-SHA256 signature."""
    key = load_der_public_key(spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(signature, message, _ECDSA)
    except InvalidSignature:
        return False
    return True


def checked_spki(spki: bytes) -> bytes:
    """Return a P-256 public key, which must be in its one DER form. Raises ValueError."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
        raise ValueError("not an uncompressed key")  # nor hybrid: 91 bytes, 04 before the point
    return spki


def certificate_spki(certificate: bytes) -> bytes:
    """Return the P-256 key of an X.509 certificate (2.9). Raises ValueError."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a certificate") from error
    return checked_spki(spki)
