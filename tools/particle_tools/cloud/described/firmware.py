"""Describes routes/firmware.py (rest-api 5)."""

from particle_tools.cloud.openapi import (
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    many,
    nullable,
    record,
)

_UPDATE = record(
    {
        "id": NUMBER,
        "state": TEXT,
        "queued_at": DATE,
        "ended_at": nullable(DATE),
        "error": nullable(TEXT),
        "phase": nullable(TEXT),
        "position": NUMBER,
        "attempts": NUMBER,
        "stored": NUMBER,
        "files": many(record({"name": TEXT, "kind": TEXT, "size": NUMBER})),
    }
)
_NO_COMPILER = "Always 501: the local cloud has no compiler"

OPERATIONS = {
    ("POST", "/v1/binaries"): Operation(_NO_COMPILER, {}, errors=(501,)),
    ("GET", "/v1/binaries/{binary}"): Operation(_NO_COMPILER, {}, errors=(501,)),
    ("GET", "/v1/build_targets"): Operation(
        "What could be compiled: nothing",
        {
            200: record(
                {
                    "targets": many(TEXT),
                    "platforms": {"type": "object"},
                    "default_versions": {"type": "object"},
                }
            )
        },
    ),
    ("GET", "/v1/device-os/versions"): Operation(
        "Versions of Device OS: none", {200: record({"versions": many(TEXT)})}
    ),
    ("GET", "/v1/device-os/versions/{version}"): Operation("Always 404", {}),
    ("GET", "/local/v1/devices/{device}/updates"): Operation(
        "Updates of a device, with those that are over", {200: many(_UPDATE)}, errors=(403,)
    ),
    ("DELETE", "/local/v1/devices/{device}/updates"): Operation(
        "Cancel what waits for a device and what it is being sent",
        {200: record({"ok": FLAG, "canceled": FLAG})},
        errors=(403, 409),
    ),
}
