"""The elliptic curve P-256: ECDH and ECDSA, stepped (FIPS 186-4, SEC 1, RFC 6979).

All functions but scalar() are generators: they yield after at most about 2 M
Cortex-M3 instructions and give their result as the value of StopIteration.
Points are 65 bytes, 04 || X || Y; private keys are numbers from 1 to n - 1.

public() and sign() do the same steps for all numbers; ecdh() does not, so its
key should be used once. How long Python's long integers take varies anyhow.
"""

from .prf import hmac

# Point i is the base point times 2**192 + e2 * 2**128 + e1 * 2**64 + e0, where e is 1 for a set
# bit of i and -1 otherwise.
_COMB = (
    b"\xdc\xa7\x46\x34\x84\x11\xaf\xb5\x7a\x94\x1b\x31\x00\xc7\x46\x2e\xc7\xdd\x30\x79\x02\xd8"
    b"\x83\x40\x2c\x14\x7b\xd3\x02\x3e\x0a\x99\xa3\x78\xf4\x9c\x3c\x60\x73\xe0\xef\xa2\x30\xd3"
    b"\x8e\x28\x75\xb6\xd1\x70\xfe\x41\x00\x60\x63\x2c\x47\xb0\xd5\x20\x23\x5f\x3f\xb0\x47\xb8"
    b"\xc1\x5b\x59\x31\x23\x90\x87\xf5\x1b\xcf\xa6\xc7\x51\x33\x24\xfc\x08\x1a\xd4\xe6\xe5\xc5"
    b"\xf7\x44\x7e\x16\xe0\xb9\x01\x0a\xea\xb6\x9c\xfc\xb2\x7b\xce\xd9\x1d\xe9\xc2\xea\xd6\x1a"
    b"\xa5\xc0\xc8\xcb\x9d\x1b\xc2\xfa\xa8\x27\x5d\x8a\x5a\x16\xd7\xb4\xb7\x92\x39\xf2\xe1\x26"
    b"\xe7\xa9\x01\x57\xaf\xf9\x55\xe9\x75\xa5\x29\x79\x4f\xcf\xde\x2a\x0f\xcb\x47\xe3\x8d\xb2"
    b"\x21\x50\x5b\x37\x0b\x39\x2f\xe3\x91\x8b\x81\xba\xc5\xc2\x03\x4c\xfc\x1d\x65\x14\x1b\x26"
    b"\x6f\xda\xb9\xfb\x48\x1d\xe5\xac\xc1\x3c\x7a\x63\x86\x51\x22\xba\xb9\x86\x68\xc6\x4a\x1d"
    b"\x88\x9b\x37\xb0\x90\x17\x18\x35\x52\x37\x43\x72\x6c\x12\xf9\x02\x1b\xc1\xdb\xd4\x0b\x53"
    b"\x76\x99\xe8\x98\x04\xef\x5f\xa9\xa1\x13\xf2\x97\xc8\xda\xa7\x51\x5d\xa9\xf6\x56\x4e\xc8"
    b"\x47\x65\x37\xc4\x8f\x4e\xc8\x94\xa7\x32\x3a\x91\x3c\x3d\x83\x99\xd7\x6d\xf7\x06\x60\xcb"
    b"\x57\x4a\xf4\x33\xf5\x1b\x14\xf0\xac\xcb\xd9\xe5\xa6\xc9\x02\xa9\x73\x42\xe8\x9b\x4c\x02"
    b"\xfa\xa6\xa0\x8f\x6b\x51\x56\xec\xb1\xcc\x58\xef\x27\xc6\x20\x16\xd4\xc8\x7a\x47\xe0\x13"
    b"\xc6\x87\x58\x72\x74\xc9\x3f\x9b\xe6\x8b\xa2\xba\x61\x30\x2d\x5d\x50\x8f\xdc\x2e\x7f\x8e"
    b"\xd5\x08\xa4\x3b\x83\xb7\x0b\xa6\xd2\xf4\xe0\x10\x3c\x59\xd1\x4f\x8e\xad\x7d\xb8\xca\xb2"
    b"\x6c\x58\x4e\x7f\x2c\xc4\xa0\x29\x04\x10\xb8\x83\x23\xe6\xde\x42\x70\x75\x0b\x1d\x46\xb0"
    b"\xf7\x59\xeb\xd1\x78\x2f\xb0\x12\x80\xc1\x87\x81\xfb\xda\xfc\x93\x14\x10\xb4\x14\xf9\xce"
    b"\xe8\x1f\xf1\x0c\x45\xe3\x88\xa8\x1f\xd9\xd0\x3d\xe4\x7c\x24\x7d\x3c\xe7\x42\xeb\x3e\xb3"
    b"\x52\x34\xfa\x6a\xda\x4c\xbf\xe6\x1e\xe2\x0c\x94\x51\x28\xca\xda\x9a\xd5\x97\x13\xe7\xca"
    b"\xa8\x7b\x21\x11\x08\x2c\xa2\x0d\xb4\x8e\x26\xb4\x84\xf7\xa2\x1c\x0a\x4a\x46\xfb\x6a\xaf"
    b"\x36\x3a\x66\xb0\xde\x32\x25\xc4\x74\x4b\x96\x15\xb5\x11\x0d\x1d\x78\xe5\xfa\xc0\x15\x40"
    b"\x4d\x4d\x3d\xab\x64\x13\x1b\xcd\xfe\xd6\xf6\x68\xc0\x04\xe4\x04\x8b\x7b\x0f\x98\x06\xeb"
    b"\xb0\xf6\x21\xa0\x1b\x2d"
)


def scalar(rng):
    """Give a random number from 1 to n - 1; rng(count) gives random bytes. Raises ValueError."""
    for _ in range(9):
        d = _int(rng(32))
        if _in_range(d):
            return d
    raise ValueError("rng")


def public(d):
    """Give the public key, 65 bytes, of the private key d."""
    x, y, _ = _affine((yield from _mul(d)))
    return b"\x04" + _bytes(x) + _bytes(y)


def ecdh(d, point):
    """Give the shared secret, 32 bytes, of the private key d and the peer's public key.

    Raises ValueError when that is not a point of the curve.
    """
    q = _point(point)
    if not q:
        raise ValueError("point")
    return _bytes(_affine((yield from _mul(0, d, q)))[0])


def sign(d, digest):
    """Give the signature (r, s) of a 32-byte digest with the private key d."""
    z = _int(digest)
    # RFC 6979, section 3.2
    seed = _bytes(d) + _bytes(z % _N)
    k = bytes(32)
    v = b"\x01" * 32
    for octet in (b"\x00", b"\x01"):
        k = hmac(k, v + octet + seed)
        v = hmac(k, v)
    while True:
        v = hmac(k, v)
        t = _int(v)
        if _in_range(t):
            break
        k = hmac(k, v + b"\x00")
        v = hmac(k, v)
    r = _affine((yield from _mul(t)))[0] % _N
    yield
    return r, _quotient(z, r, d, t)


def verify(point, digest, r, s):
    """Tell whether (r, s) is the signature of a 32-byte digest under the public key point.

    False also when that is not a point of the curve.
    """
    q = _point(point)
    if not (q and _in_range(r) and _in_range(s)):
        return False
    s = _inverse(s, _N)
    yield
    p = yield from _mul(_int(digest) * s % _N, r * s % _N, q)
    return p[2] > 0 and _affine(p)[0] % _N == r


def _int(b):
    return int.from_bytes(b, "big")


def _bytes(x):
    return x.to_bytes(32, "big")


# The prime of the field and the order of the base point. As expressions of powers of two they
# would be folded into decimal text, twice the size.
_P = _int(
    b"\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
    b"\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
)
_N = _int(
    b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"
)


def _in_range(x):
    return 0 < x < _N


# -> (x, y, 1), or None when the bytes are not a point of the curve
def _point(point):
    b = _int(
        b"\x5a\xc6\x35\xd8\xaa\x3a\x93\xe7\xb3\xeb\xbd\x55\x76\x98\x86\xbc"
        b"\x65\x1d\x06\xb0\xcc\x53\xb0\xf6\x3b\xce\x3c\x3e\x27\xd2\x60\x4b"
    )
    if len(point) == 65 and point[0] == 4:
        x = _int(point[1:33])
        y = _int(point[33:])
        if x < _P and y < _P and not (y * y - (x * x - 3) * x - b) % _P:
            return x, y, 1
    return None


# Euclid's: 0.5 M instructions, against 5 M for an exponentiation
def _inverse(a, m):
    b = m
    x = 1
    y = 0
    while a != 1:
        q, r = divmod(b, a)
        b = a
        a = r
        r = y - q * x
        y = x
        x = r
    return x % m


# (X, Y, Z) means (X/Z**2, Y/Z**3); Z = 0 is infinity. -> (x, y, 1), not for infinity
def _affine(point):
    x, y, z = point
    z = _inverse(z, _P)
    w = z * z % _P
    return x * w % _P, w * z % _P * y % _P, 1


def _quotient(z, r, d, k):
    return _inverse(k, _N) * (z + r * d) % _N


def _double(point):
    x, y, z = point
    p = _P
    w = z * z % p
    z = (y + y) * z % p
    y = y * y % p
    b = x * y % p << 2
    a = (x - w) * 3 * (x + w) % p
    x = (a * a - b - b) % p
    return x, (a * (b - x) - (y * y << 3)) % p, z


# Add (s, t, 1). Reducing a product costs more than twice what multiplying does.
def _add(point, s, t):
    x, y, z = point
    p = _P
    if not z:
        return s, t, 1
    w = z * z % p
    h = (s * w - x) % p
    r = (w * z % p * t - y) % p
    if not h:
        return (1, 1, 0) if r else _double((s, t, 1))
    w = h * h % p
    y = (r * x - y * h) % p
    x = (r * r - (x + x + h) * w) % p
    return x, (y * w - r * x) % p, z * h % p


# -> k * G + u * q as (X, Y, Z)
def _mul(k, u=0, q=None):
    # k is the sum of 2**i for the set bits of c and of -2**i for the others. Even numbers do not
    # have such a form, but k - n has.
    comb = _bytes((k if k & 1 else k - _N) + _int(b"\xff" * 32) >> 1)
    i = 63
    if q:
        # u is the sum of d * 2**i, with d = 1, 3, -3 or -1 at least three places apart
        triple = _affine(_add(_double(q), q[0], q[1]))
        yield
        digits = bytearray(257)
        for i in range(257):
            d = u & 7
            if d & 1:
                digits[i] = d
                u += (d & 4) * 2 - d
            u >>= 1
    p = (1, 1, 0)
    while i >= 0:
        p = _double(p)
        if k and i < 64:
            # one bit from each quarter
            d = 0
            for at in range(7, 32, 8):
                d = d << 1 | comb[at - (i >> 3)] >> (i & 7) & 1
            at = ((d if d & 8 else ~d) & 7) << 6
            s = _int(_COMB[at : at + 32])
            t = _int(_COMB[at + 32 : at + 64])
            p = _add(p, s, t if d & 8 else -t)
        if q and digits[i]:
            d = digits[i]
            s, t, _ = triple if d + 1 & 4 else q
            p = _add(p, s, t if d < 4 else -t)
        if not i & 3 or k and q and not i & 1:
            yield
        i -= 1
    return p


try:
    from .native import _mul, _quotient
except ImportError:
    pass
