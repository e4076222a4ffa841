"""Describes routes/diagnostics.py (rest-api 9)."""

from particle_tools.cloud.openapi import OK, Operation

OPERATIONS = {
    ("POST", "/v1/diagnostics/{device}/update"): Operation(
        "Ask a device for its vitals; they come as an event", {202: OK}, errors=(403, 408)
    ),
}
