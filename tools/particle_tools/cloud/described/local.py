"""Describes routes/local.py (rest-api 15.3)."""

from particle_tools.cloud.openapi import (
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Media,
    Operation,
    many,
    nullable,
    record,
)

_OFFLINE = record({"ok": FLAG, "was_online": FLAG})
REFUSAL = record(
    {
        "at": DATE,
        "transport": TEXT,
        "address": TEXT,
        "device_id": nullable(TEXT),
        "stage": TEXT,
        "reason": TEXT,
        "count": NUMBER,
        "remedy": TEXT,
    }
)
_KEPT = record(
    {
        "number": NUMBER,
        "name": TEXT,
        "data": TEXT,
        "content_format": NUMBER,
        "published_at": DATE,
    }
)

OPERATIONS = {
    ("GET", "/local/v1/info"): Operation(
        "Where devices dial, the version and the time",
        {
            200: record(
                {
                    "host": TEXT,
                    "tcp_port": nullable(NUMBER),
                    "udp_port": nullable(NUMBER),
                    "version": TEXT,
                    "time": DATE,
                }
            )
        },
    ),
    ("GET", "/local/v1/server-key"): Operation(
        "A public key of this cloud",
        {
            200: (
                Media("application/x-pem-file"),
                Media("application/octet-stream", binary=True),
            )
        },
        query={
            "alg": {"type": "string", "enum": ["rsa", "ec"]},
            "format": {"type": "string", "enum": ["pem", "der"]},
        },
    ),
    ("GET", "/local/v1/sessions"): Operation(
        "The sessions of my devices",
        {200: many(record({"id": TEXT, "online": FLAG, "last_end": {"nullable": True}}))},
    ),
    ("GET", "/local/v1/refusals"): Operation(
        "Devices that were refused, newest first, with what to do", {200: many(REFUSAL)}
    ),
    ("GET", "/local/v1/devices/{device}/persisted-events"): Operation(
        "The persisted events kept for a device", {200: many(_KEPT)}, errors=(403,)
    ),
    ("POST", "/local/v1/devices/{device}/drop-session"): Operation(
        "End the session of a device", {200: record({"ok": FLAG, "dropped": FLAG})}, errors=(403,)
    ),
    ("POST", "/local/v1/devices/{device}/forget-session"): Operation(
        "Forget the session of a device without telling it",
        {200: record({"ok": FLAG, "forgotten": FLAG})},
        errors=(403,),
    ),
    ("POST", "/local/v1/devices/{device}/offline"): Operation(
        "Take a device offline", {200: _OFFLINE}, errors=(403,)
    ),
}
