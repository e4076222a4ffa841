"""Describes routes/firmwares.py (rest-api 5)."""

from particle_tools.cloud.openapi import (
    DATE,
    FLAG,
    NUMBER,
    OK,
    TEXT,
    Media,
    Operation,
    many,
    nullable,
    record,
)

_FIELDS = {
    "version": NUMBER,
    "title": TEXT,
    "description": TEXT,
    "name": TEXT,
    "size": NUMBER,
    "device_count": NUMBER,
    "current": FLAG,
    "groups": many(TEXT),
    "releases": many(
        record(
            {
                "group": nullable(TEXT),
                "percentage": NUMBER,
                "paused": FLAG,
                "released_at": nullable(DATE),
            }
        )
    ),
    "uploaded_at": nullable(DATE),
}
_FIRMWARE = record(_FIELDS)
_PLACE = "/v1/products/{product}/firmware"
_PERCENT = {"type": "integer", "minimum": 0, "maximum": 100}
_VERSION = {"type": "integer", "minimum": 0, "maximum": 65534}

OPERATIONS = {
    ("GET", _PLACE): Operation("Versions of a product's firmware", {200: many(_FIRMWARE)}),
    ("POST", _PLACE): Operation(
        "Upload a version of a product's firmware",
        {200: _FIRMWARE},
        errors=(409, 413),
        description="multipart/form-data: binary (a module, or a bundle of it and its assets),"
        " version, title, description.",
    ),
    ("PUT", _PLACE + "/release"): Operation(
        "Release a version to a product or to groups of it",
        {200: record({"ok": FLAG} | _FIELDS)},
        body=record(
            {"version": _VERSION},
            {
                "groups": many(TEXT),
                "product_default": FLAG,
                "percentage": _PERCENT,
                "paused": FLAG,
                "intelligent": FLAG,
            },
        ),
        description="percentage: of the devices, always the same ones; paused: no further device"
        " begins; intelligent: devices that are online begin at once.",
    ),
    ("GET", _PLACE + "/{version}"): Operation("One version", {200: _FIRMWARE}),
    ("PUT", _PLACE + "/{version}"): Operation(
        "Change title or description",
        {200: _FIRMWARE},
        body=record({}, {"title": TEXT, "description": TEXT}),
    ),
    ("DELETE", _PLACE + "/{version}"): Operation(
        "Forget a version that is not released", {200: OK}, errors=(409,)
    ),
    ("GET", _PLACE + "/{version}/binary"): Operation(
        "The firmware itself", {200: Media("application/octet-stream", binary=True)}
    ),
}
