"""A DTLS 1.2 client for testing the cloud, written from the protocol text alone.

It shares nothing with the server but the library `cryptography`, and nothing with the device
library. No I/O: `start` and `datagram` return datagrams to send. Every form a client may take is
an option; what a test wants to spoil it spoils between `flight` and the socket.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

DEVICE_OS = (13, 10, 11, 254, 19, 20)  # extensions of 6.2.0 in their order (2.1)
OLD_DEVICE_OS = (13, 10, 11, 19, 20)  # 2.3.1: no connection ID
COMPACT = (13, 10, 254, 19)  # fourth form of 2.8
STANDARD = (13, 10, 11, 54, 19, 20)

_BODIES = {
    13: "00080403040103030301",
    10: "00020017",
    11: "0100",
    254: "00",
    54: "00",
    19: "0102",
    20: "0102",
}
_ECDSA = ec.ECDSA(hashes.SHA256())


def spki(key):
    """Return the 91-byte public key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def prf(secret, label, seed, n):
    """TLS 1.2 PRF with SHA-256."""
    out, a = b"", label + seed
    while len(out) < n:
        a = hmac.new(secret, a, hashlib.sha256).digest()
        out += hmac.new(secret, a + label + seed, hashlib.sha256).digest()
    return out[:n]


def handshake_message(kind, number, body, at=0, n=None):
    """Build a handshake fragment; the whole message by default."""
    piece = body[at:] if n is None else body[at : at + n]
    head = bytes([kind]) + len(body).to_bytes(3, "big") + number.to_bytes(2, "big")
    return head + at.to_bytes(3, "big") + len(piece).to_bytes(3, "big") + piece


def plain_record(kind, number, body, epoch=0, version=b"\xfe\xfd"):
    """Build an unprotected record."""
    head = bytes([kind]) + version + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
    return head + len(body).to_bytes(2, "big") + body


class Alert(Exception):
    """The server sent a fatal alert."""


class Keys:
    """Key block, connection ID and numbers: all that a session is."""

    def __init__(self, block, cid, rfc9146=False):
        self.block = block
        self.cid = cid
        self.rfc9146 = rfc9146
        self.number = 0
        self.up = AESCCM(block[:16], tag_length=8)
        self.down = AESCCM(block[16:32], tag_length=8)
        self.up_iv, self.down_iv = block[32:36], block[36:40]

    def seal(self, content, kind=23, *, wire=None, pad=None, number=None, epoch=1):
        """Build the next record; `wire` replaces the first byte, `pad` is the zeros added."""
        if number is None:
            number = self.number
            self.number += 1
        counter = (epoch << 48 | number).to_bytes(8, "big")
        if not self.cid:
            data = counter + bytes([kind]) + b"\xfe\xfd" + len(content).to_bytes(2, "big")
            sealed = self.up.encrypt(self.up_iv + counter, content, data)
            head = bytes([wire or kind]) + b"\xfe\xfd" + counter
            return head + (len(sealed) + 8).to_bytes(2, "big") + counter + sealed
        inner = content + bytes([kind])
        inner += bytes(-len(inner) % 16 if pad is None else pad)
        if self.rfc9146:
            data = b"\xff" * 8 + bytes([25, len(self.cid), 25]) + b"\xfe\xfd"
            data += counter + self.cid + len(inner).to_bytes(2, "big")
        else:
            data = counter + b"\x19\xfe\xfd" + self.cid + bytes([len(self.cid)])
            data += len(inner).to_bytes(2, "big")
        sealed = self.up.encrypt(self.up_iv + counter, inner, data)
        head = bytes([wire or 25]) + b"\xfe\xfd" + counter + self.cid
        return head + (len(sealed) + 8).to_bytes(2, "big") + counter + sealed

    def open(self, record):
        """Open a record of the server; return (type, number, content)."""
        kind, version, counter, n = struct.unpack(">B2s8sH", record[:13])
        assert version == b"\xfe\xfd" and n == len(record) - 13
        assert record[13:21] == counter, "the explicit nonce is not the number"
        data = counter + bytes([kind]) + version + (n - 16).to_bytes(2, "big")
        content = self.down.decrypt(self.down_iv + record[13:21], record[21:], data)
        assert counter[:2] == b"\x00\x01"
        return kind, int.from_bytes(counter[2:], "big"), content


def records(datagram):
    """Cut a datagram of the server into records; it must end where a record ends."""
    found = []
    while datagram:
        n = 13 + int.from_bytes(datagram[11:13], "big")
        assert len(datagram) >= n, "a record is cut off"
        found.append(datagram[:n])
        datagram = datagram[n:]
    return found


class DtlsClient:
    """One client; `keys` is there after the handshake."""

    __test__ = False

    def __init__(
        self,
        key,
        server_spki,
        *,
        extensions=DEVICE_OS,
        bodies=None,
        suites=(0xC0AE, 0x00FF),
        merged=False,
        pad=None,
        standard=False,
        certificate=None,
        random=None,
        fragment=None,
    ):
        self.key = key
        self.server_spki = server_spki
        self.random = random or os.urandom(32)
        self.suites = suites
        self.extensions = extensions
        self.bodies = {n: bytes.fromhex(_BODIES[n]) for n in _BODIES} | (bodies or {})
        self.merged = merged  # three messages in one record
        self.pad = pad  # zeros behind the Finished; None: to a multiple of 16
        self.standard = standard
        self.certificate = certificate
        self.fragment = fragment  # bytes of body per handshake fragment
        self.cookie = b""
        self.number = 0  # of the next epoch-0 record
        self.transcript = b""
        self.keys = None
        self.done = False
        self.server_numbers = []  # record numbers of the server in epoch 1
        self.received = {}  # message_seq -> [kind, length, bytearray, covered]
        self.expected = 0
        self.flight5 = None
        self.server_extensions = {}
        self.closed = False

    # Sending.

    def hello_body(self):
        """Build the ClientHello."""
        body = b"\xfe\xfd" + self.random + b"\0" + bytes([len(self.cookie)]) + self.cookie
        body += (2 * len(self.suites)).to_bytes(2, "big")
        body += b"".join(suite.to_bytes(2, "big") for suite in self.suites) + b"\x01\x00"
        packed = b"".join(
            n.to_bytes(2, "big") + len(self.bodies[n]).to_bytes(2, "big") + self.bodies[n]
            for n in self.extensions
        )
        return body + len(packed).to_bytes(2, "big") + packed if packed else body

    def record(self, body, kind=22):
        """Build the next record of epoch 0."""
        self.number += 1
        return plain_record(kind, self.number - 1, body)

    def start(self):
        """Return the first ClientHello."""
        return [self.record(handshake_message(1, 0, self.hello_body()))]

    def second_hello(self):
        """Return the ClientHello with the cookie, again if asked again."""
        return [self.record(handshake_message(1, self.hello_number, self.hello_body()))]

    def pieces(self, kind, number, body):
        """Return a message as fragments."""
        step = self.fragment or max(1, len(body))
        return [
            handshake_message(kind, number, body, at, step)
            for at in range(0, max(1, len(body)), step)
        ]

    def flight(self):
        """Return flight 5 as a list of records with new numbers (2.8)."""
        if self.merged:
            out = [self.record(b"".join(b"".join(m) for m in self.flight5))]
        else:
            out = [self.record(piece) for message in self.flight5 for piece in message]
        out.append(self.record(b"\x01", 20))
        finished = handshake_message(20, self.finished_number, self.verify_data)
        out.append(self.keys.seal(finished, 22, pad=self.pad))
        return out

    # Receiving.

    def datagram(self, data):
        """Take a datagram; return (datagrams to send, application messages)."""
        out, application = [], []
        for record in records(data):
            if record[3:5] == b"\x00\x00":
                if record[0] == 21:
                    raise Alert(record[14])
                if record[0] == 22:
                    out += self.plain(record[13:])
                continue
            kind, number, content = self.keys.open(record)
            self.server_numbers.append(number)
            if kind == 22:
                assert content[0] == 20 and content[12:] == self.expected_finished()
                self.done = True
            elif kind == 23:
                application.append(content)
            elif kind == 21:
                self.closed = True
                if content[1]:
                    raise Alert(content[1])
        return out, application

    def plain(self, content):
        """Take handshake fragments; return the answer once the flight is complete."""
        while content:
            kind, number = content[0], int.from_bytes(content[4:6], "big")
            length = int.from_bytes(content[1:4], "big")
            at, n = int.from_bytes(content[6:9], "big"), int.from_bytes(content[9:12], "big")
            piece, content = content[12 : 12 + n], content[12 + n :]
            if number < self.expected or self.flight5 is not None:
                continue
            entry = self.received.setdefault(number, [kind, length, bytearray(length), set()])
            entry[2][at : at + n] = piece
            entry[3].update(range(at, at + n))
        out = []
        while self.expected in self.received:
            kind, length, body, covered = self.received[self.expected]
            if len(covered) < length:
                break
            self.expected += 1
            out += self.message(kind, self.expected - 1, bytes(body))
        return out

    def message(self, kind, number, body):
        """Act on a handshake message."""
        if kind == 3:
            assert body[:2] in (b"\xfe\xfd", b"\xfe\xff") and len(body) == 3 + body[2]
            self.cookie = body[3:]
            self.hello_number = number + 1
            self.transcript = handshake_message(1, number + 1, self.hello_body())
            return self.second_hello()
        self.transcript += handshake_message(kind, number, body)
        if kind == 2:
            self.server_hello(body)
        elif kind == 11:
            assert self.standard, "the Particle dialect has no server Certificate"
            if 20 in self.server_extensions:
                assert body == len(self.server_spki).to_bytes(3, "big") + self.server_spki
            else:
                assert self.server_spki in body
        elif kind == 12:
            self.server_key_exchange(body)
        elif kind == 13:
            assert body == bytes.fromhex("0140000204030000")
            self.asked = True
        elif kind == 14:
            assert body == b""
            self.make_flight5()
            return [b"".join(self.flight())]
        return []

    def server_hello(self, body):
        """Read the ServerHello."""
        assert body[:2] == b"\xfe\xfd"
        self.server_random = body[2:34]
        at = 35 + body[34]
        assert body[at : at + 3] == b"\xc0\xae\x00"
        rest = body[at + 5 :]
        while rest:
            n = int.from_bytes(rest[2:4], "big")
            self.server_extensions[int.from_bytes(rest[:2], "big")] = rest[4 : 4 + n]
            rest = rest[4 + n :]
        offered = {*self.extensions, 0xFF01}
        assert set(self.server_extensions) <= offered, "an extension nobody offered"
        self.asked = False

    def server_key_exchange(self, body):
        """Check the pinned key's signature."""
        assert body[:4] == b"\x03\x00\x17\x41"
        self.server_point = body[4:69]
        assert body[69:71] == b"\x04\x03"
        signature = body[73:]
        assert len(signature) == int.from_bytes(body[71:73], "big")
        load_der_public_key(self.server_spki).verify(
            signature, self.random + self.server_random + body[:69], _ECDSA
        )

    def make_flight5(self):
        """Make Certificate, ClientKeyExchange, CertificateVerify; derive the keys."""
        number = self.hello_number + 1
        raw = 19 in self.server_extensions
        shown = b"" if self.key is None else spki(self.key) if raw else self.certificate or b""
        certificate = len(shown).to_bytes(3, "big") + shown
        if not raw and shown:
            certificate = len(certificate).to_bytes(3, "big") + certificate
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        plan = [(11, certificate)] if self.asked else []
        plan.append((16, bytes([len(point)]) + point))
        for kind, body in plan:
            self.transcript += handshake_message(kind, number, body)
            number += 1
        if self.asked and shown:
            signature = self.key.sign(self.transcript, _ECDSA)
            body = b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
            plan.append((15, body))
            self.transcript += handshake_message(15, number, body)
            number += 1
        first = number - len(plan)
        self.flight5 = [self.pieces(k, first + i, b) for i, (k, b) in enumerate(plan)]
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.server_point)
        randoms = self.random + self.server_random
        secret = ephemeral.exchange(ec.ECDH(), peer)
        self.master = prf(secret, b"master secret", randoms, 48)
        block = prf(self.master, b"key expansion", self.server_random + self.random, 40)
        extension = 54 if 54 in self.server_extensions else 254
        cid = self.server_extensions.get(extension, b"\0")[1:]
        self.keys = Keys(block, cid, rfc9146=extension == 54)
        digest = hashlib.sha256(self.transcript).digest()
        self.verify_data = prf(self.master, b"client finished", digest, 12)
        self.finished_number = number
        self.transcript += handshake_message(20, number, self.verify_data)

    def expected_finished(self):
        """Return the server's verify_data."""
        digest = hashlib.sha256(self.transcript).digest()
        return prf(self.master, b"server finished", digest, 12)


def hello_record(**form):
    """Return a first ClientHello."""
    return DtlsClient(None, b"", **form).start()[0]


def hello_record_with_cookie():
    """Return a second ClientHello with a cookie of nobody's."""
    client = DtlsClient(None, b"")
    client.cookie, client.hello_number = os.urandom(16), 1
    return client.second_hello()[0]
