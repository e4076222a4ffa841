"""Describes routes/ledgers.py (rest-api 10)."""

from particle_tools.cloud.ledgers import DIRECTIONS, SCOPES
from particle_tools.cloud.openapi import (
    DATE,
    JSON,
    NUMBER,
    TEXT,
    Operation,
    many,
    nullable,
    record,
    ref,
)

_DEFINITION = {
    "scope": TEXT,
    "name": TEXT,
    "description": TEXT,
    "direction": nullable(TEXT),
    "created_at": DATE,
    "updated_at": DATE,
    "archived_at": nullable(DATE),
}
_INSTANCE = {
    "name": TEXT,
    "scope": record({"type": TEXT, "value": TEXT, "name": TEXT}),
    "size_bytes": NUMBER,
    "data": {"type": "object"},
    "version": TEXT,
    "created_at": DATE,
    "updated_at": DATE,
    "replaced_at": nullable(DATE),
}
_META = record({"page": NUMBER, "per_page": NUMBER, "total": NUMBER, "total_pages": NUMBER})
_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000}
_PAGES = {"page": _COUNT, "per_page": _COUNT}
_DIRECTION = {"type": "string", "enum": list(DIRECTIONS)}
_CHANGES = {"description": TEXT, "direction": _DIRECTION}
_SCOPE = {"type": "string", "enum": list(SCOPES)}
_NAME = {"type": "string", "pattern": "^[a-z0-9-]{1,32}$"}

_LEDGER = {200: ref("Ledger")}
_ONE = "/v1/ledgers/{ledger}"
_PLACE = _ONE + "/instances/{scope}"

SCHEMAS = {
    # Documents and types disagree on whether an answer is wrapped: it is sent both ways.
    "Ledger": record({**_DEFINITION, "ledger": record(_DEFINITION)}),
    "LedgerInstance": record({**_INSTANCE, "instance": record(_INSTANCE)}),
}

OPERATIONS = {
    ("GET", "/v1/ledgers"): Operation(
        "List my ledgers",
        {200: record({"ledger_definitions": many(record(_DEFINITION)), "meta": _META})},
        query={**_PAGES, "scope": _SCOPE, "archived": {"type": "boolean"}},
    ),
    ("POST", "/v1/ledgers"): Operation(
        "Make a ledger",
        _LEDGER,
        errors=(409,),
        body=record({"ledger": record({"name": _NAME, "scope": _SCOPE}, _CHANGES)}),
        forms=(JSON,),
    ),
    ("GET", _ONE): Operation("Show a ledger", _LEDGER),
    ("PUT", _ONE): Operation(
        "Change a ledger", _LEDGER, body=record({"ledger": record({}, _CHANGES)}), forms=(JSON,)
    ),
    ("DELETE", _ONE): Operation("Archive a ledger"),
    ("GET", _ONE + "/instances"): Operation(
        "List the instances of a ledger",
        {200: record({"instances": many(record(_INSTANCE)), "meta": _META})},
        query=_PAGES,
    ),
    ("GET", _PLACE): Operation(
        "Read an instance: of the account, a product or a device",
        {200: ref("LedgerInstance")},
        errors=(403,),
    ),
    ("PUT", _PLACE): Operation(
        "Write an instance",
        {200: ref("LedgerInstance")},
        errors=(403,),
        query={"set_mode": {"type": "string", "enum": ["Replace", "Merge"]}},
        body=record({"instance": record({"data": {"type": "object"}})}),
        forms=(JSON,),
    ),
    ("DELETE", _PLACE): Operation("Delete an instance", errors=(403,)),
    ("GET", _PLACE + "/versions"): Operation(
        "List the versions of an instance",
        {200: record({"versions": many(record(_INSTANCE)), "meta": {"type": "object"}})},
        errors=(403,),
        query={"replaced_before": DATE, "replaced_after": DATE},
    ),
    ("GET", _PLACE + "/versions/{version}"): Operation(
        "Read a version of an instance",
        {200: record({**_INSTANCE, "version": record(_INSTANCE)})},
        errors=(403,),
    ),
}
