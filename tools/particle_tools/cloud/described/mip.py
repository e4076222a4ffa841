"""Describes routes/mip.py (rest-api 15.3)."""

from particle_tools.cloud.openapi import Media, Operation

OPERATIONS = {
    ("GET", "/mip/{path:.+}"): Operation(
        "A file of the device library, for `mip install`",
        {200: ({"type": "object"}, Media("application/octet-stream", binary=True))},
    ),
}
