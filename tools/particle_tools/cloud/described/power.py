"""Describes routes/power.py."""

from particle_tools.cloud.openapi import FLAG, TEXT, Operation, record
from particle_tools.cloud.routes.power import ORDERS

_ORDER = {"type": "string", "enum": list(ORDERS)}

OPERATIONS = {
    ("POST", "/local/v1/devices/{device}/reset"): Operation(
        "Have a device reset, enter safe mode or its bootloader, or connect anew",
        {200: record({"ok": FLAG, "id": TEXT, "order": TEXT})},
        errors=(403, 408),
        body=record({"order": _ORDER}),
    ),
}
