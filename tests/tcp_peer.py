"""The cloud's end of an AES/TCP connection, scripted from the handshake vector; both interpreters.

The vector's keys, nonce, credentials and padding are fixed, so every byte is known beforehand.
"""

from binascii import unhexlify

from cryptolib import aes

from particle.crypto import der, rsa
from particle.wire.coap import Message
from support import vectors

V = vectors("coap-messages.json")["tcp_handshake"]


def field(name):
    """Return a field of the handshake vector as bytes."""
    return unhexlify(V[name])


class VectorKeys:
    """The device's keys of the vector, as `store.keys.RsaKeys` offers them."""

    def __init__(self):
        self.device_id = field("device_id")
        self.public = field("device_public_key_der")
        self.server = field("server_public_key_der")
        self._private = der.rsa_private(field("device_private_key_der"))

    def rsa_decrypt(self, block):
        return (yield from rsa.decrypt(self._private, block))


def vector_rng(n):
    """Return the padding of the vector for its length, else bytes of no meaning."""
    padding = field("client_padding_string")
    return padding if n == len(padding) else bytes([0x5A] * n)


class TcpPeer:
    """Seals and opens the frames of the vector's session on the cloud's side."""

    def __init__(self):
        self._key = field("aes_key")
        self._down = self._up = field("iv")
        self._rest = b""
        self.mid = 0x9C00
        self.heard = []  # (type, code, mid, token, path, name, query, payload) of the device

    def seal(self, message):
        """Return `message` as a frame to the device."""
        pad = 16 - len(message) % 16
        c = aes(self._key, 2, self._down).encrypt(message + bytes([pad] * pad))
        self._down = c[:16]
        return len(c).to_bytes(2, "big") + c

    def next_mid(self):
        """Return the next message ID of the cloud as two bytes."""
        self.mid = (self.mid + 1) & 0xFFFF
        return self.mid.to_bytes(2, "big")

    def hello(self):
        """Return the frame of the cloud's Hello."""
        return self.seal(b"\x50\x02" + self.next_mid() + b"\xb1h")

    def take(self, data):
        """Open what the device sent and return the messages as bytes."""
        self._rest += data
        out = []
        while len(self._rest) > 1:
            n = self._rest[0] << 8 | self._rest[1]
            if len(self._rest) < 2 + n:
                break
            c = self._rest[2 : 2 + n]
            self._rest = self._rest[2 + n :]
            p = aes(self._key, 2, self._up).decrypt(c)
            self._up = c[:16]
            pad = p[-1]
            assert 0 < pad <= 16 and p[-pad:] == bytes([pad] * pad)
            out.append(p[:-pad])
        return out


class Parsed:
    """A message of the device, taken apart."""

    def __init__(self, raw):
        m = Message()
        assert m.parse(raw, 0, len(raw)), raw
        self.raw = raw
        self.type = m.type
        self.code = m.code
        self.mid = m.mid
        self.token = raw[4 : 4 + m.tkl]
        self.path = chr(m.path) if m.path else ""
        self.name = m.name()
        self.query = m.query()
        self.payload = raw[m.payload_at : m.payload_at + m.payload_n]
