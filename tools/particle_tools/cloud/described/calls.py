"""Describes routes/calls.py (rest-api 4)."""

from particle_tools.cloud.openapi import (
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    Media,
    Operation,
    for_products,
    nullable,
    record,
)

# Other words here are routes of their own.
_NAME = {"type": "string", "pattern": "^[A-Za-z_]{1,64}$", "not": {"enum": ["events", "ping"]}}
_RAW = {"type": "string", "enum": ["raw", "json"]}
_DEVICE = record(
    {
        "name": nullable(TEXT),
        "deviceID": TEXT,
        "connected": FLAG,
        "last_handshake_at": nullable(TEXT),
        "last_app": TEXT,
        "last_heard": nullable(TEXT),
        "product_id": nullable(NUMBER),
    }
)
_RETURN = record({"id": TEXT, "name": nullable(TEXT), "connected": FLAG, "return_value": NUMBER})
_VALUE = record({"cmd": TEXT, "name": TEXT, "result": ANYTHING, "coreInfo": _DEVICE})

_OPERATIONS = {
    ("POST", "/v1/devices/{device}/{name}"): Operation(
        "Call a function of a device",
        {200: (_RETURN, Media("text/plain"))},
        errors=(403, 408, 502),
        query={"format": _RAW},
        body=record({}, {"arg": TEXT, "args": TEXT, "params": TEXT, "format": _RAW}),
        parts={"name": _NAME},
        description="format=raw answers with the bare number as text/plain.",
    ),
    ("GET", "/v1/devices/{device}/{name}"): Operation(
        "Read a variable of a device",
        {200: (_VALUE, Media("text/plain"))},
        errors=(403, 408, 502),
        query={"format": _RAW},
        parts={"name": _NAME},
        description="format=raw answers with the bare value as text/plain.",
    ),
}
OPERATIONS = _OPERATIONS | for_products(_OPERATIONS)
