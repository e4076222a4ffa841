"""P-256 keys and ECDSA signatures in DER (cloud-protocol 2.2; RFC 5480, RFC 5915)."""

from .der import _element, _integer, _last, _outer

_CURVE = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"  # prime256v1
_SPKI = (
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" + _CURVE + b"\x03\x42\x00\x04"
)  # id-ecPublicKey, then a point without compression


def signature(r, s):
    """Give the Ecdsa-Sig-Value of r and s, two numbers of at most 32 bytes."""
    out = b""
    for n in (r, s):
        n = n.to_bytes(33, "big").lstrip(b"\x00")
        if n[0] > 127:
            n = b"\x00" + n
        out += b"\x02" + bytes((len(n),)) + n
    return b"\x30" + bytes((len(out),)) + out


def parse_signature(der):
    """Give (r, s) of an Ecdsa-Sig-Value. Raises ValueError unless it is exact DER.

    Whether the numbers are in range is left to p256.verify().
    """
    at, end = _last(der, 0, len(der), 0x30)
    r, at = _integer(der, at, end, True)
    s, at = _integer(der, at, end, True)
    if at != end:
        raise ValueError("trailing data")
    return r, s


def ec_private(der):
    """Give (d, point) of a SEC1 private key on P-256; point is 65 bytes.

    Padding of 00 or ff behind the key is accepted. Raises ValueError, also when the public key is
    missing. Whether it belongs to d is for the caller to check.
    """
    at, end = _outer(der)
    at, stop = _element(der, at, end, 2)
    at, stop = _element(der, stop, end, 4)
    d = der[at:stop]
    tail = der[stop:end]
    head = b"\xa0\x0a" + _CURVE + b"\xa1\x44\x03\x42\x00\x04"
    if len(d) != 32 or len(tail) != 82 or tail[:18] != head:
        raise ValueError("not a key of P-256")
    return int.from_bytes(d, "big"), tail[17:]


def ec_public(spki):
    """Give the point, 65 bytes, of a SubjectPublicKeyInfo on P-256.

    Padding of 00 or ff behind it is accepted. Raises ValueError. Whether the point is on the curve
    is checked by p256.
    """
    if len(spki) < 91 or spki[:27] != _SPKI or spki[91:].strip(b"\x00\xff"):
        raise ValueError("not a key of P-256")
    return spki[26:91]


def ec_spki(point):
    """Give the SubjectPublicKeyInfo (91 bytes) of a point of 65 bytes."""
    return _SPKI + point[1:]
