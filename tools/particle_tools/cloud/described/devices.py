"""Describes routes/devices.py (rest-api 3, 6)."""

from particle_tools.cloud.openapi import (
    ANYTHING,
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    for_products,
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

_NEVER = "Always 501: device protection and file backups are not served here"

# The same for a device of a product.
_ONE = {
    ("GET", "/v1/devices/{device}"): Operation(
        "Show a device", {200: ref("Device")}, errors=(403,)
    ),
    ("PUT", "/v1/devices/{device}"): Operation(
        "Change name or notes of a device, or have it signal",
        {200: record({"id": TEXT}, {"name": TEXT, "notes": TEXT, "signaling": FLAG})},
        errors=(403, 408, 502),
        body=record({}, {"name": TEXT, "notes": TEXT, "signal": ANYTHING}),
        description="A firmware image or bundle is sent as multipart/form-data.",
    ),
    ("PUT", "/v1/devices/{device}/ping"): Operation(
        "Ask whether a device answers", {200: record({"online": FLAG, "ok": FLAG})}, errors=(403,)
    ),
    ("PUT", "/v1/devices/{device}/unprotect"): Operation(_NEVER, {}, errors=(403, 501)),
    ("PUT", "/v1/devices/{device}/backup_files"): Operation(_NEVER, {}, errors=(403, 501)),
}

OPERATIONS = {
    ("GET", "/v1/devices"): Operation("List my devices", {200: many(ref("Device"))}),
    ("POST", "/v1/devices"): Operation(
        "Claim a device, ask for somebody else's, or make an id for a product",
        {
            200: record(
                {},
                {
                    "ok": FLAG,
                    "deviceID": TEXT,
                    "id": TEXT,
                    "claimed": FLAG,
                    "user_id": TEXT,
                    "connected": FLAG,
                    "transfer_id": TEXT,
                    "device_id": TEXT,
                },
            )
        },
        errors=(403, 409),
        body=record({}, {"id": _ID, "request_transfer": FLAG, "product_id": NUMBER}),
    ),
    ("DELETE", "/v1/devices/{device}"): Operation("Remove a device", errors=(403,)),
}
OPERATIONS |= _ONE | for_products(_ONE)
