"""Handshake messages: bytes to fields and back (cloud-protocol 2.1, 2.2, 2.9; RFC 5246, 6347)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY = 0, 1, 2, 3
CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE = 11, 12, 13, 14
CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED = 15, 16, 20

SUITE = 0xC0AE
SCSV = 0x00FF
ECDSA_SHA256 = b"\x04\x03"
RAW_KEY = 2
# Extensions.
GROUPS, POINT_FORMATS, SIGNATURES, CLIENT_CERTIFICATE, SERVER_CERTIFICATE = 10, 11, 13, 19, 20
CID_RFC9146, CID_PARTICLE, RENEGOTIATION = 54, 254, 0xFF01

HEADER = 12
RANDOM = 32
_VERSION = b"\xfe\xfd"
_P256 = 23
_POINT = 65


class Malformed(ValueError):
    """The bytes are not the message they claim to be."""


class Message(NamedTuple):
    """One handshake message, whole."""

    kind: int
    number: int  # message_seq
    body: bytes

    def encode(self) -> bytes:
        """Return it unfragmented with its header, the form that the transcript covers."""
        n = len(self.body).to_bytes(3, "big")
        head = bytes([self.kind]) + n + self.number.to_bytes(2, "big")
        return head + bytes(3) + n + self.body


class Reader:
    """Takes fields off the front of bytes. Raises Malformed when they run out."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, n: int) -> bytes:
        """Return the next n bytes."""
        end = self.at + n
        if end > len(self.data):
            raise Malformed("too short")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def uint(self, n: int) -> int:
        """Return the next n bytes as a number."""
        return int.from_bytes(self.take(n), "big")

    def vector(self, n: int) -> bytes:
        """Return what follows a length of n bytes."""
        return self.take(self.uint(n))

    def end(self) -> None:
        """Insist that nothing is left."""
        if self.at != len(self.data):
            raise Malformed("too long")


@dataclass(frozen=True)
class ClientHello:
    """What a client offers. `parameters` is the message without its cookie."""

    random: bytes
    cookie: bytes
    suites: tuple[int, ...]
    extensions: dict[int, bytes]
    parameters: bytes

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        """Read a ClientHello of DTLS 1.2. Raises Malformed."""
        reader = Reader(body)
        version, random = reader.take(2), reader.take(RANDOM)
        if version != _VERSION:
            raise Malformed("not DTLS 1.2")
        if len(reader.vector(1)) > RANDOM:
            raise Malformed("a session id of more than 32 bytes")
        before = reader.at
        cookie = reader.vector(1)
        after = reader.at
        suites, compressions = reader.vector(2), reader.vector(1)
        if len(suites) % 2 or 0 not in compressions:
            raise Malformed("no suites or no null compression")
        extensions: dict[int, bytes] = {}
        if reader.at < len(body):
            inner = Reader(reader.vector(2))
            while inner.at < len(inner.data):
                kind = inner.uint(2)
                if kind in extensions:
                    raise Malformed("an extension twice")
                extensions[kind] = inner.vector(2)
        reader.end()
        pairs = tuple(int.from_bytes(suites[i : i + 2], "big") for i in range(0, len(suites), 2))
        return cls(random, cookie, pairs, extensions, body[:before] + body[after:])

    def listed(self, extension: int, n: int, value: int) -> bool:
        """Tell whether a list extension (length of n bytes) holds a value. Raises Malformed."""
        reader = Reader(self.extensions.get(extension, bytes(n)))
        items, size = reader.vector(n), n
        reader.end()
        if len(items) % size:
            raise Malformed("a list that does not fit its items")
        wanted = value.to_bytes(size, "big")
        return any(items[i : i + size] == wanted for i in range(0, len(items), size))

    def cid(self, extension: int) -> bytes | None:
        """Return the CID the client wants in records to it, None if it does not want any."""
        if extension not in self.extensions:
            return None
        reader = Reader(self.extensions[extension])
        cid = reader.vector(1)
        reader.end()
        return cid


def signature_offered(hello: ClientHello) -> bool:
    """Tell whether the client takes ECDSA with SHA-256. Raises Malformed."""
    return hello.listed(SIGNATURES, 2, int.from_bytes(ECDSA_SHA256, "big"))


def curve_offered(hello: ClientHello) -> bool:
    """Tell whether the client takes P-256. Raises Malformed."""
    return hello.listed(GROUPS, 2, _P256)


def hello_verify(cookie: bytes) -> bytes:
    """Build the body of a HelloVerifyRequest."""
    return _VERSION + bytes([len(cookie)]) + cookie


def server_hello(random: bytes, extensions: list[tuple[int, bytes]]) -> bytes:
    """Build the body of a ServerHello: no session id, the one suite, null compression."""
    body = _VERSION + random + b"\0" + SUITE.to_bytes(2, "big") + b"\0"
    packed = b"".join(
        kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for kind, data in extensions
    )
    return body + len(packed).to_bytes(2, "big") + packed if packed else body


def key_exchange_parameters(point: bytes) -> bytes:
    """Build the signed part of a ServerKeyExchange: named curve and point."""
    return b"\x03" + _P256.to_bytes(2, "big") + bytes([len(point)]) + point


def server_key_exchange(parameters: bytes, signature: bytes) -> bytes:
    """Build the body of a ServerKeyExchange."""
    return parameters + _signed(signature)


def _signed(signature: bytes) -> bytes:
    return ECDSA_SHA256 + len(signature).to_bytes(2, "big") + signature


# ecdsa_sign, ECDSA with SHA-256, no authorities
CERTIFICATE_REQUEST_BODY = b"\x01\x40\x00\x02" + ECDSA_SHA256 + b"\x00\x00"


def raw_key_certificate(spki: bytes) -> bytes:
    """Build a Certificate body of RFC 7250: the key behind its length, no list around it."""
    return len(spki).to_bytes(3, "big") + spki


def x509_certificate(certificate: bytes) -> bytes:
    """Build a Certificate body with one X.509 certificate."""
    entry = len(certificate).to_bytes(3, "big") + certificate
    return len(entry).to_bytes(3, "big") + entry


def parse_raw_key(body: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a raw-key Certificate, empty if there is none."""
    reader = Reader(body)
    spki = reader.vector(3)
    reader.end()
    return spki


def parse_x509(body: bytes) -> bytes:
    """Return the first certificate of an X.509 Certificate message, empty if there is none."""
    reader = Reader(body)
    entries = Reader(reader.vector(3))
    reader.end()
    return entries.vector(3) if entries.data else b""


def parse_client_key_exchange(body: bytes) -> bytes:
    """Return the client's point."""
    reader = Reader(body)
    point = reader.vector(1)
    reader.end()
    if len(point) != _POINT:
        raise Malformed("not a point of P-256")
    return point


def parse_certificate_verify(body: bytes) -> bytes:
    """Return the signature, which must be ECDSA with SHA-256."""
    reader = Reader(body)
    if reader.take(2) != ECDSA_SHA256:
        raise Malformed("not signed with ECDSA and SHA-256")
    signature = reader.vector(2)
    reader.end()
    return signature
