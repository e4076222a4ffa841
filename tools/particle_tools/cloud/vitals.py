"""Vitals of a device: the binary form it sends, the JSON form the API shows.

Sources: cloud-protocol 4.2 (Metrics), rest-api 9.
"""

from __future__ import annotations

import struct
from typing import Any

_HEAD = struct.Struct("<BHHH")
_ENTRY = struct.Struct("<Hi")
_KIND, _ID_BYTES, _VALUE_BYTES = 4, 2, 4
_UNAVAILABLE = 0x8000
_POWER_SOURCES = ("unknown", "VIN", "USB host", "USB adapter", "USB otg")

_PATHS = {
    3: "power.battery.charge",
    6: "system.uptime",
    8: "network.connection.status",
    9: "network.connection.error",
    10: "cloud.connection.status",
    12: "network.connection.disconnects",
    13: "cloud.connection.error",
    14: "cloud.connection.disconnects",
    20: "cloud.publish.rate_limited",
    21: "cloud.coap.retransmit",
    22: "cloud.coap.unack",
    23: "cloud.coap.transmit",
    25: "system.memory.total",
    26: "system.memory.used",
    27: "network.connection.attempts",
    28: "network.connection.disconnect_reason",
    29: "cloud.connection.attempts",
    30: "cloud.connection.disconnect_reason",
    31: "cloud.coap.round_trip",
    33: "network.signal.strength",
    34: "network.signal.quality",
    35: "network.signal.qualityv",
    37: "network.signal.strengthv",
    40: "network.cellular.cell_global_identity.mobile_country_code",
    41: "network.cellular.cell_global_identity.mobile_network_code",
    42: "network.cellular.cell_global_identity.location_area_code",
    43: "network.cellular.cell_global_identity.cell_id",
}
_SOURCE = 24


def parse(payload: bytes) -> dict[int, int]:
    """Return the available values by id. Raises ValueError."""
    if len(payload) < _HEAD.size:
        raise ValueError("vitals without a head")
    if _HEAD.unpack_from(payload) != (0, _KIND, _ID_BYTES, _VALUE_BYTES):
        raise ValueError("vitals of an unknown form")
    body = payload[_HEAD.size :]
    if len(body) % _ENTRY.size:
        raise ValueError("vitals that are cut off")
    return {n: value for n, value in _ENTRY.iter_unpack(body) if not n & _UNAVAILABLE}


def to_json(values: dict[int, int]) -> dict[str, Any]:
    """Return the values as the API shows them; what it does not show is left out."""
    device: dict[str, Any] = {}
    for number, path in _PATHS.items():
        if number in values:
            *parents, name = path.split(".")
            at = device
            for parent in parents:
                at = at.setdefault(parent, {})
            at[name] = values[number]
    source = values.get(_SOURCE)
    if source is not None and 0 <= source < len(_POWER_SOURCES):
        device.setdefault("power", {})["source"] = _POWER_SOURCES[source]
    return {"device": device, "service": {"device": {"status": "ok"}}}
