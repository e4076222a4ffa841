"""AES-128-CCM with an 8-byte tag and a 12-byte nonce, in place (RFC 3610, RFC 6655).

Two implementations give the same bytes: one works block by block and allocates
nothing per record; the other lets the C code chain whole records and XORs them
as long integers, which is faster and makes about 7 bytes of garbage per byte.
"""

import gc

from cryptolib import aes
from micropython import const

_ECB = const(1)  # mode numbers of cryptolib, which exports no names
_CBC = const(2)
_PLENTY = const(60000)  # bytes of free heap with which garbage is cheap


class Ccm:
    """Seal and open records with one 16-byte key.

    fast: True for the form that allocates, None to choose it by the free heap.
    """

    def __init__(self, key, fast=None):
        if fast is None:
            gc.collect()
            fast = not hasattr(gc, "mem_free") or gc.mem_free() > _PLENTY
        self._ecb = aes(key, _ECB)
        self._mac = bytearray(16)
        self._counter = bytearray(16)
        self._stream = bytearray(16)
        self._cbc = aes(key, _CBC, self._mac) if fast else None

    def seal(self, nonce, aad, aad_n, buf, at, n):
        """Encrypt buf[at:at+n] in place and write the tag to the 8 bytes behind it.

        nonce: 12 bytes, never used twice. aad_n: how many bytes of aad to protect, < 65280.
        """
        (self._slow if self._cbc is None else self._fast)(nonce, aad, aad_n, buf, at, n, False)
        at += n
        for i in range(8):
            buf[at + i] = self._mac[i]

    def open(self, nonce, aad, aad_n, buf, at, n):
        """Decrypt buf[at:at+n] in place; tell whether the tag in the 8 bytes behind it is right.

        If it is not, buf[at:at+n] is all zeros.
        """
        (self._slow if self._cbc is None else self._fast)(nonce, aad, aad_n, buf, at, n, True)
        wrong = 0
        for i in range(8):
            wrong |= self._mac[i] ^ buf[at + n + i]
        if wrong:
            for i in range(n):
                buf[at + i] = 0
        return not wrong
