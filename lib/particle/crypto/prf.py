"""The pseudorandom function of TLS 1.2 with SHA-256 (RFC 5246 section 5)."""

from hashlib import sha256

from .aes import hmac


def prf(secret, label, seed, n):
    """Give n bytes made from a secret, a label such as b"key expansion" and a seed."""
    seed = label + seed
    a = seed
    out = b""
    while len(out) < n:
        a = hmac(sha256, secret, a)
        out += hmac(sha256, secret, a + seed)
    return out[:n]
