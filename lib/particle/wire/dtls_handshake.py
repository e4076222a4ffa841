"""DTLS 1.2 handshake messages of a client of the Particle dialect (cloud-protocol 2.1, 2.2, 2.8).

The server sends no certificate: its key is pinned. Messages are `bytes` with their 12-byte
header in unfragmented form, as the transcript hash wants them. DER has one form for each value:
what is read must be what would be written.
"""

from hashlib import sha256

from micropython import const

# Handshake types, RFC 5246 section 7.4
_CLIENT_HELLO = const(1)
_SERVER_HELLO = const(2)
_HELLO_VERIFY = const(3)
_KEY_EXCHANGE = const(12)
_REQUEST = const(13)
_DONE = const(14)

_HEADER = const(12)
_SEQ = const(4)  # where message_seq is in the header
_AHEAD = const(5)  # numbers that are kept; the longest flight has as many
_SUITES = b"\x00\x02\xc0\xae"  # TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
_ALGORITHMS = b"\x00\x0d\x00\x04\x00\x02\x04\x03"  # ECDSA with SHA-256
# secp256r1, uncompressed points, connection ID (ours is empty), raw keys on both sides
_EXTENSIONS = (
    b"\x00\x0a\x00\x04\x00\x02\x00\x17\x00\x0b\x00\x02\x01\x00\x00\xfe\x00\x01\x00"
    b"\x00\x13\x00\x02\x01\x02\x00\x14\x00\x02\x01\x02"
)
_RAW = b"\x02"


def _u16(n):
    return n.to_bytes(2, "big")


def _read(m, at):
    return m[at] << 8 | m[at + 1]


def signature(r, s):
    """Give the DER of the Ecdsa-Sig-Value of r and s, two numbers from 0 to 2**256 - 1."""
    out = b""
    for n in (r, s):
        n = n.to_bytes(32, "big").lstrip(b"\x00")
        if not n or n[0] > 127:
            n = b"\x00" + n
        out += bytes((2, len(n))) + n
    return bytes((0x30, len(out))) + out


def parse_signature(der):
    """Give (r, s) of an Ecdsa-Sig-Value, two numbers below 2**256. Raises ValueError."""
    if 8 <= len(der) <= 72:
        at = der[3] + 4
        r = int.from_bytes(der[4:at], "big")
        s = int.from_bytes(der[at + 2 :], "big")
        if not (r | s) >> 256 and signature(r, s) == der:
            return r, s
    raise ValueError


class Handshake:
    """The messages of one handshake; taken apart they are server_random, cid, params, signature.

    random: 32 bytes. full: write the hello as Device OS does, with algorithms and a suite that
    mean nothing here. limit: bytes of messages that may wait for their turn or their rest.
    """

    ORDER = bytes((_SERVER_HELLO, _KEY_EXCHANGE, _REQUEST, _DONE))

    def __init__(self, random, full=False, limit=1024):
        self.random = random
        self._full = full
        self._limit = limit
        self.sent = 0  # message_seq of the next message
        self._next = 0  # message_seq of the next one to be taken
        self._step = 0  # in ORDER
        self._parts = {}  # message_seq -> [message, bytearray with 1 for each byte that is there]

    # what is sent

    def hello(self, cookie=b""):
        """Return a ClientHello; everything received and hashed before it is forgotten."""
        self._hashes = [sha256(), sha256(), sha256()]
        self._next = self.sent
        self._parts = {}
        body = b"\xfe\xfd" + self.random + bytes((0, len(cookie))) + cookie
        body += self.offer()
        return self.message(_CLIENT_HELLO, body)

    def offer(self):
        """Return suites, compression methods and extensions of the hello."""
        suites = _SUITES
        algorithms = _ALGORITHMS
        if self._full:
            suites = b"\x00\x04\xc0\xae\x00\xff"
            algorithms = b"\x00\x0d\x00\x0a\x00\x08\x04\x03\x04\x01\x03\x03\x03\x01"
        extensions = algorithms + _EXTENSIONS
        return suites + b"\x01\x00" + _u16(len(extensions)) + extensions

    def message(self, kind, body):
        """Return a message with the next message_seq, hashed."""
        n = b"\x00" + _u16(len(body))
        m = bytes((kind,)) + n + _u16(self.sent) + bytes(3) + n + body
        self.sent += 1
        self.hash(m)
        return m

    def hash(self, m):
        """Add a message to the transcript."""
        for h in self._hashes:
            h.update(m)

    def transcript(self):
        """Return the hash of all messages so far; can be asked three times."""
        return self._hashes.pop().digest()

    # what is received

    def add(self, buf, at, n):
        """Keep messages and fragments of a record's content; what makes no sense is ignored."""
        end = at + n
        while at + _HEADER <= end:
            size = buf[at + 1] << 16 | buf[at + 2] << 8 | buf[at + 3]
            seq = _read(buf, at + 4)
            first = buf[at + 6] << 16 | buf[at + 7] << 8 | buf[at + 8]
            count = buf[at + 9] << 16 | buf[at + 10] << 8 | buf[at + 11]
            head = bytes(buf[at : at + 6])
            at += _HEADER
            stop = at + count
            if stop > end or first + count > size or size > self._limit:
                return
            if self._next <= seq < self._next + _AHEAD:
                parts = self._parts
                part = parts.get(seq)
                # Records in clear may be from anybody. So that nothing incomplete is in the way
                # for ever the newest message gets its number, and the latest numbers make room.
                if not part or part[0][:_SEQ] != head[:_SEQ]:
                    m = bytearray(head + bytes(3) + head[1:4] + bytes(size))
                    part = parts[seq] = m, bytearray(size)
                    room = self._limit
                    for other in parts.values():
                        room -= len(other[1])
                    while room < 0:
                        room += len(parts.pop(max(parts))[1])
                part[0][_HEADER + first : _HEADER + first + count] = buf[at:stop]
                part[1][first : first + count] = b"\x01" * count
            at = stop

    def take(self):
        """Return the next message if it is there as a whole, else None."""
        part = self._parts.get(self._next)
        if not part or sum(part[1]) < len(part[1]):
            return None
        del self._parts[self._next]
        self._next += 1
        return bytes(part[0])

    def accept(self, m):
        """Take apart a message of the server's flight; return True when it was the last one.

        Raises ValueError or IndexError when it breaks the rules or offers what we cannot do.
        """
        if m[0] != self.ORDER[self._step]:
            raise ValueError
        self._step += 1
        self.hash(m)
        if m[0] == _SERVER_HELLO:
            self._server_hello(m)
        elif m[0] == _KEY_EXCHANGE:
            self._key_exchange(m)
        elif m[0] == _REQUEST:
            at = 13 + m[12]
            end = at + 2 + _read(m, at)
            if b"\x40" not in m[13:at] or end + 2 + _read(m, end) != len(m):  # ecdsa_sign
                raise ValueError
        elif m[0] == _DONE:
            if len(m) > _HEADER:
                raise ValueError
            self._parts = {}  # what came in clear must not wait for the place of Finished
            return True
        return False

    def cookie(self, m):
        """Return the cookie if this is a HelloVerifyRequest in its place, else None."""
        if m[0] != _HELLO_VERIFY or self._step:
            return None
        if len(m) != 15 + m[14] or not m[14]:
            raise ValueError
        return m[15:]

    def _server_hello(self, m):
        at = 47 + m[46]  # behind the session ID
        if m[12:14] != b"\xfe\xfd" or m[46] > 32 or m[at : at + 3] != b"\xc0\xae\x00":
            raise ValueError
        self.server_random = m[14:46]
        found = {}
        at += 5
        if len(m) - at != _read(m, at - 2):
            raise ValueError
        while at < len(m):
            stop = at + 4 + _read(m, at + 2)
            found[_read(m, at)] = m[at + 4 : stop]
            at = stop
        if at != len(m):
            raise ValueError
        self.extensions(found)

    def extensions(self, found):
        """Judge what the server agreed to: extension number -> content."""
        cid = found.get(254, b"")
        # without 19 the server does not want our key, without an ID there is no resume
        if found.get(19) != _RAW or found.get(20, _RAW) != _RAW or cid[:1] != b"\x08":
            raise ValueError
        if len(cid) != 9:
            raise ValueError
        self.cid = cid[1:]

    def _key_exchange(self, m):
        n = 85 + _read(m, 83)
        if m[12:16] != b"\x03\x00\x17\x41" or m[81:83] != b"\x04\x03" or n != len(m):
            raise ValueError
        self.params = m[12:81]
        self.signature = parse_signature(m[85:])
