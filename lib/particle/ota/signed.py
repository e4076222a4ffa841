"""Signatures of updates: which key, and whether it fits (ota-and-boot 4.5)."""

import binascii
import hashlib

from micropython import const

from ..wire.module import Refused

# Error numbers of Device OS (ota-and-boot 1.9)
_UNSUPPORTED = const(-1310)
_FAILED = const(-1320)

_P256 = const(1)  # kind of a signature
# id-ecPublicKey and prime256v1; SHA-256 in a block of PKCS#1
_EC_HEAD = const(
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
    b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
)
_RSA_HEAD = const(b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20")


def keys(board, store):
    """Give the public keys that updates may be signed with, as DER: one, or two while they change.

    They are in the board's profile, frozen (UPDATE_KEYS), or files of the store.
    """
    frozen = getattr(board, "UPDATE_KEYS", None)
    if frozen is not None:
        return list(frozen)
    return list(filter(None, (store.read("update.0.der"), store.read("update.1.der"))))


def find(keys, key_id):
    """Give the key whose SHA-256 begins with the 8 bytes `key_id`; raises `Refused`."""
    if not keys:
        raise Refused(_FAILED, "no key for updates is known: particle-mp firmware keys")
    for der in keys:
        if hashlib.sha256(der).digest()[:8] == key_id:
            return der
    key_id = binascii.hexlify(key_id).decode()
    raise Refused(_FAILED, "the bundle is signed with an unknown key: " + key_id)


def verify(kind, der, signature, digest):
    """Tell whether a signature is one of the SHA-256 `digest`; stepped. Raises `Refused`."""
    return (yield from (_by_p256 if kind == _P256 else _by_rsa)(der, signature, digest))


def _by_p256(der, signature, digest):
    from ..crypto.p256 import verify

    if len(der) != 91 or der[:26] != _EC_HEAD:
        raise Refused(_FAILED, "the key for updates is none on P-256")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    return (yield from verify(der[26:], digest, r, s))


def _by_rsa(der, signature, digest):
    try:
        from ..crypto.der import rsa_public
        from ..crypto.rsa import verify
    except ImportError:
        raise Refused(_UNSUPPORTED, "RSA signatures: install the component core-tcp") from None
    try:
        n, e = rsa_public(der)
    except ValueError:
        n = e = 0
    if n >> 2047 != 1:
        raise Refused(_FAILED, "the key for updates is none of RSA-2048")
    return (yield from verify(n, e, signature, _RSA_HEAD + digest))
