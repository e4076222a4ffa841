"""What p256 and ccm do with the C module `_particle_crypto` when a board has it.

That is part of the firmware (firmware/cmodules) or a file of machine code beside this one
(firmware/natmod). Without it, or with one for another processor, importing this file fails and
Python calculates.
"""

try:
    from _particle_crypto import aes, ccm, quotient, start, step
except ValueError as e:  # what MicroPython says of a file that it cannot run
    raise ImportError(e) from None


# -> k * G + u * q as p256 has it; the same steps for all numbers
def _mul(k, u=0, q=None):
    from .p256 import _COMB as comb  # which imports this file

    work = start(_bytes(k), _bytes(u), q and _bytes(q[0]) + _bytes(q[1]), comb)
    p = None
    while not p:
        yield
        p = step(work)
    return _int(p[:32]), _int(p[32:64]), p[64]


# -> (z + r * d) / k modulo the order of the base point; the same steps for all numbers
def _quotient(z, r, d, k):
    return _int(quotient(_bytes(z), _bytes(r), _bytes(d), _bytes(k)))


def _int(b):
    return int.from_bytes(b, "big")


def _bytes(x):
    return x.to_bytes(32, "big")


class Ccm:
    """Seal and open records with one 16-byte key, as `ccm.Ccm` does; nothing is allocated."""

    def __init__(self, key, fast=None):
        self._key = aes(key)
        self._mac = bytearray(16)

    def seal(self, nonce, aad, aad_n, buf, at, n):
        """Encrypt buf[at:at+n] in place and write the tag to the 8 bytes behind it."""
        mac = self._mac
        ccm(self._key, mac, nonce, aad, aad_n, buf, at, n, False)
        for i in range(8):
            buf[at + n + i] = mac[i]

    def open(self, nonce, aad, aad_n, buf, at, n):
        """Decrypt buf[at:at+n] in place; False and zeros if the tag behind it is wrong."""
        mac = self._mac
        ccm(self._key, mac, nonce, aad, aad_n, buf, at, n, True)
        wrong = 0
        for i in range(8):
            wrong |= mac[i] ^ buf[at + n + i]
        if wrong:
            for i in range(at, at + n):
                buf[i] = 0
        return not wrong
