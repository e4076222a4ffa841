"""Values of variables as a device sends them (cloud-protocol 4.7)."""

from __future__ import annotations

import struct

from particle_tools.cloud.exchanges import BadValue

BOOL, INT, STRING, DOUBLE = 1, 2, 4, 9  # types in a Describe (cloud-protocol 4.2)


def read(kind: int | None, payload: bytes) -> bool | int | float | str:
    """Return the value of an answer; without a type it is text. Raises BadValue."""
    if kind in (STRING, None):
        return payload.decode(errors="replace")
    try:
        if kind == BOOL:
            return struct.unpack("?", payload)[0]
        if kind == INT:
            return struct.unpack(">i", payload)[0]
        if kind == DOUBLE:
            return struct.unpack("<d", payload)[0]
    except struct.error as error:
        raise BadValue(f"{len(payload)} bytes for a variable of type {kind}") from error
    raise BadValue(f"a variable of unknown type {kind}")
