"""DTLS 1.2 records of the Particle dialect and of RFC 9146, without I/O (cloud-protocol 2.3, 2.9).

A record is protected with AES-128-CCM and an 8-byte tag. With a connection ID the real type is
hidden behind the content; the two dialects differ in the data that is only authenticated.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
WITH_CID = 25
MOVED = 253  # WITH_CID of a session that may come from a new address (2.5)
MOVED_BY_ID = 254  # the same before connection IDs: the device id follows the record (2.5)

CID_N = 8  # of every connection ID this server gives
MAX_NUMBER = (1 << 48) - 1
OVERHEAD = 13 + 8 + 8  # of an ordinary protected record: header, explicit nonce, tag

_VERSION = 0xFEFD
_OLD_VERSION = 0xFEFF  # DTLS 1.0 in the header of a first ClientHello: OpenSSL, GnuTLS
_HEADER = 13
_LENGTH = 2
_NONCE = 8
_TAG = 8
_ID = 12
_WINDOW = 64
_PLAIN = struct.Struct(">QBHH")  # epoch and number, type, version, length of the content
_DRAFT = struct.Struct(">QBH8sBH")  # the same around an 8-byte CID and its length
_KINDS = frozenset((CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, WITH_CID, MOVED))


class Record(NamedTuple):
    """One record as it came; `kind` is WITH_CID for both forms with a connection ID."""

    kind: int
    epoch: int
    number: int
    cid: bytes
    body: bytes
    moved: bool = False


def split(datagram: bytes) -> list[Record]:
    """Cut a datagram into records; what follows the last well-formed one is left out."""
    records = []
    at = 0
    while len(datagram) - at >= _HEADER:
        kind = datagram[at]
        if kind not in _KINDS:
            break
        cid_n = CID_N if kind in (WITH_CID, MOVED) else 0
        version, epoch = struct.unpack_from(">HH", datagram, at + 1)
        if version != _VERSION and (version != _OLD_VERSION or epoch):
            break
        start = at + _HEADER + cid_n
        if start > len(datagram):
            break
        end = start + int.from_bytes(datagram[start - _LENGTH : start], "big")
        if end > len(datagram) or end == start:
            break
        number = int.from_bytes(datagram[at + 5 : at + 11], "big")
        cid = datagram[at + 11 : at + 11 + cid_n]
        moved = kind == MOVED
        records.append(
            Record(WITH_CID if moved else kind, epoch, number, cid, datagram[start:end], moved)
        )
        at = end
    return records


def take_device_id(datagram: bytes) -> tuple[str, bytes] | None:
    """Split a datagram of type 254 into device id and ordinary record; None if it is neither."""
    end = len(datagram) - _ID - 1
    if end < OVERHEAD or datagram[-1] != _ID:
        return None
    return datagram[end:-1].hex(), bytes([APPLICATION_DATA]) + datagram[1:end]


def plain(kind: int, number: int, body: bytes) -> bytes:
    """Build a record of epoch 0."""
    return struct.pack(">BHH", kind, _VERSION, 0) + _number(number) + _sized(body)


def _number(number: int) -> bytes:
    return number.to_bytes(6, "big")


def _sized(body: bytes) -> bytes:
    return len(body).to_bytes(_LENGTH, "big") + body


class Direction:
    """Protects or opens the records of one direction; `cid` is empty for ordinary records."""

    __slots__ = ("_ccm", "_iv", "_standard", "cid")

    def __init__(self, key: bytes, iv: bytes, cid: bytes = b"", *, standard: bool = False) -> None:
        self._ccm = AESCCM(key, tag_length=_TAG)
        self._iv = iv
        self._standard = standard  # RFC 9146 instead of draft 05
        self.cid = cid

    def seal(self, kind: int, number: int, content: bytes) -> bytes:
        """Return the record of epoch 1 with this number and content."""
        counter = (1 << 48 | number).to_bytes(_NONCE, "big")
        if self.cid:
            content += bytes([kind])
            kind = WITH_CID
        data = self._data(kind, counter, len(content))
        sealed = counter + self._ccm.encrypt(self._iv + counter, content, data)
        head = struct.pack(">BH", kind, _VERSION)
        return head + counter + self.cid + _sized(sealed)

    def open(self, record: Record) -> tuple[int, bytes] | None:
        """Return (type, content) of a protected record, or None if it is not authentic."""
        body = record.body
        length = len(body) - _NONCE - _TAG
        if length < 0 or record.cid != self.cid:
            return None
        counter = (record.epoch << 48 | record.number).to_bytes(_NONCE, "big")
        data = self._data(record.kind, counter, length)
        try:
            content = self._ccm.decrypt(self._iv + body[:_NONCE], body[_NONCE:], data)
        except InvalidTag:
            return None
        if not self.cid:
            return record.kind, content
        inner = content.rstrip(b"\0")  # padding
        return (inner[-1], inner[:-1]) if inner else (0, b"")

    def _data(self, kind: int, counter: bytes, length: int) -> bytes:
        # What is authenticated beside the content.
        number = int.from_bytes(counter, "big")
        if not self.cid:
            return _PLAIN.pack(number, kind, _VERSION, length)
        if not self._standard:
            if len(self.cid) == CID_N:
                return _DRAFT.pack(number, WITH_CID, _VERSION, self.cid, CID_N, length)
            head = struct.pack(">QBH", number, WITH_CID, _VERSION)
            return head + self.cid + bytes([len(self.cid)]) + length.to_bytes(2, "big")
        head = b"\xff" * 8 + struct.pack(">BBBH", WITH_CID, len(self.cid), WITH_CID, _VERSION)
        return head + counter + self.cid + length.to_bytes(2, "big")


class Window:
    """Which record numbers were used: the highest and the 63 below it (2.8)."""

    __slots__ = ("bits", "top")

    def __init__(self, top: int = -1, bits: int = 0) -> None:
        self.top = top
        self.bits = bits  # bit k: number `top - k` was used

    def fresh(self, number: int) -> bool:
        """Tell whether a number may still be used."""
        below = self.top - number
        if below < 0:
            return number <= MAX_NUMBER
        return below < _WINDOW and not self.bits >> below & 1

    def use(self, number: int) -> bool:
        """Mark a fresh number as used; return whether it is the highest so far."""
        ahead = number - self.top
        if ahead > 0:
            self.bits = (self.bits << min(ahead, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
            self.top = number
            return True
        self.bits |= 1 << -ahead
        return False


def pack(records: list[bytes], limit: int) -> list[bytes]:
    """Join records into as few datagrams as the limit allows, in order (2.7: all are read)."""
    datagrams: list[bytes] = []
    waiting = b""
    for record in records:
        if waiting and len(waiting) + len(record) > limit:
            datagrams.append(waiting)
            waiting = b""
        waiting += record
    return [*datagrams, waiting] if waiting else datagrams
