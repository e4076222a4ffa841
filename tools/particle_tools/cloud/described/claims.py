"""Describes routes/claims.py (rest-api 3, 6)."""

from particle_tools.cloud.openapi import NUMBER, OK, TEXT, Operation, many, record

_ID = {"type": "string", "pattern": "^[0-9a-fA-F]{24}$"}

OPERATIONS = {
    ("POST", "/v1/device_claims"): Operation(
        "Make a claim code",
        {200: record({"claim_code": TEXT, "device_ids": many(TEXT)})},
        body=record({}, {"iccid": TEXT}),
    ),
    ("POST", "/v1/provisioning/{device}"): Operation(
        "Register the public key of a device",
        {200: OK},
        errors=(403,),
        body=record(
            {"publicKey": TEXT},
            {
                "deviceID": TEXT,
                "algorithm": {"type": "string", "enum": ["rsa", "ecc", "ec"]},
                "order": TEXT,
                "filename": TEXT,
                "product_id": NUMBER,
            },
        ),
        parts={"device": _ID},
    ),
}
