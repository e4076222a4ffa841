"""Describes routes/devices.py (rest-api 3, 6)."""

from particle_tools.cloud.openapi import (
    ANYTHING,
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    many,
    nullable,
    record,
    ref,
)

_ID = {"type": "string", "pattern": "^[0-9a-fA-F]{24}$"}
_DEVICE = record(
    {
        "id": TEXT,
        "name": nullable(TEXT),
        "owner": nullable(NUMBER),
        "last_ip_address": nullable(TEXT),
        "last_heard": nullable(DATE),
        "last_handshake_at": nullable(DATE),
        "product_id": nullable(NUMBER),
        "platform_id": nullable(NUMBER),
        "online": FLAG,
        "connected": FLAG,
        "cellular": FLAG,
        "notes": nullable(TEXT),
        "functions": many(TEXT),
        "variables": {"type": "object", "additionalProperties": TEXT},
        "status": TEXT,
        "serial_number": nullable(TEXT),
        "system_firmware_version": nullable(TEXT),
        "firmware_updates_enabled": FLAG,
        "firmware_updates_forced": FLAG,
        "groups": many(TEXT),
        "development": FLAG,
        "quarantined": FLAG,
        "denied": FLAG,
    }
)

SCHEMAS = {"Device": _DEVICE}

OPERATIONS = {
    ("GET", "/v1/devices"): Operation("List my devices", {200: many(ref("Device"))}),
    ("POST", "/v1/devices"): Operation(
        "Claim a device",
        {
            200: record(
                {
                    "ok": FLAG,
                    "deviceID": TEXT,
                    "id": TEXT,
                    "claimed": FLAG,
                    "user_id": TEXT,
                    "connected": FLAG,
                }
            )
        },
        errors=(403,),
        body=record({"id": _ID}, {"request_transfer": FLAG}),
    ),
    ("GET", "/v1/devices/{device}"): Operation(
        "Show a device", {200: ref("Device")}, errors=(403,)
    ),
    ("PUT", "/v1/devices/{device}"): Operation(
        "Change name or notes of a device, or have it signal",
        {200: record({"id": TEXT}, {"name": TEXT, "notes": TEXT, "signaling": FLAG})},
        errors=(403, 408, 502),
        body=record({}, {"name": TEXT, "notes": TEXT, "signal": ANYTHING}),
    ),
    ("DELETE", "/v1/devices/{device}"): Operation("Remove a device", errors=(403,)),
    ("PUT", "/v1/devices/{device}/ping"): Operation(
        "Ask whether a device answers", {200: record({"online": FLAG, "ok": FLAG})}, errors=(403,)
    ),
}
