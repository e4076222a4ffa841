"""The server's half of the key exchange on TCP, without I/O (cloud-protocol 1.3)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from particle_tools.cloud.keys import rsa_numbers
from particle_tools.cloud.refusals import DEVICE_KEY, ID, SERVER_KEY, Refused

NONCE = 40
CLIENT_BLOCK = 256  # RSA-2048
_CREDENTIALS = 40
_ID = 12
_RSA_OVERHEAD = 3  # 00 02 .. 00


@dataclass(frozen=True)
class ClientMessage:
    """Who the device says it is. `public_key` is empty in the 52-byte form of old firmware."""

    device_id: str
    public_key: bytes


@dataclass(frozen=True)
class Credentials:
    """The 40 session bytes: AES key, first IV of both directions, salt."""

    raw: bytes

    @classmethod
    def new(cls) -> Credentials:
        """Draw random credentials."""
        return cls(secrets.token_bytes(_CREDENTIALS))

    @property
    def key(self) -> bytes:
        """AES-128 key."""
        return self.raw[:16]

    @property
    def iv(self) -> bytes:
        """First IV."""
        return self.raw[16:32]

    @property
    def salt(self) -> bytes:
        """Seed of the device's message ID."""
        return self.raw[32:]


def read_client_message(plain: bytes, nonce: bytes) -> ClientMessage:
    """Split a decrypted client message of 52 or more bytes. Raises Refused."""
    if len(plain) < NONCE + _ID or not hmac.compare_digest(plain[:NONCE], nonce):
        # Decryption with a wrong key gives random bytes (keys.decrypt), so this is where a
        # wrong server key shows; a replayed message looks the same.
        raise Refused(
            SERVER_KEY, "the client message was not made for this server's key and nonce"
        )
    return ClientMessage(plain[NONCE : NONCE + _ID].hex(), plain[NONCE + _ID :])


def check_identity(message: ClientMessage, known: bool, stored_key: bytes | None) -> bytes:
    """Return the device's registered key. Raises Refused; a stored key is never replaced."""
    device_id = message.device_id
    if not known:
        raise Refused(ID, "no device with this id is registered", device_id)
    if stored_key is None:
        raise Refused(DEVICE_KEY, "no RSA key is registered for this device", device_id)
    if message.public_key and message.public_key != stored_key:
        raise Refused(DEVICE_KEY, "the device's key is not the registered one", device_id)
    return stored_key


def _nonzero(n: int) -> bytes:
    return bytes(secrets.randbelow(255) + 1 for _ in range(n))


def encrypt(spki: bytes, message: bytes, padding: Callable[[int], bytes] = _nonzero) -> bytes:
    """Encrypt with PKCS#1 v1.5 type 2 under a device's RSA key."""
    n, e = rsa_numbers(spki)
    size = (n.bit_length() + 7) // 8
    filler = padding(size - _RSA_OVERHEAD - len(message))
    block = b"\x00\x02" + filler + b"\x00" + message
    return pow(int.from_bytes(block, "big"), e, n).to_bytes(size, "big")


def digest(credentials: Credentials, sealed: bytes) -> bytes:
    """Return what the server signs: the HMAC-SHA1 of the encrypted credentials."""
    return hmac.new(credentials.raw, sealed, hashlib.sha1).digest()
