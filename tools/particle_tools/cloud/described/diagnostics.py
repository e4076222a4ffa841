"""Describes routes/diagnostics.py (rest-api 9)."""

from particle_tools.cloud.openapi import (
    DATE,
    OK,
    TEXT,
    Media,
    Operation,
    for_products,
    many,
    record,
)

_VITALS = record({"updated_at": DATE, "deviceID": TEXT, "payload": {"type": "object"}})
_PLACE = "/v1/diagnostics/{device}"

_OPERATIONS = {
    ("POST", _PLACE + "/update"): Operation(
        "Ask a device for its vitals; they come as an event", {202: OK}, errors=(403, 408)
    ),
    ("GET", _PLACE + "/last"): Operation(
        "The last vitals of a device", {200: record({"diagnostics": _VITALS})}, errors=(403,)
    ),
    ("GET", _PLACE + "/metadata"): Operation(
        "Titles, units and ranges of vitals",
        {200: record({"diagnostics_metadata": {"type": "object"}})},
        errors=(403,),
    ),
    ("GET", _PLACE): Operation(
        "The vitals of thirty days",
        {200: (record({"diagnostics": many(_VITALS)}), Media("text/csv"))},
        errors=(403,),
        query={"start_date": DATE, "end_date": DATE},
        description="As a table with the header Accept: text/csv.",
    ),
}
OPERATIONS = _OPERATIONS | for_products(_OPERATIONS)
