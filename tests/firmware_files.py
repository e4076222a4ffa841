"""Firmware modules for tests: the golden files, and those for other platforms."""

import hashlib
import struct
import zlib
from pathlib import Path

GOLDEN = Path(__file__).parent / "vectors" / "modules"
_PLATFORM_AT = 12
_TAIL = 38  # SHA-256, size of the suffix, CRC-32


def module(platform_id, name="micropython_app_user.bin"):
    """Return a golden module as if it were made for a platform."""
    data = bytearray((GOLDEN / name).read_bytes())
    struct.pack_into("<H", data, _PLATFORM_AT, platform_id)
    data[-_TAIL : -_TAIL + 32] = hashlib.sha256(data[:-_TAIL]).digest()
    data[-4:] = zlib.crc32(data[:-4]).to_bytes(4, "big")
    return bytes(data)
