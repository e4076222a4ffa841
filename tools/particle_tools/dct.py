"""Images of a Particle device's configuration (DCT) and the files of our store.

The image is `application_dct_t` (setup-protocols 7.3): 8391 bytes that DFU reads and writes. It
holds keys, servers, claim code, static address and antenna, but no Wi-Fi networks.
"""

import ipaddress
import json
import struct
import zlib
from typing import NamedTuple

from particle_tools.errors import UserError

SIZE = 8391
_ANTENNAS = {"gen2": 2976, "gen3": 8171}
_ANTENNA_IDS = {"gen2": {0: 1, 1: 2}, "gen3": {1: 1, 2: 2}}  # in the image -> in the store
_STATIC = 1634
_CLAIM = (1762, 63)
_TRANSPORT = 2977
_ID = (3618, 12)
_EAP = 3823
_ADDRESS = 128
_NAME = 64
# file of the store -> offset and size in the image
_KEYS = {
    "device.rsa.der": (34, 1216),
    "server.rsa.der": (2082, 384),
    "device.ec.der": (3106, 192),
    "server.ec.der": (3298, 192),
}
_SERVERS = {"tcp": 2466, "udp": 3490}
# kinds of records, tags of options (lib/particle/store)
_WIFI, _CLAIM_CODE = 2, 4
_TAG_ANTENNA, _TAG_STATIC = 64, 67


class Imported(NamedTuple):
    """Files of the store, and what could not be taken over, in words."""

    files: dict[str, bytes]
    left_out: list[str]


def read(image: bytes, generation: str = "gen3") -> Imported:
    """Return what an image holds; generation: "gen2" or "gen3" (also Gen 4). Raises UserError."""
    _check(image)
    files = {}
    left_out = []
    for name, (at, size) in _KEYS.items():
        key = _der(image[at : at + size], name)
        if key:
            files[name] = key
    transport = "udp" if "device.ec.der" in files and image[_TRANSPORT] != 0 else "tcp"
    config: dict[str, object] = {"v": 1, "transport": transport}
    device_id = image[_ID[0] : sum(_ID)]
    if device_id.strip(b"\xff") and any(device_id):
        config["device_id"] = device_id.hex()
    address = decode_address(image[_SERVERS[transport] :][:_ADDRESS])
    if address:
        config["server"], config["port"] = address
    files["config.json"] = json.dumps(config).encode()
    claim = image[_CLAIM[0] : sum(_CLAIM)]
    if claim[0] not in (0, 0xFF):
        files["claim"] = record(_CLAIM_CODE, claim)
    options = b""
    antenna = _ANTENNA_IDS[generation].get(image[_ANTENNAS[generation]])
    if antenna:
        options += bytes([_TAG_ANTENNA, 1, antenna])
    mode, *parts = struct.unpack_from("<B3x4s4s4s4s", image, _STATIC)
    if mode == 1:
        options += bytes([_TAG_STATIC, 16]) + b"".join(parts)
    if options:
        files["wifi"] = record(_WIFI, options)
    if image[_EAP] in (13, 25):
        left_out.append("enterprise credentials: the image does not say of which network")
    return Imported(files, left_out)


def write(files: dict[str, bytes], generation: str = "gen3", base: bytes | None = None) -> bytes:
    """Return an image of the files of a store; what they do not say is as in `base`, or blank.

    Raises UserError.
    """
    image = bytearray(base if base is not None else b"\xff" * SIZE)
    _check(image)
    for name, (at, size) in _KEYS.items():
        if name in files:
            key = _der(files[name], name)
            if not key or len(key) > size:
                raise UserError(f"{name}: no key that fits {size} bytes")
            image[at : at + size] = key.ljust(size, b"\xff")
    try:
        config = json.loads(files.get("config.json", b"{}"))
        transport = config.get("transport", "udp")
        if "device_id" in config:
            device_id = bytes.fromhex(config["device_id"])
            if len(device_id) != _ID[1]:
                raise ValueError("device_id: 24 hex digits")
            image[_ID[0] : sum(_ID)] = device_id
        if "config.json" in files:
            image[_TRANSPORT] = 0 if transport == "tcp" else 0xFF
        if config.get("server"):
            usual = 5683 if transport == "tcp" else 5684
            record = encode_address(config["server"], config.get("port", usual))
            at = _SERVERS[transport]
            image[at : at + _ADDRESS] = record
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"config.json: {error}") from None
    if "claim" in files:
        image[_CLAIM[0] : sum(_CLAIM)] = _payload("claim", _CLAIM_CODE, files["claim"], _CLAIM[1])
    for tag, value in _options(files):
        if tag == _TAG_STATIC:
            image[_STATIC : _STATIC + 24] = b"\x01\0\0\0" + value + bytes(4)
        if tag == _TAG_ANTENNA:
            known = {ours: theirs for theirs, ours in _ANTENNA_IDS[generation].items()}
            image[_ANTENNAS[generation]] = known.get(value[0], 0xFF)
    return bytes(image)


def decode_address(record: bytes) -> tuple[str, int] | None:
    """Return (name or address, port) of a server address record, None when it is not set."""
    kind, length = record[0], record[1]
    value = record[2 : 2 + length]
    port = int.from_bytes(record[66:68], "big")
    if kind == 0 and length == 4:
        if value in (bytes(4), b"\xff" * 4):
            return None
        return str(ipaddress.IPv4Address(value)), port
    if kind == 1 and 0 < length <= _NAME and value.isascii() and value.decode().isprintable():
        return value.decode(), port
    return None


def encode_address(server: str, port: int) -> bytes:
    """Return the record of 128 bytes; raise ValueError for what it cannot hold."""
    try:
        value = ipaddress.IPv4Address(server).packed
        kind = 0
    except ValueError:
        value = server.encode("ascii") + b"\0"
        kind = 1
    length = len(value) - kind
    if not 0 < length < _NAME or not 0 < port < 1 << 16:
        raise ValueError(f"{server}:{port} is no server that an image can name")
    record = bytes([kind, length]) + value.ljust(_NAME, b"\xff") + port.to_bytes(2, "big")
    return record.ljust(_ADDRESS, b"\xff")


def _check(image: bytes | bytearray) -> None:
    if len(image) != SIZE:
        raise UserError(f"not an image of a DCT: {len(image)} bytes instead of {SIZE}")


def _der(field: bytes, name: str) -> bytes | None:
    # the key without the padding behind it
    if not field or field[0] != 0x30:
        if field.strip(b"\xff").strip(b"\0"):
            raise UserError(f"{name}: damaged: no DER")
        return None
    n, at = field[1], 2
    if n > 0x80:
        at += n & 0x7F
        n = int.from_bytes(field[2:at], "big")
    if at + n > len(field) or at > 4:
        raise UserError(f"{name}: damaged: {at + n} bytes in a field of {len(field)}")
    return field[: at + n]


def record(kind: int, payload: bytes) -> bytes:
    """Return `payload` in the container of a store's binary files (DESIGN 5, store)."""
    body = struct.pack("<2sBBH", b"PT", kind, 1, len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def _payload(name: str, kind: int, data: bytes, size: int | None = None) -> bytes:
    payload = data[6:-4]
    if data != record(kind, payload) or size not in (None, len(payload)):
        raise UserError(f"{name}: damaged, encrypted, or of a newer version")
    return payload


def _options(files: dict[str, bytes]) -> list[tuple[int, bytes]]:
    if "wifi" not in files:
        return []
    payload = _payload("wifi", _WIFI, files["wifi"])
    found = []
    at = 0
    while at + 1 < len(payload) and payload[at] != 1:  # the networks begin
        end = at + 2 + payload[at + 1]
        found.append((payload[at], payload[at + 2 : end]))
        at = end
    return found
