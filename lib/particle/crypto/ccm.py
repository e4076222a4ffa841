"""AES-128-CCM with an 8-byte tag and a 12-byte nonce, in place (RFC 3610, RFC 6655).

Two implementations give the same bytes. One works byte by byte and allocates
nothing per record. The other lets the C code chain a whole record and XORs it as
a long integer: a fifth of the time for a long record, and garbage of twelve
times its size.
"""

import gc

from micropython import const

try:
    from .native import Ccm as _Native
except ImportError:
    from cryptolib import aes

    _Native = None

_ECB = const(1)  # mode numbers of cryptolib, which exports no names
_CBC = const(2)
_PLENTY = const(50000)  # bytes of free heap that make garbage cheap


def plenty():
    """Collect garbage and tell whether the heap has room for ciphers that make more of it."""
    gc.collect()
    return not hasattr(gc, "mem_free") or gc.mem_free() > _PLENTY


class Ccm:
    """Seal and open records with one 16-byte key; fast: they may make garbage."""

    # what _run() works with: three blocks, whatever the key
    _blocks = bytearray(16), bytearray(16), bytearray(16)

    def __init__(self, key, fast):
        self._fast = fast and key
        self._ecb = aes(key, _ECB)

    def seal(self, nonce, aad, aad_n, buf, at, n):
        """Encrypt buf[at:at+n] in place and write the tag to the 8 bytes behind it.

        nonce: 12 bytes, never used before with this key. aad: its first aad_n bytes are protected,
        at least one. All lengths are below 65280.
        """
        tag = self._run(nonce, aad, aad_n, buf, at, n, False)
        for i in range(8):
            buf[at + n + i] = tag[i]

    def open(self, nonce, aad, aad_n, buf, at, n):
        """Decrypt buf[at:at+n] in place; tell whether the tag in the 8 bytes behind it is right.

        If it is not, buf[at:at+n] becomes zeros.
        """
        tag = self._run(nonce, aad, aad_n, buf, at, n, True)
        wrong = 0
        for i in range(8):
            wrong |= tag[i] ^ buf[at + n + i]
        if wrong:
            for i in range(at, at + n):
                buf[i] = 0
        return not wrong

    # -> a block that begins with the tag
    def _run(self, nonce, aad, aad_n, buf, at, n, opening):
        key = self._fast
        ecb = self._ecb
        mac, counter, stream = self._blocks
        mac[0] = 0x5A
        counter[0] = 2
        for i in range(12):
            mac[i + 1] = counter[i + 1] = nonce[i]
        mac[13] = 0
        mac[14] = n >> 8
        mac[15] = n & 255
        ecb.encrypt(mac, mac)
        if key:
            blocks = bytearray()
            for i in range(16, n + 16, 16):
                counter[14] = i >> 12
                counter[15] = i >> 4 & 255
                blocks += counter
            ecb.encrypt(blocks, blocks)
            x = int.from_bytes(buf[at : at + n], "big")
            y = int.from_bytes(blocks[:n], "big") ^ x
            buf[at : at + n] = y.to_bytes(n, "big")
            text = aad_n.to_bytes(2, "big") + aad[:aad_n] + bytes(-aad_n - 2 & 15)
            text += (y if opening else x).to_bytes(n, "big") + bytes(-n & 15)
            mac[:] = aes(key, _CBC, mac).encrypt(text)[-16:]
        else:
            mac[0] ^= aad_n >> 8
            mac[1] ^= aad_n & 255
            for i in range(aad_n):
                j = i + 2 & 15
                if not j:
                    ecb.encrypt(mac, mac)
                mac[j] ^= aad[i]
            i = 0
            while i < n:
                ecb.encrypt(mac, mac)
                i += 16
                counter[14] = i >> 12
                counter[15] = i >> 4 & 255
                ecb.encrypt(counter, stream)
                for j in range(min(16, n + 16 - i)):
                    x = buf[at]
                    y = buf[at] = x ^ stream[j]
                    mac[j] ^= y if opening else x
                    at += 1
            ecb.encrypt(mac, mac)
        counter[14] = counter[15] = 0
        ecb.encrypt(counter, stream)
        for i in range(8):
            mac[i] ^= stream[i]
        return mac


Ccm = _Native or Ccm
