"""Describes routes/openapi.py."""

from particle_tools.cloud.openapi import Operation

OPERATIONS = {
    ("GET", "/local/v1/openapi.json"): Operation(
        "This document", {200: {"type": "object", "required": ["openapi", "paths"]}}
    ),
}
