"""The commands of softAP as a client gives them (setup-protocols 2.2 to 2.6)."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from particle_tools.errors import UserError

TCP_PORT = 5609
HTTP_PORT = 80
_TIMEOUT = 15.0  # s; a board may look around for 3 s and decrypt for 3 s
_MOST = 65536  # bytes of an answer
_BLOCK = 117  # bytes that fit one block of RSA-1024
_AES = 16

_WPA, _WPA2, _ENTERPRISE = 0x200000, 0x400000, 0x02000000
_NAMES = {0: "open", 1: "wep", 0x8001: "wep"}


def security_name(sec: int) -> str:
    """Return what a person calls the security with this number (2.6)."""
    if sec in _NAMES:
        return _NAMES[sec]
    name = "wpa2" if sec & _WPA2 else "wpa" if sec & _WPA else "unknown"
    return name + ("-enterprise" if sec & _ENTERPRISE else "")


@dataclass(frozen=True)
class Device:
    """A board at its own access point; port None = the usual one. Failures are UserErrors."""

    host: str = "192.168.0.1"
    port: int | None = None
    http: bool = False

    def ask(self, name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """Give a command; return its answer, {} if it has none.

        Texts that hold bytes (surrogateescape) are sent as those bytes.
        """
        body = b""
        if values is not None:
            text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
            body = text.encode("utf-8", "surrogateescape")
        try:
            raw = self._http("/" + name, body) if self.http else self._tcp(name, body)
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            # UnicodeError: of a name that no host can have
            raise UserError(self._failure(name, error)) from None
        return self._object(name, raw)

    def page(self, path: str) -> dict[str, Any] | None:
        """Return the JSON of a path of the HTTP server, None if it has none such."""
        try:
            return self._object(path, self._http(path, b""))
        except (OSError, UnicodeError, http.client.HTTPException, UserError):
            return None

    def _object(self, name: str, raw: bytes) -> dict[str, Any]:
        try:
            # the name of a network may be no text
            found = json.loads(raw.decode("utf-8", "surrogateescape") or "{}")
        except (RecursionError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise UserError(f"{self.host} does not answer {name} like a board in setup mode")
        return found

    def _tcp(self, name: str, body: bytes) -> bytes:
        with socket.create_connection((self.host, self.port or TCP_PORT), _TIMEOUT) as s:
            s.sendall(b"%s\n%d\n\n%s" % (name.encode(), len(body), body))
            answer = b""
            while len(answer) < _MOST:
                data = s.recv(4096)
                if not data:
                    break
                answer += data
        return answer.strip()

    def _http(self, path: str, body: bytes) -> bytes:
        connection = http.client.HTTPConnection(
            self.host, self.port or HTTP_PORT, timeout=_TIMEOUT
        )
        try:
            connection.request("POST" if body else "GET", path, body or None)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise http.client.HTTPException(f"HTTP status {answer.status}")
            return answer.read(_MOST)
        finally:
            connection.close()

    def _failure(self, name: str, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        text = f"{name}: no answer of {self.host} ({reason})"
        return (
            text + ": join the network of the board first; its name ends in six letters and digits"
        )


class Secrets:
    """Encrypts for a device; spki: its answer to `public-key`, with the padding behind it."""

    def __init__(self, spki: bytes):
        try:
            # SEQUENCE with two bytes of length
            key = load_der_public_key(spki[: 3 + spki[2]] if spki[1:2] == b"\x81" else spki)
        except (IndexError, UnsupportedAlgorithm, ValueError):
            key = None
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size != 1024:
            raise UserError("public-key: the board gave no RSA-1024 key: install core-tcp, keygen")
        self._key = key

    def password(self, text: bytes) -> str:
        """Return a password as hex digits of as many blocks as it takes."""
        parts = [text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK)]
        return b"".join(self._key.encrypt(part, padding.PKCS1v15()) for part in parts).hex()

    def private_key(self, pem: bytes, secret: bytes) -> dict[str, str]:
        """Return `key` and `ek` of an EAP-TLS network; secret: 32 random bytes, AES key and IV."""
        n = _AES - len(pem) % _AES
        cipher = Cipher(algorithms.AES(secret[:_AES]), modes.CBC(secret[_AES:])).encryptor()
        data = cipher.update(pem + bytes((n,)) * n) + cipher.finalize()
        return {"key": data.hex(), "ek": self.password(secret)}
