"""Describes routes/doctor.py (DESIGN decision 10)."""

from particle_tools.cloud.described.local import REFUSAL
from particle_tools.cloud.openapi import FLAG, TEXT, Operation, many, nullable, record

_DIAGNOSIS = record(
    {
        "id": TEXT,
        "name": nullable(TEXT),
        "online": FLAG,
        "transport": nullable(TEXT),
        "last_end": {"nullable": True, "type": "object"},
        "keys": record({"ec": nullable(TEXT), "rsa": nullable(TEXT)}),
        "refusals": many(REFUSAL),
    }
)

OPERATIONS = {
    ("GET", "/local/v1/devices/{device}/diagnosis"): Operation(
        "What is known about a device that does not connect",
        {200: _DIAGNOSIS},
        errors=(403,),
        description="keys: SHA-256 of the SubjectPublicKeyInfo DER of each registered key.",
    ),
}
