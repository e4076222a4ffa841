"""RSA-1024 keys made on the device, stepped (FIPS 186-4, B.3.3 and C.3.1; cloud-protocol 1.1).

The generator yields after at most about 2 M Cortex-M3 instructions. About 70 candidates are to be
expected, most of them of 30 M instructions.
"""

from micropython import const

from .rsa import pair_test, powmod

_E = const(65537)
_BYTES = const(64)  # of a prime
_ROUNDS = const(7)  # of Miller and Rabin: wrong once in 2**100 random numbers, FIPS 186-4 C.3
_SIEVED = const(8)  # numbers looked at in a slice
_TRIES = const(20000)  # numbers after which the source of random bytes is taken for broken

# Primes whose products are small enough for a division each, and these products.
_PRIMES = const(
    (
        b"\x03\x05\x07\x0b\x0d\x11\x13\x17\x1d\x1f\x25\x29",
        b"\x2b\x2f\x35\x3b\x3d\x43\x47\x49",
    )
)


def generate(rng, seen):
    """Give (n, e, d, p, q, dp, dq, qinv); rng(count) gives random bytes.

    seen: a list of one number, which counts the candidates and so shows the progress.
    Raises ValueError when rng gives no random bytes.
    """
    products = []
    for primes in _PRIMES:
        product = 1
        for p in primes:
            product *= p
        products.append(product)
    p = yield from _prime(rng, seen, products)
    q = yield from _prime(rng, seen, products)
    if not abs(p - q) >> 412:
        raise ValueError("rng")
    if p < q:
        p, q = q, p
    phi = (p - 1) * (q - 1)
    # d = (1 + k * phi) / e for the k that makes this whole; e is a prime
    d = (1 + -pow(phi % _E, _E - 2, _E) % _E * phi) // _E
    yield
    qinv = yield from powmod(q, p - 2, p)
    key = p * q, _E, d, p, q, d % (p - 1), d % (q - 1), qinv
    yield
    if not pair_test(key):
        raise ValueError("rng")
    return key


def _prime(rng, seen, products):
    n = 0
    for tries in range(_TRIES):
        if not tries % _SIEVED:
            yield
        last = n
        n = int.from_bytes(rng(_BYTES), "big") | 3 << _BYTES * 8 - 2 | 1
        if n == last:
            break
        if (n - 1) % _E and not _divisible(n, products):
            seen[0] += 1
            base = 2
            rounds = 0
            while not (yield from _composite(n, base)):
                if rounds == _ROUNDS:
                    return n
                rounds += 1
                base = int.from_bytes(rng(_BYTES), "big") % (n - 3) + 2
    raise ValueError("rng")


def _divisible(n, products):
    for primes, product in zip(_PRIMES, products):
        r = n % product
        for p in primes:
            if not r % p:
                return True
    return False


def _composite(n, base):
    # a round of Miller and Rabin
    d = n >> 1
    twos = 0
    while not d & 1:
        d >>= 1
        twos += 1
    x = yield from powmod(base, d, n)
    if x in (1, n - 1):
        return False
    for i in range(twos):
        if not i % _SIEVED:
            yield
        x = x * x % n
        if x == n - 1:
            return False
    return True
