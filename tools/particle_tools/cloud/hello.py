"""The Hello of a device: required head, optional tail (cloud-protocol 4.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

DEVICE_DESCRIBES = 0x20  # flag: the device posts its Describe, do not ask

_HEAD = struct.Struct(">4H")
_TAIL = struct.Struct(">HHIH")
_FRAME_MARGIN = 18  # of a device's buffer on TCP (1.4)
_SHORT_HELLO_MESSAGE = 600
_LONGEST_MESSAGE = 1104
_LONGEST_RECORD = 1152  # content of a DTLS record (2.1)
CELLULAR = (10, 13, 15, 23, 25, 26, 28, 35)  # platform ids (4.1)
_KEEP_ALIVE_S, _CELLULAR_KEEP_ALIVE_S = 25.0, 1380.0


@dataclass(frozen=True)
class Hello:
    """What a device says first; None for what old firmware leaves out."""

    product_id: int
    product_version: int
    flags: int
    platform_id: int
    device_id: bytes = b""
    system_version: int | None = None
    max_message: int | None = None
    max_binary: int | None = None
    chunk: int | None = None

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        """Read a Hello payload. Raises ValueError if it has less than the eight oldest bytes."""
        if len(payload) < _HEAD.size:
            raise ValueError(f"a Hello of {len(payload)} bytes")
        head = _HEAD.unpack_from(payload)
        if len(payload) < _HEAD.size + 2:
            return cls(*head)
        id_n = payload[_HEAD.size + 1]
        at = _HEAD.size + 2
        device_id = payload[at : at + id_n]
        at += id_n
        if len(payload) < at + _TAIL.size:
            return cls(*head, device_id)
        return cls(*head, device_id, *_TAIL.unpack_from(payload, at))

    def message_limit_tcp(self) -> int:
        """Return the largest CoAP message the device takes on TCP, in bytes (1.4)."""
        if self.max_message is None:
            return _SHORT_HELLO_MESSAGE
        fits = 16 * ((self.max_message - _FRAME_MARGIN) // 16) - 1
        return max(0, min(fits, _LONGEST_MESSAGE))

    def message_limit_udp(self) -> int:
        """Return the largest CoAP message the device takes on UDP, in bytes (2.1, 4.1)."""
        if self.max_message is None:
            return _SHORT_HELLO_MESSAGE
        return min(self.max_message, _LONGEST_RECORD)

    def keep_alive_s(self) -> float:
        """Return the usual silence between two pings of such a device on UDP (3.7)."""
        return _CELLULAR_KEEP_ALIVE_S if self.platform_id in CELLULAR else _KEEP_ALIVE_S
