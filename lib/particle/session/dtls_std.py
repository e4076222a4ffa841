"""The DTLS channel for servers of the standard dialect (cloud-protocol 2.9): a Certificate with
a raw key (RFC 7250) or an X.509 list with the pinned key inside, connection IDs of RFC 9146 or of
its draft 05, or none. Not part of the core.
"""

from micropython import const

from ..wire.dtls_handshake import Handshake
from ..wire.dtls_record import Records
from .dtls import Dtls

# Error numbers of Device OS (errors.py)
_ABORTED = const(-150)
_NOT_ALLOWED = const(-130)

_ALERT = const(21)  # content type
_CERTIFICATE = const(11)
_REQUEST = const(13)
_DONE = const(14)
_VERIFY = const(15)
_BAD_CERTIFICATE = const(42)
_RFC_9146 = const(54)
_DRAFT = const(254)
_RAW = const(b"\x02")


def _extension(number, content):
    return number.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


class StandardHandshake(Handshake):
    """The messages of one handshake; `certified` tells that the pinned key was presented.

    pinned: the server's SPKI. own: connection ID that the server is to use, b"" to get ordinary
    records, None to offer no IDs at all.
    """

    ORDER = bytes((2, _CERTIFICATE, 12, _REQUEST, _DONE))

    def __init__(self, random, pinned, own):
        super().__init__(random, False, 4096)
        self._pinned = pinned
        self.own = own
        self._asked = False

    def offer(self):
        """Return suites, compression methods and extensions of the hello."""
        offer = super().offer()
        head, extensions = offer[:6], offer[8:]
        extensions = extensions.replace(b"\x00\xfe\x00\x01\x00", b"")
        if self.own is not None:
            content = bytes((len(self.own),)) + self.own
            extensions += _extension(_DRAFT, content) + _extension(_RFC_9146, content)
        return head + len(extensions).to_bytes(2, "big") + extensions

    def extensions(self, found):
        """Judge what the server agreed to: extension number -> content."""
        self._raw_server = found.get(20) == _RAW
        self._raw_client = found.get(19) == _RAW
        self.rfc = _RFC_9146 in found
        cid = found.get(_RFC_9146, found.get(_DRAFT))
        if cid is None:
            self.own = None
            self.cid = b""
        elif self.own is None or len(cid) != 1 + cid[0]:
            raise ValueError("connection ID")
        else:
            self.cid = cid[1:]

    def accept(self, m):
        """Take apart a message of the server's flight; return True when it was the last one."""
        if m[0] == _DONE and self.ORDER[self._step] == _REQUEST:
            self._step += 1
        last = super().accept(m)
        if m[0] == _REQUEST:
            self._asked = True
        elif m[0] == _CERTIFICATE:
            if self._raw_server:
                self.certified = m[12:] == len(self._pinned).to_bytes(3, "big") + self._pinned
            else:
                self.certified = self._pinned in m[12:]
        return last

    def message(self, kind, body):
        """Return a message, b"" for a proof of our key that the server has not asked for."""
        if kind == _CERTIFICATE and not self._raw_client:
            body = bytes(3)
        if kind == _CERTIFICATE and not self._asked:
            return b""
        if kind == _VERIFY and not (self._asked and self._raw_client):
            return b""
        return super().message(kind, body)


class StandardRecords(Records):
    """Records with the additional data of RFC 9146 where that was agreed."""

    def __init__(self, shake, pad):
        super().__init__(pad)
        self._shake = shake

    def keys(self, block, cid=b"", own=b"", fast=None):
        """Protect from now on; our own connection ID is that of the handshake."""
        super().keys(block, cid, self._shake.own or b"", fast)
        self._rfc = self._shake.rfc
        self._shake = None

    def _additional(self, buf, at, k, n):
        if not (k and self._rfc):
            return super()._additional(buf, at, k, n)
        aad = self._aad
        for i in range(8):
            aad[i] = 0xFF
            aad[13 + i] = buf[at + 3 + i]
        aad[8] = aad[10] = 25
        aad[9] = k
        aad[11] = 0xFE
        aad[12] = 0xFD
        for i in range(k):
            aad[21 + i] = buf[at + 11 + i]
        aad[21 + k] = n >> 8
        aad[22 + k] = n & 255
        return 23 + k


class Standard(Dtls):
    """Channel to a server that knows nothing of Particle (see `Dtls`).

    own: connection ID for the server's records, see `StandardHandshake`. pad: 15 to pad ours.
    """

    profile = 1  # one message per record, one record per datagram, nothing before Finished

    def __init__(self, keys, saved, rng, size=1152, own=b"", pad=0):
        super().__init__(keys, saved, rng, size)
        self._own = own
        self._pad = pad

    def dialect(self, random):
        """Return what reads and writes the messages of a handshake."""
        return StandardHandshake(random, self._keys.server, self._own)

    def records(self):
        """Return what reads and writes the records; keys come later."""
        return StandardRecords(self._shake, self._pad)

    def close(self, now):
        """Say goodbye to the server and go down; DOWN follows."""
        self._now = now
        self._down("cloud", _ABORTED)
        self._pending = self._protect(_ALERT, 0, b"\x01\x00")

    def _answer(self):
        if self._shake.certified:
            return (yield from super()._answer())
        return self._down("server key", _NOT_ALLOWED, _BAD_CERTIFICATE)

    def _fly(self, flight):
        super()._fly(list(filter(None, flight)))
