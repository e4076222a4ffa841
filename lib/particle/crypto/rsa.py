"""RSA with PKCS#1 v1.5 padding, stepped (cloud-protocol 1.3).

All functions but pair_test() are generators: they yield after at most about 2 M Cortex-M3
instructions and give their result as the value of StopIteration. A multiplication with its
reduction costs 45 k instructions at 512 bits, half as much again on a fragmented heap, and 620 k
at 2048 (measured, tests/bench/instructions).
"""

from .der import octets, rsa_public


def powmod(b, e, m):
    """Give b ** e % m for e >= 0, m > 1."""
    # Multiplications per slice; the built-in pow keeps its intermediate numbers off the heap.
    limit = 100000 // len(octets(m)) ** 2
    w = 4 if limit > 15 else 1
    yield
    table = [1, b % m]
    while not len(table) >> w:
        table.append(table[-1] * b % m)
        if len(table) == 8:
            yield
    r = 1
    left = 0
    for octet in octets(e):
        for shift in range(8 - w, -1, -w):
            if left <= w:
                yield
                left = limit
            left -= w + 1
            r = pow(r, 1 << w, m) * table[octet >> shift & (1 << w) - 1] % m
    return r


def encrypt(n, e, message, rng):
    """Encrypt message for the public key (n, e); rng(count) gives random bytes.

    Raises ValueError when message is longer than the modulus less 11 bytes.
    """
    size = len(octets(n))
    count = size - 3 - len(message)
    if count < 8:
        raise ValueError("message too long")
    padding = b""
    tries = 0
    while len(padding) < count:
        tries += 1
        if tries > 99:
            raise ValueError("rng")
        padding += bytes(filter(None, rng(count - len(padding))))
    block = b"\x00\x02" + padding + b"\x00" + message
    c = yield from powmod(int.from_bytes(block, "big"), e, n)
    return c.to_bytes(size, "big")


def decrypt(key, block):
    """Decrypt block with the tuple of der.rsa_private(), once that has passed pair_test().

    Raises ValueError when the block does not fit the key or its padding is wrong.
    """
    n, _, _, p, q, dp, dq, qinv = key
    size = len(octets(n))
    c = int.from_bytes(block, "big")
    if len(block) != size or c >= n:
        raise ValueError("block")
    x = yield from powmod(c, dp, p)
    y = yield from powmod(c, dq, q)
    block = (y + (x - y) * qinv % p * q).to_bytes(size, "big")
    at = block.find(b"\x00", 2)
    if at < 10 or block[0] or block[1] != 2:
        raise ValueError("padding")
    return block[at + 1 :]


def verify(n, e, signature, digest):
    """Tell whether signature is a type 1 block of the bare digest (no DigestInfo)."""
    size = len(octets(n))
    count = size - 3 - len(digest)
    s = int.from_bytes(signature, "big")
    if len(signature) != size or s >= n or count < 8:
        return False
    m = yield from powmod(s, e, n)
    return m.to_bytes(size, "big") == b"\x00\x01" + b"\xff" * count + b"\x00" + digest


def pair_test(key, spki=None):
    """Tell whether the numbers of a private key belong together, and to the public key spki."""
    n, e, d, p, q, dp, dq, qinv = key
    if e < 3 or p < 3 or q < 3 or p * q != n or qinv * q % p != 1:
        return False
    for prime, exponent in ((p - 1, dp), (q - 1, dq)):
        if exponent * e % prime != 1 or d % prime != exponent:
            return False
    return spki is None or rsa_public(spki) == (n, e)
