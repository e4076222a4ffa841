"""The server's own keys as files, and the public keys that devices register."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from particle_tools import whole_file
from particle_tools.errors import UserError

_RSA_SERVER_BITS = 2048
_RSA_DEVICE_BITS = 1024
_EXPONENT = 65537


def spki_der(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    """Encode a public key as SubjectPublicKeyInfo DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    """Encode a public key as SubjectPublicKeyInfo PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class ServerKeys:
    """The two private keys of this cloud: RSA-2048 for TCP, P-256 for UDP."""

    rsa: rsa.RSAPrivateKey
    ec: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, folder: Path) -> ServerKeys:
        """Read server.rsa.pem and server.ec.pem, making what is missing (mode 0600).

        Raises UserError if a file is there but is not such a key: a key is never replaced, the
        devices that hold its public part would all be lost.
        """
        rsa_key = _stored(
            folder / "server.rsa.pem",
            lambda: rsa.generate_private_key(_EXPONENT, _RSA_SERVER_BITS),
        )
        if not isinstance(rsa_key, rsa.RSAPrivateKey) or rsa_key.key_size != _RSA_SERVER_BITS:
            raise UserError(f"{folder / 'server.rsa.pem'} does not hold an RSA-2048 private key")
        ec_key = _stored(folder / "server.ec.pem", lambda: ec.generate_private_key(ec.SECP256R1()))
        if not _is_p256(ec_key, ec.EllipticCurvePrivateKey):
            raise UserError(f"{folder / 'server.ec.pem'} does not hold a P-256 private key")
        return cls(rsa_key, ec_key)

    def decrypt(self, block: bytes) -> bytes:
        """Undo PKCS#1 v1.5 encryption.

        The cipher library answers bad padding with random bytes instead of an error (implicit
        rejection), so nobody can use this server as a padding oracle; callers compare contents.
        Raises ValueError for a block that is not below the modulus.
        """
        return self.rsa.decrypt(block, padding.PKCS1v15())

    def sign_plain(self, digest: bytes) -> bytes:
        """Sign with a type 1 block that holds the bare digest, no DigestInfo (1.3, step 4)."""
        return self.rsa.sign(digest, padding.PKCS1v15(), NoDigestInfo())


def _is_p256(key: object, kind: type) -> bool:
    return isinstance(key, kind) and isinstance(key.curve, ec.SECP256R1)


def _stored(path: Path, make: object) -> object:
    if path.exists():
        try:
            return load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UserError(f"cannot read the server key {path}: {error}") from error
    key = make()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    whole_file.write(path, pem, secret=True)
    return key


def read_device_key(pem: str) -> tuple[str, bytes]:
    """Read a device's public key from PEM; return ("rsa" or "ec", SubjectPublicKeyInfo DER).

    Raises ValueError with a sentence for the person: private key, not PEM, wrong kind or size.
    """
    if "PRIVATE KEY" in pem:
        raise ValueError("This is a private key. Send the public key, and keep this one secret.")
    try:
        key = load_pem_public_key(pem.strip().encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("The public key is not a PEM SubjectPublicKeyInfo.") from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size != _RSA_DEVICE_BITS or key.public_numbers().e != _EXPONENT:
            raise ValueError("An RSA device key has 1024 bits and the exponent 65537.")
        return "rsa", spki_der(key)
    if _is_p256(key, ec.EllipticCurvePublicKey):
        return "ec", spki_der(key)
    raise ValueError("A device key is RSA-1024 or P-256.")


def rsa_numbers(spki: bytes) -> tuple[int, int]:
    """Return (n, e) of a stored device key."""
    key = load_der_public_key(spki)
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = key.public_numbers()
    return numbers.n, numbers.e
