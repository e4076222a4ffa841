"""The four key files of a store (DESIGN 5), in a folder or on a board, and keys as others keep
them: PEM or DER, SEC1, PKCS#1, PKCS#8 or SubjectPublicKeyInfo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from particle_tools import whole_file
from particle_tools.errors import UserError

NAMES = ("device.ec.der", "device.rsa.der", "server.ec.der", "server.rsa.der")
TRANSPORT = {"udp": "ec", "tcp": "rsa"}
_DEVICE_BITS, _SERVER_BITS = 1024, 2048  # of RSA (cloud-protocol 1.1)
_EXPONENT = 65537
_ENCODINGS = {"PEM": form.Encoding.PEM, "DER": form.Encoding.DER}


@dataclass(frozen=True)
class Found:
    """A key file; public: SubjectPublicKeyInfo DER. Neither: there is none."""

    public: bytes | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what may be shown."""
        digest = hashlib.sha256(self.public).hexdigest() if self.public else None
        return {"public_key": digest, "problem": self.problem}


class Key:
    """A key that was read; algorithm: "ec" or "rsa"."""

    def __init__(self, key: Any) -> None:
        self.private = hasattr(key, "private_bytes")
        self._key = key
        self._public = key.public_key() if self.private else key
        ours = {ec.EllipticCurvePublicKey: "ec", rsa.RSAPublicKey: "rsa"}
        found = [name for kind, name in ours.items() if isinstance(self._public, kind)]
        if not found:
            raise ValueError("it is neither an EC nor an RSA key")
        self.algorithm = found[0]

    @classmethod
    def make(cls, algorithm: str) -> Key:
        """Return a new key of a device."""
        if algorithm == "ec":
            return cls(ec.generate_private_key(ec.SECP256R1()))
        return cls(rsa.generate_private_key(_EXPONENT, _DEVICE_BITS))

    @classmethod
    def read(cls, data: bytes) -> Key:
        """Return the key in PEM or DER, with padding of 00 or FF behind it. Raises ValueError."""
        if b"ENCRYPTED" in data[:200]:
            raise ValueError("it is encrypted: decrypt it first, e.g. openssl pkey -in FILE")
        if b"-----BEGIN" in data:
            loads = (lambda d: form.load_pem_private_key(d, None), form.load_pem_public_key)
        else:
            loads = (lambda d: form.load_der_private_key(d, None), form.load_der_public_key)
            data = unpadded(data)
        for load in loads:
            try:
                return cls(load(data))
            except (ValueError, TypeError, UnsupportedAlgorithm):
                continue
        raise ValueError("it is damaged, or no key in PEM or DER")

    def check(self, role: str) -> None:
        """Raise ValueError if it is no key of a "device" or a "server"."""
        if self.algorithm == "ec":
            if self._public.curve.name != "secp256r1":
                raise ValueError(f"its curve is {self._public.curve.name}, P-256 is needed")
        else:
            bits = _DEVICE_BITS if role == "device" else _SERVER_BITS
            if self._public.key_size != bits:
                raise ValueError(f"it has {self._public.key_size} bits, {bits} are needed")
            if self._public.public_numbers().e != _EXPONENT:
                raise ValueError(f"its exponent is not {_EXPONENT}")
        if role == "device" and not self.private:
            raise ValueError("it is a public key, a device needs a private one")

    @property
    def spki(self) -> bytes:
        """Return the public key, SubjectPublicKeyInfo DER."""
        return self.public_bytes("DER")

    def public_bytes(self, encoding: str) -> bytes:
        """Return the public key; encoding: "PEM" or "DER"."""
        return self._public.public_bytes(
            _ENCODINGS[encoding], form.PublicFormat.SubjectPublicKeyInfo
        )

    def private_bytes(self, encoding: str) -> bytes:
        """Return the private key as a device stores it: SEC1 or PKCS#1."""
        return self._key.private_bytes(
            _ENCODINGS[encoding], form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
        )


class Folder:
    """The files in a folder: a copy of a board's pt/."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self) -> dict[str, Found]:
        """Return what is there, by name, checked."""
        return {name: self._look(name) for name in NAMES}

    def _look(self, name: str) -> Found:
        data = self.read(name)
        if data is None:
            return Found()
        try:
            key = Key.read(data)
            key.check(name.partition(".")[0])
            if key.algorithm != name.split(".")[1]:
                raise ValueError(f"it is a key for {key.algorithm.upper()}")
            stored = key.private_bytes("DER") if key.private else key.spki
            if stored != unpadded(data):
                raise ValueError("a board reads SEC1, PKCS#1 or SPKI: `keys import` makes it so")
        except ValueError as error:
            return Found(problem=str(error))
        return Found(public=key.spki)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None if there is none. Raises UserError."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self._path / name}: {error.strerror}") from None

    def write(self, name: str, data: bytes) -> bool:
        """Store a file that only its owner may read; False if it has this content."""
        if self.read(name) == data:
            return False
        path = self._path / name
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        whole_file.write(path, data, secret=True)
        return True

    def make(self, algorithm: str, _show: Callable[[str], None]) -> bool:
        """Make a device's key unless there is one. Raises UserError when that is damaged."""
        name = f"device.{algorithm}.der"
        found = self._look(name)
        if found.problem:
            raise UserError(f"{name}: {found.problem}: remove it to have another made")
        return not found.public and self.write(name, Key.make(algorithm).private_bytes("DER"))


class OnBoard:
    """The files of a board; `board`: an open provisioning.link.Board."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def look(self) -> dict[str, Found]:
        """Return what is there, by name, checked on the board."""
        found = {}
        for name, (public, problem) in self._board.run("key_files").items():
            data = bytes.fromhex(public) if public else None
            if data and name.startswith("server"):
                try:
                    key = Key.read(data)
                    key.check("server")
                    data = key.spki
                except ValueError as error:
                    data, problem = None, str(error)
            found[name] = Found(data, problem)
        return found

    def write(self, name: str, data: bytes) -> bool:
        """Store a file; False if it has this content."""
        return self._board.run("key_files", file=name, content=data)

    def make(self, algorithm: str, show: Callable[[str], None]) -> bool:
        """Have the board make its key unless there is one."""
        transport = "udp" if algorithm == "ec" else "tcp"
        made, _ = self._board.run(
            "device_key",
            lambda percent: show(f"device.{algorithm}.der: {percent} %"),
            transport=transport,
            make_it=True,
        )
        return made


def unpadded(data: bytes) -> bytes:
    """Return the DER object at the beginning if only 00 or FF is behind it, else `data`."""
    if len(data) < 4 or data[0] != 0x30:
        return data
    n, at = data[1], 2
    if n > 0x80:
        at += n & 0x7F
        n = int.from_bytes(data[2:at], "big")
    return data[: at + n] if not data[at + n :].strip(b"\0\xff") else data
