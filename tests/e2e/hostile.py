"""A server with keys of its own that knows the protocol and breaks it as told.

Written from cloud-protocol 1.3, 1.4 and 3 with pycryptodome; shares nothing with the local cloud
or the device. Each connection runs the next of a list of scripts: `script(peer)`; when a script
returns, or raises because the device went away, its connection is closed.
"""

import hashlib
import hmac
import queue
import secrets
import socket
import struct
import threading
import time

from Crypto.Cipher import AES, PKCS1_v1_5
from Crypto.PublicKey import RSA

from cloud.device import ACK, CON, NON, RST, pack, unpack

LIMIT = 20  # seconds that a script waits for the device at most


class Gone(Exception):
    """The device closed the connection."""


class Peer:
    """One connection of a device, from the server's side."""

    def __init__(self, sock, key):
        sock.settimeout(LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.key = key
        self.mid = secrets.randbelow(1 << 16)
        self.heard = []  # every message of the device since the handshake
        self._waiting = b""

    # bytes

    def send(self, data, *, one_by_one=False):
        """Write bytes; `one_by_one` gives each a segment of its own."""
        try:
            if not one_by_one:
                self.sock.sendall(data)
                return
            for i in range(len(data)):
                self.sock.sendall(data[i : i + 1])
                time.sleep(0.0005)
        except (ConnectionError, BrokenPipeError) as error:
            raise Gone from error

    def take(self, n):
        """Read exactly n bytes."""
        while len(self._waiting) < n:
            try:
                got = self.sock.recv(4096)
            except ConnectionError as error:
                raise Gone from error
            if not got:
                raise Gone
            self._waiting += got
        data, self._waiting = self._waiting[:n], self._waiting[n:]
        return data

    def silent(self):
        """Say nothing more; return when the device has closed. Fails after LIMIT seconds."""
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionError:
            pass

    def reset(self):
        """Make the end of the connection an RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # the handshake

    def client_message(self, nonce=None):
        """Send the nonce and read what the device makes of it."""
        self.nonce = secrets.token_bytes(40) if nonce is None else nonce
        self.send(self.nonce)
        plain = PKCS1_v1_5.new(self.key).decrypt(self.take(256), b"")
        assert plain[:40] == self.nonce and len(plain) == 214
        self.device_id = plain[40:52].hex()
        self.device_key = RSA.import_key(plain[52:])

    def seal_credentials(self, credentials):
        """Encrypt credentials (any length up to 117) for the device."""
        return PKCS1_v1_5.new(self.device_key).encrypt(credentials)

    def sign(self, credentials, sealed, *, key=None, info=b"", filler=b"\xff"):
        """Sign as the protocol wants; the options make it wrong."""
        key = key or self.key
        digest = info + hmac.new(credentials, sealed, hashlib.sha1).digest()
        block = b"\x00\x01" + filler * (253 - len(digest)) + b"\x00" + digest
        return pow(int.from_bytes(block, "big"), key.d, key.n).to_bytes(256, "big")

    def use(self, credentials):
        """Take the session key, the IV and the device's message ID from the credentials."""
        self.aes = credentials[:16]
        self.iv_up = self.iv_down = credentials[16:32]
        self.device_mid = int.from_bytes(credentials[32:34], "little")

    def reply(self):
        """Return the 384 bytes that end a good handshake."""
        credentials = secrets.token_bytes(40)
        self.use(credentials)
        sealed = self.seal_credentials(credentials)
        return sealed + self.sign(credentials, sealed)

    def handshake(self):
        """Run the handshake as it should be."""
        self.client_message()
        self.send(self.reply())

    def welcome(self):
        """Run handshake and Hellos."""
        self.handshake()
        hello = self.message()
        assert (hello.type, hello.code, hello.path) == (NON, 2, ["h"]), hello
        self.frame(pack(NON, 2, self.next_mid(), options=[(11, b"h")]))

    # frames

    def seal(self, plain, pad=None):
        """Encrypt one frame; `pad` overrides the padding bytes."""
        n = 16 - len(plain) % 16
        pad = bytes([n]) * n if pad is None else pad
        sealed = AES.new(self.aes, AES.MODE_CBC, self.iv_down).encrypt(plain + pad)
        self.iv_down = sealed[:16]
        return len(sealed).to_bytes(2, "big") + sealed

    def frame(self, plain, pad=None):
        """Send one frame."""
        self.send(self.seal(plain, pad))

    def next_mid(self):
        """Count our message ID up."""
        self.mid = (self.mid + 1) & 0xFFFF
        return self.mid

    def message(self):
        """Read the device's next message; its IDs must have no gap (cloud-protocol 1.5)."""
        n = int.from_bytes(self.take(2), "big")
        assert n and n % 16 == 0, n
        sealed = self.take(n)
        plain = AES.new(self.aes, AES.MODE_CBC, self.iv_up).decrypt(sealed)
        self.iv_up = sealed[:16]
        assert plain[-plain[-1] :] == bytes([plain[-1]]) * plain[-1]
        message = unpack(plain[: -plain[-1]])
        if message.type in (CON, NON):
            self.device_mid = (self.device_mid + 1) & 0xFFFF
            assert message.mid == self.device_mid, (message, self.device_mid)
        self.heard.append(message)
        return message

    def until(self, wanted):
        """Read messages until `wanted(message)`; return that one."""
        while True:
            message = self.message()
            if wanted(message):
                return message

    def answer(self, mid):
        """Read messages until the ACK or RST of our message `mid`; return that one."""
        return self.until(lambda m: m.type in (ACK, RST) and m.mid == mid)

    def response(self, token):
        """Read messages until a response to our `token`; the device's own requests may have it."""
        return self.until(lambda m: m.type != ACK and m.token == token and m.code >= 0x40)

    def request(self, code, path, query=None, token=b"\x07", payload=b"", type_=CON):
        """Send a request; return its message ID."""
        options = [(11, p) for p in path]
        if query is not None:
            options.append((15, query))
        mid = self.next_mid()
        self.frame(pack(type_, code, mid, token, options=options, payload=payload))
        return mid

    def call(self, name, argument=b"", token=b"\x07"):
        """Call a function; return (ACK, result message)."""
        mid = self.request(2, [b"f", name], argument, token)
        ack = self.answer(mid)
        if ack.code:
            return ack, None
        return ack, self.response(token)

    def alive(self):
        """Prove that the device still serves this connection: ping, function, variable."""
        mid = self.next_mid()
        self.frame(pack(CON, 0, mid))
        self.until(lambda m: m.raw == pack(ACK, 0, mid))
        _, result = self.call(b"size", b"four")
        assert result.payload == b"\x00\x00\x00\x04", result


class HostileServer:
    """Listens on `port`; `result()` is what the next finished script did."""

    def __init__(self, scripts=(), key=None):
        self.key = key or RSA.generate(2048)
        self._scripts = list(scripts)
        self._results = queue.Queue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def public_key(self):
        """The server's public key as a board stores it."""
        return self.key.public_key().export_key("DER")

    def _serve(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            script = self._scripts.pop(0) if self._scripts else None
            with sock:
                self._results.put(self._run(script, sock) if script else None)

    def _run(self, script, sock):
        try:
            return script(Peer(sock, self.key))
        except Gone:
            return "gone"
        except Exception as error:  # noqa: BLE001  it is the test that fails
            return error

    def result(self, seconds=LIMIT):
        """Wait for the end of the next connection; raise what its script raised."""
        found = self._results.get(timeout=seconds)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self):
        """Accept no more."""
        # close alone would let the thread that waits take one more
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
