"""Vitals of a device: the binary form it sends, the JSON form the API shows.

Sources: cloud-protocol 4.2 (Metrics), rest-api 9, device-api 10 (encodings).
"""

from __future__ import annotations

import struct
from typing import Any

_HEAD = struct.Struct("<BHHH")
_ENTRY = struct.Struct("<Hi")
_KIND, _ID_BYTES, _VALUE_BYTES = 4, 2, 4
_UNAVAILABLE = 0x8000

_PATHS = {
    3: "power.battery.charge",
    6: "system.uptime",
    9: "network.connection.error",
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
    29: "cloud.connection.attempts",
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

# Values that are numbers on the wire and words in the API.
_WORDS = {
    7: (
        "power.battery.state",
        "unknown,not_charging,charging,charged,discharging,fault,disconnected".split(","),
    ),
    8: (
        "network.connection.status",
        "off,turning_on,disconnected,connecting,connected,disconnecting,,turning_off".split(","),
    ),
    10: (
        "cloud.connection.status",
        "disconnected,connecting,connected,disconnecting".split(","),
    ),
    24: ("power.source", "unknown,VIN,USB host,USB adapter,USB otg".split(",")),
    28: (
        "network.connection.disconnect_reason",
        "none,error,user,network_off,listening,sleep,reset,unknown".split(","),
    ),
    30: (
        "cloud.connection.disconnect_reason",
        "none,error,user,network_disconnect,listening,system_reset,sleep,unknown,server_moved"
        "".split(","),
    ),
    36: (
        "network.signal.at",
        ",Wi-Fi,GSM,EDGE,UMTS,CDMA,LTE,,LTE Cat-M1,LTE Cat-NB1".split(","),
    ),
}
# Fixed point: divisor, and the unit that the API puts beside the value.
_FIXED = {
    3: (256, None),
    33: (256, "strength"),
    34: (256, "quality"),
    35: (65536, "qualityv"),
    37: (65536, "strengthv"),
}
_UNITS = {"strength": "%", "quality": "%", "strengthv": "dBm", "qualityv": "dB"}
_NETWORK_CODE = 41  # negative when it has two digits
_DECIMALS = 2


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
    for number, value in sorted(values.items()):
        if number in _WORDS:
            path, words = _WORDS[number]
            word = words[value] if 0 <= value < len(words) else ""
            if word:
                _put(device, path, word)
        elif number in _FIXED:
            divisor, unit = _FIXED[number]
            _put(device, _PATHS[number], round(value / divisor, _DECIMALS))
            if unit:
                _put(device, _PATHS[number] + "_units", _UNITS[unit])
        elif number == _NETWORK_CODE:
            _put(device, _PATHS[number], f"{-value:02d}" if value < 0 else f"{value:03d}")
        elif number in _PATHS:
            _put(device, _PATHS[number], value)
    return {"device": device, "service": {"device": {"status": "ok"}}}


def _put(at: dict[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        at = at.setdefault(parent, {})
    at[name] = value
