"""RSA keys in DER: PKCS#1 private keys, X.509 public keys (cloud-protocol 1.1)."""

_RSA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"  # rsaEncryption, NULL


def rsa_private(der):
    """Give (n, e, d, p, q, dp, dq, qinv) of a PKCS#1 private key.

    Padding of 00 or ff behind the key is accepted, as are leading zeros of the numbers: Device OS
    stores both with a fixed width. Raises ValueError. Only rsa.pair_test() checks the numbers.
    """
    at, end = _outer(der)
    version, at = _integer(der, at, end, False)
    key = []
    while len(key) < 8:
        x, at = _integer(der, at, end, False)
        key.append(x)
    if at != end or version:
        raise ValueError("not an RSA key")
    return tuple(key)


def rsa_public(spki):
    """Give (n, e) of a SubjectPublicKeyInfo; padding of 00 or ff behind it is accepted.

    Raises ValueError.
    """
    at, end = _outer(spki)
    at, stop = _element(spki, at, end, 0x30)
    if spki[at:stop] != _RSA:
        raise ValueError("not an RSA key")
    at, end = _last(spki, stop, end, 3)
    if at == end or spki[at]:
        raise ValueError("not an RSA key")
    at, end = _last(spki, at + 1, end, 0x30)
    n, at = _integer(spki, at, end, True)
    e, at = _integer(spki, at, end, True)
    if at != end or not n & e & 1 or e < 3 or e >> 32:
        raise ValueError("not an RSA key")
    return n, e


def rsa_spki(n):
    """Give the SubjectPublicKeyInfo (162 bytes) of an RSA-1024 key with exponent 65537."""
    head = b"\x30\x81\x9f\x30\x0d" + _RSA + b"\x03\x81\x8d\x00\x30\x81\x89\x02\x81\x81\x00"
    return head + n.to_bytes(128, "big") + b"\x02\x03\x01\x00\x01"


def octets(n):
    """Give n >= 0 as the fewest bytes, big-endian; 0 gives b"". Raises above 4096 bits."""
    return n.to_bytes(512, "big").lstrip(b"\x00")


# Where the contents of the element at `at` begin and end. Only definite, shortest lengths.
def _element(der, at, end, tag):
    if at + 2 > end or der[at] != tag:
        raise ValueError("not an RSA key")
    n = der[at + 1]
    at += 2
    if n > 127:
        k = n & 127
        if not 0 < k < 3 or at + k > end:
            raise ValueError("not an RSA key")
        n = der[at] if k == 1 else der[at] << 8 | der[at + 1]
        if n < 128 or k == 2 and n < 256:
            raise ValueError("not an RSA key")
        at += k
    if at + n > end:
        raise ValueError("not an RSA key")
    return at, at + n


# The element that must fill everything up to end.
def _last(der, at, end, tag):
    at, stop = _element(der, at, end, tag)
    if stop != end:
        raise ValueError("not an RSA key")
    return at, end


# The outermost SEQUENCE; behind it only the padding of a flash slot.
def _outer(der):
    at, end = _element(der, 0, len(der), 0x30)
    if der[end:].strip(b"\x00\xff"):
        raise ValueError("not an RSA key")
    return at, end


def _integer(der, at, end, shortest):
    at, stop = _element(der, at, end, 2)
    n = stop - at
    if not 0 < n < 514 or der[at] > 127:
        raise ValueError("not an RSA key")
    if shortest and n > 1 and not der[at] and der[at + 1] < 128:
        raise ValueError("not an RSA key")
    return int.from_bytes(der[at:stop], "big"), stop
