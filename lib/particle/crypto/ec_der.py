"""P-256 keys and ECDSA signatures in DER (cloud-protocol 2.2; RFC 5480, RFC 5915).

DER has one form for each value: what is read must be what would be written.
"""

_CURVE = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"  # prime256v1


def signature(r, s):
    """Give the Ecdsa-Sig-Value of r and s, two numbers from 0 to 2**256 - 1."""
    out = b""
    for n in (r, s):
        n = n.to_bytes(32, "big").lstrip(b"\x00")
        if not n or n[0] > 127:
            n = b"\x00" + n
        out += b"\x02" + bytes((len(n),)) + n
    return b"\x30" + bytes((len(out),)) + out


def parse_signature(der):
    """Give (r, s) of an Ecdsa-Sig-Value, two numbers below 2**256. Raises ValueError."""
    if 8 <= len(der) <= 72:
        at = der[3] + 4
        r = int.from_bytes(der[4:at], "big")
        s = int.from_bytes(der[at + 2 :], "big")
        if not (r | s) >> 256 and signature(r, s) == der:
            return r, s
    raise ValueError("signature")


def ec_private(der):
    """Give (d, point) of a SEC1 private key on P-256 that holds its public key, 65 bytes.

    Padding of 00 or ff behind it is accepted. Raises ValueError. Neither d nor the point is
    checked: p256.public(d) must give the point.
    """
    d = der[7:39]
    head = b"\x30\x77\x02\x01\x01\x04\x20" + d + b"\xa0\x0a" + _CURVE + b"\xa1\x44\x03\x42\x00\x04"
    return int.from_bytes(d, "big"), _point(der, 121, head)


def ec_public(spki):
    """Give the point, 65 bytes, of a SubjectPublicKeyInfo on P-256.

    Padding of 00 or ff behind it is accepted. Raises ValueError. p256 checks the point.
    """
    return _point(spki, 91, ec_spki(b"\x04"))


def ec_spki(point):
    """Give the SubjectPublicKeyInfo (91 bytes) of a point of 65 bytes."""
    head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"  # id-ecPublicKey
    return head + _CURVE + b"\x03\x42\x00" + point


# The point that a key of n bytes ends with.
def _point(der, n, head):
    if der[: n - 64] != head or len(der) < n or der[n:].strip(b"\x00\xff"):
        raise ValueError("key")
    return der[n - 65 : n]
