"""AES-128-CCM with an 8-byte tag and a 12-byte nonce, in place (RFC 3610, RFC 6655).

Two implementations give the same bytes. One works byte by byte and allocates
nothing per record; the other lets the C code chain a whole record and XORs it as
long integers: faster, and garbage of about seven times the record.
"""

import gc

from cryptolib import aes
from micropython import const

_ECB = const(1)  # mode numbers of cryptolib, which exports no names
_CBC = const(2)
_PLENTY = const(60000)  # bytes of free heap that make garbage cheap


class Ccm:
    """Seal and open records with one 16-byte key.

    fast: whether records may make garbage; None decides by the free heap.
    """

    def __init__(self, key, fast=None):
        if fast is None:
            gc.collect()
            fast = not hasattr(gc, "mem_free") or gc.mem_free() > _PLENTY
        self._ecb = aes(key, _ECB)
        self._mac = bytearray(16)
        self._counter = bytearray(16)
        self._stream = bytearray(16)
        # The CBC object lives on; its chaining value is always the last block it gave.
        self._cbc = aes(key, _CBC, self._mac) if fast else None
        self._chain = 0

    def seal(self, nonce, aad, aad_n, buf, at, n):
        """Encrypt buf[at:at+n] in place and write the tag to the 8 bytes behind it.

        nonce: 12 bytes, never used before with this key. aad: its first aad_n bytes are protected.
        n and aad_n: below 65280.
        """
        if self._cbc:
            self._fast(nonce, aad, aad_n, buf, at, n, False)
        else:
            self._slow(nonce, aad, aad_n, buf, at, n, False)
        at += n
        for i in range(8):
            buf[at + i] = self._mac[i]

    def open(self, nonce, aad, aad_n, buf, at, n):
        """Decrypt buf[at:at+n] in place; tell whether the tag in the 8 bytes behind it is right.

        If it is not, buf[at:at+n] becomes zeros.
        """
        if self._cbc:
            self._fast(nonce, aad, aad_n, buf, at, n, True)
        else:
            self._slow(nonce, aad, aad_n, buf, at, n, True)
        wrong = 0
        for i in range(8):
            wrong |= self._mac[i] ^ buf[at + n + i]
        if wrong:
            for i in range(n):
                buf[at + i] = 0
        return not wrong

    def _slow(self, nonce, aad, aad_n, buf, at, n, opening):
        ecb = self._ecb
        mac = self._mac
        counter = self._counter
        stream = self._stream
        mac[0] = 0x5A if aad_n else 0x1A
        counter[0] = 2
        for i in range(12):
            mac[i + 1] = counter[i + 1] = nonce[i]
        mac[13] = 0
        mac[14] = n >> 8
        mac[15] = n & 255
        ecb.encrypt(mac, mac)
        if aad_n:
            mac[0] ^= aad_n >> 8
            mac[1] ^= aad_n & 255
            j = 2
            for i in range(aad_n):
                mac[j] ^= aad[i]
                j = j + 1 & 15
                if not j:
                    ecb.encrypt(mac, mac)
            if j:
                ecb.encrypt(mac, mac)
        for i in range(n):
            j = i & 15
            if not j:
                counter[14] = (i >> 4) + 1 >> 8
                counter[15] = (i >> 4) + 1 & 255
                ecb.encrypt(counter, stream)
            x = buf[at]
            buf[at] = y = x ^ stream[j]
            mac[j] ^= y if opening else x
            if j == 15:
                ecb.encrypt(mac, mac)
            at += 1
        if n & 15:
            ecb.encrypt(mac, mac)
        counter[14] = counter[15] = 0
        ecb.encrypt(counter, stream)
        for i in range(8):
            mac[i] ^= stream[i]

    def _fast(self, nonce, aad, aad_n, buf, at, n, opening):
        count = n + 31 >> 4
        stream = bytearray((b"\x02" + nonce + b"\x00\x00\x00") * count)
        for i in range(count):
            stream[16 * i + 14] = i >> 8
            stream[16 * i + 15] = i & 255
        self._ecb.encrypt(stream, stream)
        text = memoryview(buf)[at : at + n]
        plain = bytes(text)
        if n:
            other = int.from_bytes(plain, "big") ^ int.from_bytes(stream[16 : 16 + n], "big")
            text[:] = other.to_bytes(n, "big")
            if opening:
                plain = bytes(text)
        if aad_n:
            head = aad_n.to_bytes(2, "big") + aad[:aad_n]
            plain = head + bytes(-len(head) & 15) + plain
        start = bytes((0x5A if aad_n else 0x1A,)) + nonce + n.to_bytes(3, "big")
        # The object XORs its chaining value into the first block: take it out beforehand.
        start = (int.from_bytes(start, "big") ^ self._chain).to_bytes(16, "big")
        plain = self._cbc.encrypt(start + plain + bytes(-len(plain) & 15))
        self._chain = int.from_bytes(plain[-16:], "big")
        for i in range(8):
            self._mac[i] = plain[i - 16] ^ stream[i]
