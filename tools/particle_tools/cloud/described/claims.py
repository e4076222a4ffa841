"""Describes routes/claims.py (rest-api 3, 6)."""

from particle_tools.cloud.openapi import (
    DATE,
    FLAG,
    NUMBER,
    OK,
    TEXT,
    Operation,
    many,
    nullable,
    record,
)

_CODE = Operation(
    "Make a claim code",
    {200: record({"claim_code": TEXT, "device_ids": many(TEXT)})},
    body=record({}, {"iccid": TEXT}),
)
_TRANSFER = record({"id": TEXT, "device_id": TEXT, "requested_by": TEXT, "requested_at": DATE})
_ID = {"type": "string", "pattern": "^[0-9a-fA-F]{24}$"}

OPERATIONS = {
    ("POST", "/v1/device_claims"): _CODE,
    ("POST", "/v1/products/{product}/device_claims"): _CODE,
    ("POST", "/v1/provisioning/{device}"): Operation(
        "Register the public key of a device",
        {200: OK},
        errors=(403, 409),
        body=record(
            {"publicKey": TEXT},
            {
                "deviceID": TEXT,
                "algorithm": {"type": "string", "enum": ["rsa", "ecc", "ec"]},
                "order": TEXT,
                "filename": TEXT,
                "product_id": NUMBER,
                "serial_number": {"type": "string", "pattern": "^[A-Za-z0-9]{1,32}$"},
                "mobile_secret": {"type": "string", "pattern": "^[A-Za-z0-9]{1,32}$"},
            },
        ),
        parts={"device": _ID},
    ),
    ("GET", "/v1/serial_numbers/{serial}"): Operation(
        "Which device has a serial number",
        {
            200: record(
                {
                    "ok": FLAG,
                    "deviceID": TEXT,
                    "device_id": TEXT,
                    "serial_number": TEXT,
                    "platform_id": nullable(NUMBER),
                    "iccid": nullable(TEXT),
                }
            )
        },
    ),
    ("GET", "/local/v1/transfers"): Operation("Who asks for my devices", {200: many(_TRANSFER)}),
    ("POST", "/local/v1/transfers/{transfer}/accept"): Operation("Give a device away"),
    ("POST", "/local/v1/transfers/{transfer}/decline"): Operation("Keep a device"),
}
