"""HMAC and the pseudorandom function of TLS 1.2, both with SHA-256 (RFC 2104, RFC 5246 5)."""

from hashlib import sha256


def hmac(key, data):
    """Give the HMAC of data; key is at most 64 bytes."""
    key = int.from_bytes(key + bytes(64 - len(key)), "big")
    for octet in (b"\x36", b"\x5c"):
        # XOR as long integers is quicker than byte by byte
        h = sha256((key ^ int.from_bytes(octet * 64, "big")).to_bytes(64, "big"))
        h.update(data)
        data = h.digest()
    return data


def prf(secret, label, seed, n):
    """Give n bytes made from a secret, a label such as b"master secret" and a seed.

    secret: at most 64 bytes.
    """
    a = seed = label + seed
    out = b""
    while len(out) < n:
        a = hmac(secret, a)
        out += hmac(secret, a + seed)
    return out[:n]
