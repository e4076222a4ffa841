"""What the cloud has to know of a board, asked for and told over REST."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from particle_tools.local import Api
from particle_tools.provisioning.link import BoardError
from particle_tools.sim.first_start import address

_ALGORITHMS = {"udp": ("ec", "ecc"), "tcp": ("rsa", "rsa")}  # here, and in /v1/provisioning
_UNKNOWN = (403, 404)
_LONGEST = 64  # characters of a server's name, and one


@dataclass(frozen=True)
class Server:
    """Whom a board dials. key: SubjectPublicKeyInfo DER."""

    host: str
    port: int
    key: bytes

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the key as hex digits."""
        return hashlib.sha256(self.key).hexdigest()


class Registry(Api):
    """The cloud as somebody sees it who registers devices."""

    def server(self, transport: str, wanted: str | None) -> Server:
        """Return whom a board dials; wanted: HOST[:PORT] instead of what the cloud says."""
        host, port = address(wanted) if wanted else (None, None)
        info = self.info()
        offered = info.get(f"{transport}_port")
        key = self.server_key(_ALGORITHMS[transport][0])
        if not key or not (port or offered):
            raise BoardError("server", f"{self._url} does not offer transport {transport}")
        host = host or str(info.get("host"))
        if ":" in host or not 0 < len(host) < _LONGEST or not host.isprintable() or " " in host:
            raise BoardError("server", f"{host}: a board dials a name or an IPv4 address")
        return Server(host, port or int(offered), key)

    def on_loopback(self) -> bool:
        """Tell whether the cloud serves this machine only."""
        return is_loopback(str(self.info().get("host")))

    def register(self, device_id: str, transport: str, spki: bytes) -> bool:
        """Make a device the user's, with this public key; False if it was already so."""
        algorithm, name = _ALGORITHMS[transport]
        status, body = self._call("GET", f"/local/v1/devices/{device_id}/diagnosis")
        if status not in _UNKNOWN:
            self._expect(status, body, f"device {device_id}", "it cannot be asked for")
            if self._object(body)["keys"][algorithm] == hashlib.sha256(spki).hexdigest():
                return False
        self.provision(device_id, _pem(spki), name)
        return True

    def name(self, device_id: str, name: str) -> bool:
        """Name a device; False if that is its name."""
        if self.device(device_id)["name"] == name:
            return False
        self.put(f"/v1/devices/{device_id}", name=name)
        return True

    def into_product(self, device_id: str, product: int) -> bool:
        """Add a device to a product; False if it is one of it."""
        path = f"/v1/products/{product}/devices"
        if self.get(f"{path}?deviceId={device_id}")["devices"]:
            return False
        self.post(path, id=device_id)
        return True


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can dial `host`, an address or a name."""
    try:
        found = [ipaddress.ip_address(host)]
    except ValueError:
        if host.rstrip(".").rpartition(".")[2].lower() == "localhost":
            return True
        try:
            answers = socket.getaddrinfo(host, None, socket.AF_INET)
        except (OSError, UnicodeError):
            return False  # a name that the board's network may know
        found = [ipaddress.ip_address(answer[4][0]) for answer in answers]
    return all(one.is_loopback or one.is_unspecified for one in found)


def _pem(spki: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_public_key,
    )

    key = load_der_public_key(spki)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def algorithm_of(transport: str) -> str:
    """Return "ec" or "rsa", as in the names of the key files."""
    return _ALGORITHMS[transport][0]


def facts(server: Server) -> dict[str, Any]:
    """Return what a report says of a server."""
    return {
        "server": server.host,
        "server_port": server.port,
        "server_key": server.fingerprint,
    }
