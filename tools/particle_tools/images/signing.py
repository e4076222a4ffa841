"""Keys that updates are signed with, and their signatures (ota-and-boot 4.5)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from particle_tools.errors import UserError

UNSIGNED, P256, RSA_2048 = 0, 1, 2
KINDS = {"p256": P256, "rsa2048": RSA_2048}
NAMES = {UNSIGNED: "none", P256: "ECDSA on P-256", RSA_2048: "RSA-2048"}
ID_BYTES = 8

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_DIGEST = Prehashed(hashes.SHA256())


def make(path: Path, kind: str) -> Private:
    """Make a key pair and write the private key, PEM, readable by nobody else.

    Raises UserError when the file is there already.
    """
    key: Private
    if KINDS[kind] == P256:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(f"{path} is there already; a key is never replaced") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    try:
        with open(made, "wb") as file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a key would be there already
        raise UserError(f"{path}: {error.strerror}") from None
    return key


def private(path: Path) -> Private:
    """Read a private key, PEM or DER. Raises UserError."""
    data = _read(path)
    try:
        if data.startswith(b"-----"):
            key = serialization.load_pem_private_key(data, None)
        else:
            key = serialization.load_der_private_key(data, None)
    except TypeError:
        raise UserError(f"{path}: the key has a password: openssl pkey removes it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UserError(f"{path} holds no private key") from None
    if not isinstance(key, Private) or kind(key.public_key()) is None:
        raise UserError(f"{path}: not a key on P-256 and not one of RSA-2048")
    return key


def public(path: Path) -> Public:
    """Read a public key, or the public half of a private one; PEM or DER. Raises UserError."""
    data = _read(path)
    try:
        if data.startswith(b"-----"):
            key = serialization.load_pem_public_key(data)
        else:
            key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return private(path).public_key()
    if not isinstance(key, Public) or kind(key) is None:
        raise UserError(f"{path}: not a key on P-256 and not one of RSA-2048")
    return key


def kind(key: Public) -> int | None:
    """Return P256 or RSA_2048; None for any other key."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return P256 if isinstance(key.curve, ec.SECP256R1) else None
    return RSA_2048 if key.key_size == 2048 else None


def der(key: Public) -> bytes:
    """Return a public key as a board keeps it."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_id(key: Public) -> bytes:
    """Return what a bundle calls the key: the beginning of the SHA-256 of its DER form."""
    return hashlib.sha256(der(key)).digest()[:ID_BYTES]


def sign(key: Private, digest: bytes) -> bytes:
    """Return the signature of a SHA-256 as it stands in a bundle."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(_DIGEST)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return key.sign(digest, padding.PKCS1v15(), _DIGEST)


def verify(key: Public, signature: bytes, digest: bytes) -> bool:
    """Tell whether a signature is one of this SHA-256."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(_DIGEST))
        else:
            key.verify(signature, digest, padding.PKCS1v15(), _DIGEST)
    except InvalidSignature:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
