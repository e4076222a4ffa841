"""A board's first start: keys, registration with the cloud, and the flash that holds both.

The image is renamed into place at the very end; a first start that was
interrupted anywhere is repeated by the next one.
"""

import json
from typing import Any

from particle_tools.errors import UserError
from particle_tools.sim import image
from particle_tools.sim.board_dir import BoardDir
from particle_tools.sim.rest import Rest

_ROOT = "/pt"
_CONFIG = f"{_ROOT}/config.json"
_PLATFORM = 3  # PLATFORM_ID of boards/UNIX_SIM
_BOOT_PY = b"""# boot.py -- run on boot-up
import os

if "pt" in os.listdir() and "safemode" in os.listdir("pt"):  # asked for: main.py is not run
    import particle

    particle.system.safe_mode()
"""


def address(text: str) -> tuple[str, int | None]:
    """Split HOST[:PORT]; raises UserError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, None
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--server {text}: expected HOST:PORT")
    return host, int(port)


def make(
    board: BoardDir, device_id: str, transport: str, *, cloud: str, user: str, server: str | None
) -> None:
    """Register the board with `cloud` as a device of `user` and make its flash.

    user: "NAME:PASSWORD". server: HOST[:PORT] to dial instead of what the cloud says.
    Raises UserError.
    """
    own = address(server) if server else (None, None)
    rest = Rest(cloud)
    rest.login(user)
    host, port = _dial(rest.info(), transport, own, cloud)
    server_keys = {alg: rest.server_key(alg) for alg in ("rsa", "ec")}
    parsed = [alg for alg, key in server_keys.items() if key is not None and _is(alg, key)]
    if len(parsed) < sum(key is not None for key in server_keys.values()):
        raise UserError(f"cloud {cloud} sent a server key that is not DER")
    if ("ec" if transport == "udp" else "rsa") not in parsed:
        raise UserError(f"cloud {cloud} has no server key for transport {transport}")

    keys = DeviceKeys()
    for algorithm, pem in keys.public.items():
        if algorithm == "rsa" or server_keys["ec"] is not None:
            rest.provision(device_id, pem, algorithm)
    rest.claim(device_id)
    image.write(board.flash, files(device_id, transport, host, port, keys, server_keys))


def _is(algorithm: str, key: bytes) -> bool:
    # slow to import, and only a first start needs it
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        found = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(found, rsa.RSAPublicKey if algorithm == "rsa" else ec.EllipticCurvePublicKey)


def make_blank(board: BoardDir) -> None:
    """Make the flash of a board that is new and knows nothing, as a stock firmware does."""
    image.write(board.flash, {"/boot.py": _BOOT_PY})


class DeviceKeys:
    """New keys of a board, as both transports want them (cloud-protocol 1.1, 2.2).

    public: algorithm as the REST API calls it -> PEM. private: file name -> DER.
    """

    def __init__(self):
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        pem = form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
        der = form.Encoding.DER, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
        own = {
            "rsa": rsa.generate_private_key(65537, 1024),
            "ecc": ec.generate_private_key(ec.SECP256R1()),
        }
        self.public = {
            name: key.public_key().public_bytes(*pem).decode().strip() for name, key in own.items()
        }
        self.private = {
            "device.rsa.der": own["rsa"].private_bytes(*der),
            "device.ec.der": own["ecc"].private_bytes(*der),
        }


def files(
    device_id: str,
    transport: str,
    host: str,
    port: int,
    keys: DeviceKeys,
    server_keys: dict[str, bytes | None],
) -> dict[str, bytes]:
    """Return what the flash of a new board holds: absolute name -> content.

    server_keys: "rsa", "ec" -> SubjectPublicKeyInfo DER, None when the cloud has no such key.
    """
    config = {
        "v": 1,
        "device_id": device_id,
        "platform_id": _PLATFORM,
        "transport": transport,
        "server": host,
        "port": port,
    }
    stored = {"config.json": _config(config), **keys.private}
    stored |= {f"server.{alg}.der": key for alg, key in server_keys.items() if key is not None}
    return {"/boot.py": _BOOT_PY} | {f"{_ROOT}/{name}": data for name, data in stored.items()}


def change(board: BoardDir, transport: str | None, server: str | None) -> None:
    """Store another transport or address in the configuration of an existing board."""
    data = image.read(board.flash, _CONFIG)
    wanted: dict[str, Any] = {}
    if transport:
        wanted["transport"] = transport
    if server:
        host, port = address(server)
        wanted["server"] = host
        if port:
            wanted["port"] = port
    try:
        values = json.loads(data or b"")
        differs = any(values.get(key) != value for key, value in wanted.items())
    except (ValueError, AttributeError):
        if wanted:
            raise UserError(
                f"{_CONFIG} on the board's flash is missing or damaged: `particle-mp provision`"
                " writes it, at the port of `particle-mp sim --pty`"
            ) from None
        return  # the board itself will say so
    if differs:
        image.write(board.flash, {_CONFIG: _config(values | wanted)})


def _dial(
    info: dict[str, Any], transport: str, own: tuple[str | None, int | None], cloud: str
) -> tuple[str, int]:
    host = own[0] or info.get("host")
    port = own[1] or info.get(f"{transport}_port")
    if not host or not port:
        raise UserError(f"cloud {cloud} does not offer transport {transport}")
    return host, port


def _config(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode()
