"""A device for testing the cloud, written from the protocol text; uses pycryptodome, no aiocoap
and nothing of lib/particle or the cloud, so that both sides of a test are independent."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import struct
from dataclasses import dataclass

from Crypto.Cipher import AES, PKCS1_v1_5
from Crypto.PublicKey import RSA

CON, NON, ACK, RST = range(4)
HELLO_FLAGS = 0x16 | 0x20  # as Device OS, describes itself
#: Variables of every type: the type in the description; what is sent, what REST gives.
VARIABLE_TYPES = {"on": 1, "count": 2, "name": 4, "temp": 9}
VARIABLE_VALUES = {
    "on": (b"\x01", True),
    "count": (struct.pack(">i", -42), -42),
    "name": ("grün".encode(), "grün"),
    "temp": (struct.pack("<d", 21.5), 21.5),
}


def pack(type_, code, mid, token=b"", *, options=(), payload=b""):
    """Build a CoAP message; options are (number, bytes), ascending."""
    out = bytes([0x40 | type_ << 4 | len(token), code]) + mid.to_bytes(2, "big") + token
    last = 0
    for number, value in options:
        d, n = number - last, len(value)
        last = number
        out += bytes([(_nibble(d) << 4) | _nibble(n)]) + _extended(d) + _extended(n) + value
    return out + (b"\xff" + payload if payload else b"")


def _nibble(n):
    return n if n < 13 else 13 if n < 269 else 14


def _extended(n):
    return b"" if n < 13 else bytes([n - 13]) if n < 269 else (n - 269).to_bytes(2, "big")


@dataclass
class Msg:
    """A parsed CoAP message."""

    type: int
    code: int
    mid: int
    token: bytes
    options: list
    payload: bytes
    raw: bytes

    def all(self, number):
        """Values of an option."""
        return [value for n, value in self.options if n == number]

    @property
    def path(self):
        """Uri-Path segments."""
        return [value.decode() for value in self.all(11)]


def unpack(raw):
    """Parse a CoAP message."""
    token_n = raw[0] & 15
    at, number, options = 4 + token_n, 0, []
    payload = b""
    while at < len(raw):
        if raw[at] == 0xFF:
            payload = raw[at + 1 :]
            break
        d, n = raw[at] >> 4, raw[at] & 15
        at += 1
        for which in (0, 1):
            value = (d, n)[which]
            if value == 13:
                value, at = raw[at] + 13, at + 1
            elif value == 14:
                value, at = int.from_bytes(raw[at : at + 2], "big") + 269, at + 2
            if which == 0:
                d = value
            else:
                n = value
        number += d
        options.append((number, raw[at : at + n]))
        at += n
    return Msg(
        raw[0] >> 4 & 3,
        raw[1],
        int.from_bytes(raw[2:4], "big"),
        raw[4 : 4 + token_n],
        options,
        payload,
        raw,
    )


class TestDevice:
    """A blocking TCP device. Every wait is bounded by the socket timeout."""

    __test__ = False  # not a test class, whatever its name says

    def __init__(
        self, port, server_key_der, key, device_id, *, timeout=20.0, short=False, bound=None
    ):
        self.server_key = RSA.import_key(server_key_der)
        self.key = key
        self.id = device_id
        self.short = short
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        self.sock.bind(("127.0.0.1", 0))
        if bound is not None:
            bound(self.sock.getsockname())  # nothing was refused from there yet
        self.sock.connect(("127.0.0.1", port))
        self.waiting = b""
        self.bytes_up = self.bytes_down = 0

    def close(self):
        """Close the socket."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def recv_exactly(self, n):
        """Read n bytes; EOFError if the peer closed."""
        while len(self.waiting) < n:
            got = self.sock.recv(4096)
            if not got:
                raise EOFError
            self.waiting += got
            self.bytes_down += len(got)
        data, self.waiting = self.waiting[:n], self.waiting[n:]
        return data

    def send_raw(self, data):
        """Write bytes."""
        self.sock.sendall(data)
        self.bytes_up += len(data)

    def client_message(self, nonce, public_key=None):
        """Make the 256-byte client message."""
        if public_key is None:
            public_key = b"" if self.short else self.key.public_key().export_key("DER")
        plain = nonce + bytes.fromhex(self.id) + public_key
        return PKCS1_v1_5.new(self.server_key).encrypt(plain)

    def exchange_keys(self, public_key=None):
        """Run the handshake up to the session keys."""
        nonce = self.recv_exactly(40)
        self.send_raw(self.client_message(nonce, public_key))
        reply = self.recv_exactly(384)
        sealed, signature = reply[:128], reply[128:]
        credentials = PKCS1_v1_5.new(self.key).decrypt(sealed, None)
        assert credentials is not None and len(credentials) == 40
        digest = hmac.new(credentials, sealed, hashlib.sha1).digest()
        block = pow(int.from_bytes(signature, "big"), self.server_key.e, self.server_key.n)
        expected = b"\x00\x01" + b"\xff" * 233 + b"\x00" + digest
        assert block.to_bytes(256, "big") == expected, "the server's signature is wrong"
        self.aes = credentials[:16]
        self.iv_up = self.iv_down = credentials[16:32]
        self.mid = int.from_bytes(credentials[32:34], "little")

    def next_mid(self):
        """Count the message id up."""
        self.mid = (self.mid + 1) & 0xFFFF
        return self.mid

    def seal(self, plain, pad=None):
        """Encrypt one frame; `pad` overrides the PKCS#7 padding bytes."""
        n = 16 - len(plain) % 16
        pad = bytes([n]) * n if pad is None else pad
        sealed = AES.new(self.aes, AES.MODE_CBC, self.iv_up).encrypt(plain + pad)
        self.iv_up = sealed[:16]
        return len(sealed).to_bytes(2, "big") + sealed

    def send(self, message):
        """Send one CoAP message."""
        self.send_raw(self.seal(message))

    def recv(self):
        """Receive one CoAP message; EOFError if the connection ended."""
        n = int.from_bytes(self.recv_exactly(2), "big")
        assert n and n % 16 == 0
        sealed = self.recv_exactly(n)
        plain = AES.new(self.aes, AES.MODE_CBC, self.iv_down).decrypt(sealed)
        self.iv_down = sealed[:16]
        assert plain[-plain[-1] :] == bytes([plain[-1]]) * plain[-1]
        return unpack(plain[: -plain[-1]])

    def hello(self, flags=HELLO_FLAGS, tail=True):
        """Send Hello and wait for the server's."""
        self.send(self.hello_message(flags, tail))
        message = self.recv()
        assert (message.type, message.code, message.path) == (NON, 2, ["h"])
        assert not message.payload and not message.token
        self.server_mid = message.mid

    def hello_message(self, flags=HELLO_FLAGS, tail=True):
        """Make the Hello: product 3, version 0xffff, platform 3."""
        body = bytes.fromhex("0003ffff") + flags.to_bytes(2, "big") + bytes.fromhex("0003")
        if tail:
            body += bytes.fromhex("0000" + "1838" + "0480" + "00a00000" + "0200")
        return pack(NON, 2, self.next_mid(), options=[(11, b"h")], payload=body)

    def connect(self, flags=HELLO_FLAGS, tail=True):
        """Key exchange and Hellos."""
        self.exchange_keys()
        self.hello(flags, tail)
        return self

    def request(self, code, options, payload=b"", type_=CON, token=b""):
        """Send a request, return the ACK of a CON."""
        mid = self.next_mid()
        self.send(pack(type_, code, mid, token, options=options, payload=payload))
        if type_ != CON:
            return None
        answer = self.recv()
        assert answer.type == ACK and answer.mid == mid, answer
        return answer

    def describe(self, functions, variables):
        """Post an application Describe."""
        names = ",".join(f'"{f}"' for f in functions)
        kinds = ",".join(f'"{k}":{v}' for k, v in variables.items())
        body = f'{{"f":[{names}],"v":{{{kinds}}}}}'.encode()
        answer = self.request(2, [(11, b"d"), (15, b"\x02")], body, token=b"\x31")
        assert (answer.code, answer.token) == (0x44, b"\x31")

    def subscribe(self, prefix):
        """Subscribe and wait for the ACK."""
        assert self.request(1, [(11, b"e"), (11, prefix.encode())]).code == 0

    def publish(self, name, data=b"", type_=NON):
        """Publish an event."""
        return self.request(2, [(11, b"E"), (11, name.encode())], data, type_)

    def ping(self):
        """Ping and wait for the ACK."""
        mid = self.next_mid()
        self.send(pack(CON, 0, mid))
        answer = self.recv()
        assert answer.raw == pack(ACK, 0, mid)

    def acknowledge(self, message):
        """Send an empty ACK."""
        self.send(pack(ACK, 0, message.mid))

    def answer(self, message, code, payload=b"", type_=NON):
        """Send a separate response."""
        self.send(pack(type_, code, self.next_mid(), message.token, payload=payload))

    def ended(self):
        """Tell whether the cloud has closed the connection (waits at most the timeout)."""
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True


def random_id():
    """Return a device id."""
    return secrets.token_hex(12)
