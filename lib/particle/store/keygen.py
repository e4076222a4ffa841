"""Keys made on the device (DESIGN decision 4): the private one never leaves it.

`for percent in make(store, "udp", os.urandom): ...` makes what is missing and nothing else; what
to register with the cloud is `public(store, "udp")`.
"""

from micropython import const

from ..errors import ConfigError
from .place import refuse_fat

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

# an EC key around its number, and in front of its point (RFC 5915)
_EC_HEAD = const(b"\x30\x77\x02\x01\x01\x04\x20")
_EC_POINT = const(b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\xa1\x44\x03\x42\x00")


def _number(x):
    # an INTEGER in DER; leading zero so that it is positive
    n = 1
    while x >> 8 * n - 1:
        n += 1
    return b"\x02" + _length(n) + x.to_bytes(n, "big")


def _length(n):
    if n < 128:
        return bytes((n,))
    return b"\x81" + bytes((n,)) if n < 256 else b"\x82" + bytes((n >> 8, n & 255))


def public(store, transport):
    """Return the public key of the stored one for "udp" or "tcp", DER; None when it is missing.

    Raises `ConfigError` when it is damaged.
    """
    name = "device.ec.der" if transport == "udp" else "device.rsa.der"
    data = store.read(name)
    if not data:
        return None
    try:
        if transport == "udp":
            from .keys_ec import ec_private, ec_spki

            return ec_spki(ec_private(data)[1])
        from ..crypto.der import rsa_private, rsa_spki
        from ..crypto.rsa import pair_test

        key = rsa_private(data)
        if not pair_test(key):
            raise ValueError("damaged")
        return rsa_spki(key[0])
    except ValueError as e:
        text = "%s: %s: remove it to have another made, and register that" % (name, e)
        raise ConfigError(_BAD_DATA, text, "device key") from None


def make(store, transport, rng):
    """Make the key for "udp" or "tcp" unless there is one; yield the percentage that is done.

    A generator whose slices are short; it writes one file at its end. rng(n) gives random bytes.
    Raises `ConfigError` on FAT or for a damaged key, `Error(FILE)`, ValueError when rng fails.
    """
    refuse_fat(store.root)
    if public(store, transport):
        return
    seen = [0]
    if transport == "udp":
        from ..crypto import p256

        d = p256.scalar(rng)
        steps = p256.public(d)
    else:
        from ..crypto.rsagen import generate

        steps = generate(rng, seen)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made = end.value
            break
        if transport == "udp":
            seen[0] += 4
        yield 99 * seen[0] // (seen[0] + 35)
    if transport == "udp":
        der = _EC_HEAD + d.to_bytes(32, "big") + _EC_POINT + made
        store.write("device.ec.der", der)
    else:
        # RFC 8017, A.1.2
        body = b"\x02\x01\x00" + b"".join(map(_number, made))
        store.write("device.rsa.der", b"\x30" + _length(len(body)) + body)
