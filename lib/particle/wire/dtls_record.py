"""DTLS 1.2 records by offset in one buffer, with connection IDs (cloud-protocol 2.3, 2.8).

Handshakes run in epoch 0 in clear; everything else is epoch 1, AES-128-CCM-8. A record number
is two 24-bit halves, because an int above 2**30 would be garbage on a 32-bit board.
"""

from micropython import const

from ..crypto.ccm import Ccm, plenty

_CID = const(25)  # content type of a record with a connection ID
_MOVED = const(253)  # the same while a resumed session asks for its new address to be noticed
_HEADER = const(13)  # without connection ID
_NUMBER = const(3)  # where epoch and record number begin
_EXPLICIT = const(8)  # nonce in front of the ciphertext
_TAG = const(8)
_WINDOW = const(64)


class Records:
    """Read and write the records of one connection; one object from handshake to end.

    pad: 15 to fill the plaintext of records with connection ID up to blocks of 16, as Device OS
    does; 0 for none. After open(): type (0 when the record is to be ignored), epoch, at, n.
    What a saved session needs: block, cid, hi, lo (number of the next record sent), top_hi,
    top_lo, window.
    """

    # True: a resumed session, datagrams begin with byte 253. Only their first record does: a front
    # end that looks at one byte loses others (cloud-protocol 2.8).
    moved = False

    def __init__(self, pad=0):
        self._pad = pad
        self._plain = 0  # number of the next record of epoch 0
        self._seal = self._open = None
        self.cid = self.own = b""
        self.hi = self.lo = self.top_hi = self.top_lo = 0
        self.window = bytearray(_WINDOW >> 3)  # bit (number & 63) of the last 64 numbers: received
        self.type = self.epoch = self.at = self.n = 0

    def keys(self, block, cid=b"", own=b"", fast=None):
        """Protect from now on: the 40-byte key block of the client and both connection IDs.

        cid: what the peer wants to see in our records; own: what we gave it for its records.
        fast: whether the ciphers may make garbage; None decides by the free heap.
        """
        if fast is None:
            fast = plenty()
        self.block = block
        self._seal = Ccm(block[:16], fast)
        self._open = Ccm(block[16:32], fast)
        self._out = bytearray(block[32:36] + bytes(8))  # nonces
        self._in = bytearray(block[36:] + bytes(8))
        self._aad = bytearray(32 + len(cid) + len(own))
        self.cid = cid
        self.own = own

    def head(self):
        """Return how many bytes of a protected record come before its content."""
        return _HEADER + len(self.cid) + _EXPLICIT

    def plain(self, kind, buf, at, data):
        """Write a record of epoch 0 to buf[at:]; return its length."""
        n = len(data)
        self._header(kind, buf, at, 0, 0, self._plain)
        self._plain += 1
        at += _HEADER
        buf[at - 2] = n >> 8
        buf[at - 1] = n & 255
        buf[at : at + n] = data
        return _HEADER + n

    def seal(self, kind, buf, at, n):
        """Protect the n bytes at buf[at + head():], header at `at`; return the record's length."""
        cid = self.cid
        head = at + _HEADER
        if cid:
            for x in cid:
                buf[head - 2] = x
                head += 1
            buf[head + _EXPLICIT + n] = kind
            n += 1
            while n & self._pad:
                buf[head + _EXPLICIT + n] = 0
                n += 1
            kind = _MOVED if self.moved and not at else _CID
        self._header(kind, buf, at, 1, self.hi, self.lo)
        buf[head - 2] = n + _EXPLICIT + _TAG >> 8
        buf[head - 1] = n + _EXPLICIT + _TAG & 255
        for i in range(_EXPLICIT):
            buf[head + i] = self._out[4 + i] = buf[at + _NUMBER + i]
        self.lo = self.lo + 1 & 0xFFFFFF
        if not self.lo:
            self.hi += 1
        k = self._additional(buf, at, len(cid), n)
        head += _EXPLICIT
        self._seal.seal(self._out, self._aad, k, buf, head, n)
        return head + n + _TAG - at

    def open(self, buf, at, end):
        """Take apart the record at buf[at:end]; return where the next one begins.

        The content stays where it is and is decrypted in place. What is damaged, old, repeated or
        of another epoch has type 0. Never raises, allocates nothing but what the cipher does.
        """
        self.type = 0
        if at + _HEADER > end:
            return end
        kind = buf[at]
        own = self.own if kind in (_CID, _MOVED) else b""
        head = at + _HEADER + len(own)
        if head > end:
            return end
        n = buf[head - 2] << 8 | buf[head - 1]
        stop = head + n
        if stop > end:
            return end
        self.epoch = epoch = buf[at + 3] << 8 | buf[at + 4]
        # the version of a HelloVerifyRequest may be that of DTLS 1.0 (RFC 6347 section 4.2.1)
        if buf[at + 1] != 0xFE or buf[at + 2] != 0xFD and epoch:
            return stop
        if not epoch:
            self.type = kind
            self.at = head
            self.n = n
        elif epoch == 1 and self._open and n >= _EXPLICIT + _TAG and len(own) == len(self.own):
            for i in range(len(own)):
                if own[i] != buf[at + 11 + i]:
                    return stop
            self._decrypt(kind, buf, at, head, n - _EXPLICIT - _TAG)
        return stop

    def _decrypt(self, kind, buf, at, head, n):
        hi = buf[at + 5] << 16 | buf[at + 6] << 8 | buf[at + 7]
        lo = buf[at + 8] << 16 | buf[at + 9] << 8 | buf[at + 10]
        # how far the number is ahead of the highest one; only up to 64 matters
        ahead = hi - self.top_hi
        if -2 < ahead < 2:
            ahead = (ahead << 24) + lo - self.top_lo
        else:
            ahead = _WINDOW if ahead > 0 else -_WINDOW
        window = self.window
        bit = lo & _WINDOW - 1
        if ahead <= -_WINDOW or ahead <= 0 and window[bit >> 3] >> (bit & 7) & 1:
            return
        nonce = self._in
        for i in range(_EXPLICIT):
            nonce[4 + i] = buf[head + i]
        head += _EXPLICIT
        k = self._additional(buf, at, len(self.own), n)
        if not self._open.open(nonce, self._aad, k, buf, head, n):
            return
        if ahead > 0:
            self.top_hi = hi
            self.top_lo = lo
            for i in range(min(ahead, _WINDOW)):
                i = lo - i & _WINDOW - 1
                window[i >> 3] &= ~(1 << (i & 7))
        window[bit >> 3] |= 1 << (bit & 7)
        if self.own:
            while n and not buf[head + n - 1]:
                n -= 1
            if not n:
                return
            n -= 1
            kind = buf[head + n]
        self.type = kind
        self.at = head
        self.n = n

    def _header(self, kind, buf, at, epoch, hi, lo):
        buf[at] = kind
        buf[at + 1] = 0xFE
        buf[at + 2] = 0xFD
        buf[at + 3] = 0
        buf[at + 4] = epoch
        for i in range(3):
            buf[at + 5 + i] = hi >> 16 - 8 * i & 255
            buf[at + 8 + i] = lo >> 16 - 8 * i & 255

    # Fills self._aad for the record at `at` of n bytes of plaintext, with a connection ID of k
    # bytes; returns how many bytes. Layout of draft 05; the byte 253 counts as 25.
    def _additional(self, buf, at, k, n):
        aad = self._aad
        for i in range(_EXPLICIT + k):
            # epoch and number, a gap for type and version, connection ID
            aad[i if i < 8 else i + 3] = buf[at + _NUMBER + i]
        aad[8] = _CID if k else buf[at]
        aad[9] = 0xFE
        aad[10] = 0xFD
        if k:
            k += 1
            aad[10 + k] = k - 1
        aad[11 + k] = n >> 8
        aad[12 + k] = n & 255
        return 13 + k
