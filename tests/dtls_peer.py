"""The cloud's end of a DTLS connection, scripted; runs on both interpreters.

Messages and records are written and read here from cloud-protocol 2, with nothing of
`particle.wire`; only the primitives are the library's. It is as strict as the fork of 2.8, and
what a client must never do is an AssertionError. The network between is dtls_net.py.
"""

from binascii import unhexlify
from hashlib import sha256

from particle.crypto import p256
from particle.crypto.ccm import Ccm
from particle.crypto.prf import prf
from particle.store import keys_ec
from particle.wire import dtls_handshake
from support import drive, rng

HVR, HELLO, CERTIFICATE, EXCHANGE, REQUEST, DONE = 3, 2, 11, 12, 13, 14
FINISHED = 20


def u16(n):
    return n.to_bytes(2, "big")


def u24(n):
    return n.to_bytes(3, "big")


def number(data):
    return int.from_bytes(data, "big")


class Memory:
    """Calculates with P-256 once per question: tests ask the same ones hundreds of times.

    `with Memory():` puts it in front of the functions of `particle.crypto.p256`.
    """

    answers = {}
    NAMES = ("public", "ecdh", "sign", "verify")

    def __enter__(self):
        self.real = {name: getattr(p256, name) for name in self.NAMES}
        for name in self.NAMES:
            setattr(p256, name, self.remembering(name, self.real[name]))
        return self

    def __exit__(self, *_):
        for name in self.NAMES:
            setattr(p256, name, self.real[name])

    def remembering(self, name, function):
        def ask(*args):
            key = (name,) + args
            if key not in self.answers:
                self.answers[key] = yield from function(*args)
            yield
            return self.answers[key]

        return ask


class Key:
    """A P-256 key made from a number, with what the client's keys object offers."""

    def __init__(self, d):
        self.d = d
        with Memory():
            self.point = drive(p256.public(d))
        self.spki = keys_ec.ec_spki(self.point)


class DeviceKeys:
    """The device's view of two keys, as `store.keys_ec.EcKeys` offers it."""

    def __init__(self, device, server):
        self.device_id = unhexlify("0123456789abcdef01234567")
        self.public = device.spki
        self.server = server.spki
        self._d = device.d

    def sign(self, digest):
        return p256.sign(self._d, digest)


DEVICE = Key(0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF)
SERVER = Key(0x0FEDCBA987654321FEDCBA987654321FEDCBA987654321FEDCBA987654321FED)
CID = unhexlify("a1a2a3a4a5a6a7a8")


class Peer:
    """One server context: `receive(datagram)` gives the datagrams of the answer.

    change: handshake type -> function(body) that returns another body, or None to leave the
    message out. mtu: largest datagram of the server's flight. apart: one message per datagram.
    early: application data is answered; `heard` lists it.
    """

    def __init__(self, key=SERVER, cid=CID, cookie=b"0123456789abcdef", mtu=1400, change=None):
        self.key = key
        self.cid = cid
        self.cookie = cookie
        self.mtu = mtu
        self.apart = False
        self.strict = True  # False: the network cuts and breaks datagrams
        self.change = change or {}
        self.random = rng(77)(32)
        self.ephemeral = Key(0x55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA55AA)
        self.numbers = {}  # (epoch, number) of the client -> record: never twice
        self.taken = set()  # messages read
        self.plain_seq = self.seq = 0  # of our records
        self.heard = []
        self.alerts = []
        self.hellos = 0
        self.client = None  # its key, once proven
        self.finished = False
        self.forgotten = False  # handshake state given up at the first data
        self.restart()

    def restart(self):
        self.flight = None
        self.keys = None
        self.parts = {}
        self.expected = 0
        self.changed = False

    # what we send

    def record(self, kind, content):
        head = bytes((kind, 0xFE, 0xFD, 0, 0)) + self.plain_seq.to_bytes(6, "big")
        self.plain_seq += 1
        return head + u16(len(content)) + content

    def sealed(self, kind, content, seq=None, epoch=1):
        if seq is None:
            seq = self.seq
            self.seq += 1
        number8 = u16(epoch) + seq.to_bytes(6, "big")
        head = bytes((kind, 0xFE, 0xFD))
        aad = number8 + head + u16(len(content))
        buf = bytearray(content + bytes(8))
        self.seal.seal(bytearray(self.ivs[1] + number8), bytearray(aad), 13, buf, 0, len(content))
        return head + number8 + u16(len(buf) + 8) + number8 + bytes(buf)

    def data(self, content, **more):
        return self.sealed(23, content, **more)

    def message(self, kind, body, seq):
        if kind in self.change:
            body = self.change[kind](body)
            if body is None:
                return None
        m = bytes((kind,)) + u24(len(body)) + u16(seq) + bytes(3) + u24(len(body)) + body
        self.messages += m
        return m

    def fragments(self, m, room):
        body = m[12:]
        at = 0
        while True:
            part = body[at : at + room]
            yield m[:6] + u24(at) + u24(len(part)) + part
            at += room
            if at >= len(body):
                return

    def datagrams(self, messages):
        """Put a flight into records and datagrams."""
        out = [b""]
        for m in messages:
            for part in self.fragments(m, self.mtu - 25):
                r = self.record(22, part)
                if out[-1] and (self.apart or len(out[-1]) + len(r) > self.mtu):
                    out.append(b"")
                out[-1] += r
        return out

    def extensions(self):
        x = unhexlify("00130001020014000102000b00020100")
        if self.cid is not None:
            x += b"\x00\xfe" + u16(len(self.cid) + 1) + bytes((len(self.cid),)) + self.cid
        return x

    def flight4(self, seq):
        x = self.extensions()
        body = b"\xfe\xfd" + self.random + bytes(1) + b"\xc0\xae\x00" + u16(len(x)) + x
        out = [self.message(HELLO, body, seq)]
        params = b"\x03\x00\x17\x41" + self.ephemeral.point
        digest = sha256(self.client_random + self.random + params).digest()
        proof = dtls_handshake.signature(*drive(p256.sign(self.key.d, digest)))
        bodies = (
            (EXCHANGE, params + b"\x04\x03" + u16(len(proof)) + proof),
            (REQUEST, unhexlify("0140000204030000")),
            (DONE, b""),
        )
        for kind, body in bodies:
            m = self.message(kind, body, seq + 1)
            if m:
                seq += 1
                out.append(m)
        self.last = seq
        return out

    # what we read

    def receive(self, datagram):
        """Take one datagram of the client; return the datagrams of the answer."""
        out = []
        at = 0
        while at < len(datagram):
            if not self.strict and len(datagram) - at < 21:
                break
            assert len(datagram) - at >= 13, "stray bytes"
            kind = datagram[at]
            k = len(self.cid) if kind in (25, 253) else 0
            head = at + 13 + k
            n = number(datagram[head - 2 : head])
            record = datagram[at : head + n]
            if not self.strict and len(record) < 13 + k + n:
                break
            assert len(record) == 13 + k + n, "a datagram ends where a record ends"
            at += len(record)
            assert record[1:3] == b"\xfe\xfd"
            which = record[3:11]
            known = self.numbers.get(which)
            assert known in (None, record), "record number used twice"
            self.numbers[which] = record
            if known:  # the network doubled it
                continue
            if which[:2] == b"\x00\x00":
                out += self.clear(kind, record[13:])
            else:
                content = self.unseal(kind, record, k)
                if content is None:
                    break  # takes the rest of the datagram with it
                out += self.protected(*content)
        return out

    def clear(self, kind, content):
        if kind == 20:
            assert content == b"\x01"
            self.changed = True
            return []
        if kind == 21:
            self.alerts.append(content)
            return []
        assert kind == 22, kind
        out = []
        at = 0
        while at < len(content):
            m = content[at : at + 12 + number(content[at + 1 : at + 4])]
            assert m[6:9] == bytes(3) and m[9:12] == m[1:4], "fragmented"
            at += len(m)
            out += self.handshake(m)
        return out

    def handshake(self, m):
        if self.forgotten:
            return []
        seq = number(m[4:6])
        if m[0] == 1:
            return self.client_hello(m, seq)
        if self.flight and (seq == self.expected or seq in self.parts):
            if seq == self.expected:
                self.parts[seq] = m
                self.messages += m
                self.expected += 1
                if not self.prove(m):
                    self.forgotten = True
                    return [self.record(21, b"\x02\x33")]
            elif m[0] == FINISHED and self.finished:
                return self.final()
        return []

    def client_hello(self, m, seq):
        self.hellos += 1
        body = m[12:]
        assert body[:2] == b"\xfe\xfd" and body[34] == 0
        n = body[35]
        if n == 0:
            self.first = body
        cookie = body[36 : 36 + n]
        if self.cookie is not None and cookie != self.cookie:
            body = b"\xfe\xfd" + bytes((len(self.cookie),)) + self.cookie
            if HVR in self.change:
                body = self.change[HVR](body)
            m = bytes((HVR,)) + u24(len(body)) + u16(seq) + bytes(3) + u24(len(body)) + body
            return [self.record(22, m)]
        assert self.cookie is None or body[:35] + bytes(1) + body[36 + n :] == self.first
        if self.flight is None:
            self.client_random = body[2:34]
            self.messages = m
            self.flight = self.flight4(seq)
            self.expected = seq + 1
        return self.datagrams(self.flight)

    def prove(self, m):
        body = m[12:]
        if m[0] == 11:
            assert body[:3] == len(body[3:]).to_bytes(3, "big")
            self.spki = body[3:]
        elif m[0] == 16:
            assert body[0] == 65
            secret = drive(p256.ecdh(self.ephemeral.d, body[1:]))
            randoms = self.client_random + self.random
            self.master = prf(secret, b"master secret", randoms, 48)
            self.protect(prf(self.master, b"key expansion", self.random + self.client_random, 40))
        elif m[0] == 15:
            digest = sha256(self.messages[: -len(m)]).digest()
            assert body[:2] == b"\x04\x03"
            assert number(body[2:4]) == len(body) - 4
            r, s = dtls_handshake.parse_signature(body[4:])
            good = drive(p256.verify(keys_ec.ec_public(self.spki), digest, r, s))
            if not good and not self.strict:
                return False
            assert good, "CertificateVerify"
            self.client = self.spki
        else:
            assert m[0] == FINISHED
            digest = sha256(self.messages[: -len(m)]).digest()
            assert body == prf(self.master, b"client finished", digest, 12), "Finished"
            self.finished = True
            digest = sha256(self.messages).digest()
            self.verify = prf(self.master, b"server finished", digest, 12)
        return True

    def protect(self, block):
        self.keys = block
        self.open = Ccm(block[:16], False)
        self.seal = Ccm(block[16:32], False)
        self.ivs = block[32:36], block[36:]

    def final(self):
        m = bytes((FINISHED,)) + u24(12) + u16(self.last + 1) + bytes(3) + u24(12)
        m += self.verify
        if FINISHED in self.change:
            m = self.change[FINISHED](m)
        return [self.record(20, b"\x01") + self.sealed(22, m)]

    def unseal(self, kind, record, k):
        """Return (type, content) of a protected record, None if it cannot be read."""
        if not self.keys:
            return None
        if k:
            if record[11 : 11 + k] != self.cid and not self.strict:
                return None
            assert record[11 : 11 + k] == self.cid
            aad = record[3:11] + b"\x19\xfe\xfd" + self.cid + bytes((k,))
        else:
            aad = record[3:11] + record[:3]
        n = len(record) - 13 - k - 16
        aad += u16(n)
        explicit = record[13 + k : 21 + k]
        assert explicit == record[3:11]
        buf = bytearray(record[21 + k :])
        nonce = bytearray(self.ivs[0] + explicit)
        if not self.open.open(nonce, bytearray(aad), len(aad), buf, 0, n):
            return None
        content = bytes(buf[:n])
        if k:
            content = content.rstrip(b"\x00")
            kind = content[-1]
            content = content[:-1]
        elif self.cid is not None:
            return None
        self.padding = n - len(content) - (1 if k else 0)
        return kind, content

    def protected(self, kind, content):
        if kind == 22:
            assert content[0] == FINISHED
            if not self.changed:
                return []  # ahead of the change of cipher
            if not self.finished:
                self.handshake(content)
            return self.final() if self.finished and not self.forgotten else []
        if kind == 21:
            self.alerts.append(content)
            return []
        assert kind == 23, "unknown inner type"
        if not self.finished:
            return []
        self.forgotten = True
        self.heard.append(content)
        return [self.data(b"\x60\x00" + content[2:4])]
