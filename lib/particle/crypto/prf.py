"""HMAC and the pseudorandom function of TLS 1.2, both with SHA-256 (RFC 2104, RFC 5246 5)."""

from hashlib import sha256


def hmac(key, data):
    """Give the HMAC of data; key is at most 64 bytes."""
    inner = _keyed(key, b"\x36")
    inner.update(data)
    outer = _keyed(key, b"\x5c")
    outer.update(inner.digest())
    return outer.digest()


def prf(secret, label, seed, n):
    """Give n bytes made from a secret, a label such as b"master secret" and a seed.

    secret: at most 64 bytes.
    """
    seed = label + seed
    a = seed
    out = b""
    while len(out) < n:
        a = hmac(secret, a)
        out += hmac(secret, a + seed)
    return out[:n]


# A hash that has read the block made of the key and a byte; XOR as long integers is quicker.
def _keyed(key, octet):
    key = int.from_bytes(key + bytes(64 - len(key)), "big")
    return sha256((key ^ int.from_bytes(octet * 64, "big")).to_bytes(64, "big"))
