"""Calculates with the device's code: `micropython tests/reference/runner.py FILE`.

Each line of FILE is a JSON list: the name of a function below and its arguments,
numbers and bytes in hexadecimal. One line of text is printed for each. Start it
in the project's root.
"""

import json
import sys

from particle.crypto import p256, prf
from particle.crypto.ccm import Ccm
from support import drive


def public(d):
    """Give the public key of a private key."""
    return drive(p256.public(int(d, 16))).hex()


def ecdh(d, point):
    """Give the shared secret, or "refused"."""
    try:
        return drive(p256.ecdh(int(d, 16), bytes.fromhex(point))).hex()
    except ValueError:
        return "refused"


def sign(d, digest, k=None):
    """Give "r s"; k replaces the nonce of RFC 6979."""
    real = p256.hmac
    if k:
        p256.hmac = lambda key, data: bytes.fromhex(k)
    try:
        return "%x %x" % drive(p256.sign(int(d, 16), bytes.fromhex(digest)))
    finally:
        p256.hmac = real


def verify(point, digest, r, s):
    """Tell whether a signature is good."""
    steps = p256.verify(bytes.fromhex(point), bytes.fromhex(digest), int(r, 16), int(s, 16))
    return str(drive(steps))


def hmac(key, data):
    """Give the HMAC-SHA256."""
    return prf.hmac(bytes.fromhex(key), bytes.fromhex(data)).hex()


def seal(fast, key, nonce, aad, plain):
    """Give ciphertext and tag."""
    nonce, aad, plain = [bytearray(bytes.fromhex(text)) for text in (nonce, aad, plain)]
    buf = plain + bytes(8)
    Ccm(bytes.fromhex(key), fast).seal(nonce, aad, len(aad), buf, 0, len(plain))
    return bytes(buf).hex()


def unseal(fast, key, nonce, aad, sealed):
    """Give the plaintext, or "refused"."""
    nonce, aad, buf = [bytearray(bytes.fromhex(text)) for text in (nonce, aad, sealed)]
    n = len(buf) - 8
    if not Ccm(bytes.fromhex(key), fast).open(nonce, aad, len(aad), buf, 0, n):
        return "refused"
    return bytes(buf[:n]).hex() if n else ""  # b"".hex() is b"" in MicroPython 1.25


def main(path):
    """Print the result of every line of a file."""
    with open(path) as file:
        for line in file:
            name, *arguments = json.loads(line)
            print(globals()[name](*arguments))


if __name__ == "__main__":
    main(sys.argv[1])
