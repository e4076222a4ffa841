"""Describes routes/events.py (rest-api 7)."""

from particle_tools.cloud.openapi import TEXT, Media, Operation, for_products, record

_STREAM = {200: Media("text/event-stream")}
_DATA = {"type": "string", "maxLength": 1024}

OPERATIONS = {
    ("GET", "/v1/events"): Operation("Refused: a prefix is needed", {}),
    ("GET", "/v1/events/"): Operation("Refused: a prefix is needed", {}),
    ("GET", "/v1/events/{prefix:.+}"): Operation("Stream all events with a prefix", _STREAM),
    ("GET", "/v1/devices/events"): Operation("Stream the events of my devices", _STREAM),
    ("GET", "/v1/devices/events/{prefix:.*}"): Operation(
        "Stream the events of my devices with a prefix", _STREAM
    ),
    ("GET", "/v1/devices/{device}/events"): Operation(
        "Stream the events of a device", _STREAM, errors=(403,)
    ),
    ("GET", "/v1/devices/{device}/events/{prefix:.*}"): Operation(
        "Stream the events of a device with a prefix", _STREAM, errors=(403,)
    ),
    ("POST", "/v1/devices/events"): Operation(
        "Publish an event to streams, webhooks and my devices",
        body=record(
            {"name": {"type": "string", "minLength": 1, "maxLength": 64}},
            {
                "data": _DATA,
                "ttl": {"type": "integer", "minimum": 0, "maximum": 16_777_215},
                "private": {"type": "boolean"},
                "access_token": TEXT,
            },
        ),
    ),
}
OPERATIONS |= for_products(OPERATIONS, "/v1/devices/") | {
    ("GET", "/v1/products/{product}/events"): Operation("Stream the events of a product", _STREAM),
    ("GET", "/v1/products/{product}/events/{prefix:.*}"): Operation(
        "Stream the events of a product with a prefix", _STREAM
    ),
    ("POST", "/v1/products/{product}/events"): OPERATIONS["POST", "/v1/devices/events"],
}
del OPERATIONS["POST", "/v1/products/{product}/devices/events"]
