"""Encrypted frames on TCP, without I/O (cloud-protocol 1.4)."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
MAX_FRAME = 2048  # the largest device buffer in use is 1152
_LENGTH = 2


class BadFrame(ValueError):
    """The peer's bytes are no frame; nothing after them can be read either."""


class Sealer:
    """Encrypts one direction."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._key = algorithms.AES128(key)
        self._iv = iv

    def seal(self, plain: bytes) -> bytes:
        """Return the frame of one message: length, then AES-CBC with PKCS#7 padding."""
        fill = BLOCK - len(plain) % BLOCK
        cipher = Cipher(self._key, modes.CBC(self._iv)).encryptor()
        sealed = cipher.update(plain + bytes([fill]) * fill) + cipher.finalize()
        self._iv = sealed[:BLOCK]  # the first block, not the last: that is the dialect
        return len(sealed).to_bytes(_LENGTH, "big") + sealed


class Opener:
    """Cuts a byte stream into frames and decrypts them; any split of the stream is fine."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._key = algorithms.AES128(key)
        self._iv = iv
        self._waiting = bytearray()

    @property
    def partial(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._waiting)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the plaintext of each frame completed by `data`. Raises BadFrame."""
        self._waiting += data
        while len(self._waiting) >= _LENGTH:
            length = int.from_bytes(self._waiting[:_LENGTH], "big")
            if length == 0:
                raise BadFrame("a frame of length 0")
            if length % BLOCK:
                raise BadFrame(f"a frame length of {length}, not a multiple of {BLOCK}")
            if length > MAX_FRAME:
                raise BadFrame(f"a frame of {length} bytes, more than {MAX_FRAME}")
            if len(self._waiting) < _LENGTH + length:
                return
            sealed = bytes(self._waiting[_LENGTH : _LENGTH + length])
            del self._waiting[: _LENGTH + length]
            yield self._open(sealed)

    def _open(self, sealed: bytes) -> bytes:
        cipher = Cipher(self._key, modes.CBC(self._iv)).decryptor()
        plain = cipher.update(sealed) + cipher.finalize()
        self._iv = sealed[:BLOCK]
        fill = plain[-1]
        if not 1 <= fill <= BLOCK or plain[-fill:] != bytes([fill]) * fill:
            raise BadFrame("bad padding")
        return plain[:-fill]
