"""Describes routes/usage.py (rest-api 15)."""

from particle_tools.cloud.openapi import (
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    nullable,
    record,
)

_PERIOD = {"period": {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}}
_TRAFFIC = record(
    {
        "messages_up": NUMBER,
        "bytes_up": NUMBER,
        "messages_down": NUMBER,
        "bytes_down": NUMBER,
    }
)
_NAMES = (
    "operations ops_out ops_in coap_up coap_down segment_up segment_down segments_up"
    " segments_down datagram_up datagram_down datagrams_up datagrams_down messages_up"
    " messages_down handshakes resumes pings events_up events_down calls reads ota_bytes"
    " network_estimate"
)
_COUNTERS = record(
    dict.fromkeys(_NAMES.split(), NUMBER)
    | {"kinds": {"type": "object", "additionalProperties": _TRAFFIC}},
    {"period": TEXT},
)
_ACCOUNT = record(
    {"operations": NUMBER, "ops_out": NUMBER, "ops_in": NUMBER, "cellular_bytes": NUMBER}
)
_RESOURCE = record({"used": NUMBER, "limit": nullable(NUMBER), "percent": nullable(NUMBER)})

OPERATIONS = {
    ("GET", "/local/v1/usage"): Operation(
        "What my account and my devices have used in a month",
        {
            200: record(
                {
                    "period": TEXT,
                    "account": _ACCOUNT,
                    "devices": {"type": "object", "additionalProperties": _COUNTERS},
                }
            )
        },
        query=_PERIOD,
    ),
    ("GET", "/local/v1/usage/{device}"): Operation(
        "What a device has used in a month", {200: _COUNTERS}, query=_PERIOD, errors=(403,)
    ),
    ("POST", "/local/v1/usage/reset"): Operation("Begin to count anew"),
    ("GET", "/local/v1/plan"): Operation(
        "What my plan has for a month, and what is used of it",
        {
            200: record(
                {
                    "plan": {"type": "string", "enum": ["off", "free", "growth"]},
                    "period": TEXT,
                    "period_ends": DATE,
                    "resources": {"type": "object", "additionalProperties": _RESOURCE},
                    "warned": {"type": "object", "additionalProperties": NUMBER},
                    "paused": FLAG,
                    "pauses_at": nullable(DATE),
                    "resumes_at": nullable(DATE),
                }
            )
        },
    ),
}
