"""Describes routes/webhooks.py (rest-api 8)."""

from particle_tools.cloud.openapi import (
    ANYTHING,
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    many,
    nullable,
    record,
)

_TABLE = {"type": "object", "additionalProperties": ANYTHING}
_METHOD = {"type": "string", "enum": ["GET", "POST", "PUT", "DELETE"]}
_FIELDS = {
    "integration_type": {"type": "string", "enum": ["Webhook"]},
    "requestType": _METHOD,
    "name": TEXT,
    "deviceID": TEXT,
    "disabled": FLAG,
    "json": ANYTHING,
    "form": _TABLE,
    "body": TEXT,
    "query": _TABLE,
    "headers": _TABLE,
    "auth": _TABLE,
    "responseTopic": TEXT,
    "errorResponseTopic": TEXT,
    "responseTemplate": TEXT,
    "noDefaults": FLAG,
    "rejectUnauthorized": FLAG,
    "unchunked": FLAG,
    "dataUrlResponseEvent": FLAG,
}
_NEEDED = {"event": {"type": "string", "minLength": 1, "maxLength": 64}, "url": TEXT}
_LISTED = record(
    {
        "id": TEXT,
        "created_at": DATE,
        "event": TEXT,
        "url": TEXT,
        "requestType": _METHOD,
        "name": nullable(TEXT),
        "deviceID": nullable(TEXT),
        "disabled": FLAG,
        "integration_type": TEXT,
    },
    {"product_id": NUMBER},
)
_WHOLE = record(
    {**_LISTED["properties"], "hookUrl": TEXT, "counters": {"type": "object"}} | _NEEDED
) | {"required": [*_LISTED["required"], "hookUrl", "counters"]}
_MADE = record({"ok": FLAG, "id": TEXT, "url": TEXT, "event": TEXT, "hookUrl": TEXT})
_VERDICT = record({"pass": FLAG}, {"data": ANYTHING, "error": TEXT})


def _group(base: str, kind: str) -> dict[tuple[str, str], Operation]:
    one, of_product = f"{base}/{{hook}}", " of a product" if "product" in base else ""
    made = {201: _MADE}
    gone = {200: record({"ok": FLAG})} if kind == "webhook" else {204: None}
    return {
        ("POST", base): Operation(
            f"Make a {kind}{of_product}", made, errors=(403,), body=record(_NEEDED, _FIELDS)
        ),
        ("GET", base): Operation(f"List the {kind}s{of_product}", {200: many(_LISTED)}),
        ("GET", one): Operation(f"Show a {kind}{of_product}", {200: record({kind: _WHOLE})}),
        ("PUT", one): Operation(
            f"Change a {kind}{of_product}",
            {200: _WHOLE},
            errors=(403,),
            body=record({}, {**_NEEDED, **_FIELDS}),
        ),
        ("DELETE", one): Operation(f"Delete a {kind}{of_product}", gone),
        ("POST", f"{one}/test"): Operation(
            f"Try a {kind}{of_product}", {200: _VERDICT}, body=record({}, {"data": TEXT})
        ),
    }


OPERATIONS = {
    key: operation
    for kind in ("webhook", "integration")
    for scope in ("/v1", "/v1/products/{product}")
    for key, operation in _group(f"{scope}/{kind}s", kind).items()
}
