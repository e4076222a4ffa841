"""Ledgers (rest-api 10)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.ledgers import (
    DIRECTIONS,
    LARGEST,
    NAME,
    SCOPES,
    TooLarge,
    definition_json,
    instance_json,
)
from particle_tools.cloud.rest import Ask, Route

_PAGE = 100
_VALUE = 64


def _found(ask: Ask) -> sqlite3.Row:
    ledger = ask.services.ledgers.find(ask.who, ask.part("ledger"))
    if ledger is None:
        raise catalogue.not_found(f"Ledger {ask.part('ledger')} not found")
    return ledger


def _part(ask: Ask, name: str) -> dict[str, Any]:
    value = ask.body.get(name)
    if not isinstance(value, dict):
        raise catalogue.bad_request(f'The body is {{"{name}": {{…}}}}')
    return value


def _choice(values: dict[str, Any], name: str, known: tuple[str, ...], default: Any) -> Any:
    value = values.get(name, default)
    if value is not None and value not in known:
        raise catalogue.bad_request(f"{name} is {' or '.join(known)}")
    return value


def _text(values: dict[str, Any], name: str, default: str) -> str:
    value = values.get(name, default)
    if not isinstance(value, str) or len(value) > LARGEST:
        raise catalogue.bad_request(f"{name} is not a text")
    return value


def _both(values: dict[str, Any], name: str) -> dict[str, Any]:
    # Documents and types disagree on whether the answer is wrapped (rest-api 10).
    return {**values, name: values}


async def _list(ask: Ask) -> dict[str, Any]:
    archived = ask.http.query.get("archived") == "true"
    rows = ask.services.ledgers.of(ask.who, archived=archived)
    scope = ask.http.query.get("scope")
    shown, meta = _page(ask, [row for row in rows if scope in (None, row["scope"])])
    return {"ledger_definitions": [definition_json(row) for row in shown], "meta": meta}


def _page(ask: Ask, rows: list[sqlite3.Row]) -> tuple[list[sqlite3.Row], dict[str, int]]:
    page, size = ask.whole("page", 1, least=1), ask.whole("per_page", _PAGE, least=1)
    pages = max(1, -(-len(rows) // size))
    meta = {"page": page, "per_page": size, "total": len(rows), "total_pages": pages}
    return rows[(page - 1) * size : page * size], meta


async def _create(ask: Ask) -> dict[str, Any]:
    values = _part(ask, "ledger")
    name = _text(values, "name", "")
    if not NAME.fullmatch(name):
        raise catalogue.bad_request("A ledger's name has 1 to 32 of a-z, 0-9 and -")
    scope = _choice(values, "scope", SCOPES, None)
    if scope is None:
        raise catalogue.bad_request(f"scope is {' or '.join(SCOPES)}")
    try:
        ledger = await ask.services.ledgers.create(
            ask.who,
            name,
            scope,
            _choice(values, "direction", DIRECTIONS, None),
            _text(values, "description", ""),
        )
    except ValueError as error:
        raise catalogue.conflict(str(error)) from error
    return _both(definition_json(ledger), "ledger")


async def _get(ask: Ask) -> dict[str, Any]:
    return _both(definition_json(_found(ask)), "ledger")


async def _change(ask: Ask) -> dict[str, Any]:
    ledger, values = _found(ask), _part(ask, "ledger")
    direction = _choice(values, "direction", DIRECTIONS, ledger["direction"])
    description = _text(values, "description", ledger["description"])
    await ask.services.ledgers.change(ledger, direction, description)
    return _both(definition_json(_found(ask)), "ledger")


async def _archive(ask: Ask) -> dict[str, Any]:
    await ask.services.ledgers.archive(_found(ask))
    return {"ok": True}


async def _instances(ask: Ask) -> dict[str, Any]:
    ledger = _found(ask)
    shown, meta = _page(ask, ask.services.ledgers.instances(ledger))
    return {"instances": [instance_json(ledger, row) for row in shown], "meta": meta}


async def _instance(ask: Ask) -> dict[str, Any]:
    ledger = _found(ask)
    row = ask.services.ledgers.instance(ledger, _scope_value(ask, ledger))
    if row is None:
        raise catalogue.not_found("The ledger has no such instance")
    return _both(instance_json(ledger, row), "instance")


def _scope_value(ask: Ask, ledger: sqlite3.Row) -> str:
    """Return what names the instance: account, product or device, which must be the user's."""
    value, services = ask.part("scope"), ask.services
    if ledger["scope"] == "Device":
        device = services.devices.find(ask.who, value)
        if device is None:
            raise catalogue.unknown_device()
        return device.id
    if ledger["scope"] == "Product":
        product = services.products.find(ask.who, value)
        if product is None:
            raise catalogue.not_found(f"Product {value} not found")
        return str(product.id)
    if not 0 < len(value) <= _VALUE or not value.isprintable():
        raise catalogue.bad_request(f"A scope value has 1 to {_VALUE} characters")
    return value


async def _set(ask: Ask) -> dict[str, Any]:
    ledger = _found(ask)
    mode = ask.http.query.get("set_mode", "Replace")
    if mode not in ("Replace", "Merge"):
        raise catalogue.bad_request("set_mode is Replace or Merge")
    data = _part(ask, "instance").get("data")
    if not isinstance(data, dict):
        raise catalogue.bad_request("data is not an object")
    try:
        await ask.services.ledgers.set(
            ledger, _scope_value(ask, ledger), data, merge=mode == "Merge"
        )
    except TooLarge as error:
        raise catalogue.bad_request(f"The data has more than {LARGEST} bytes") from error
    return await _instance(ask)


async def _end(ask: Ask) -> dict[str, Any]:
    await _instance(ask)
    ledger = _found(ask)
    await ask.services.ledgers.set(ledger, _scope_value(ask, ledger), None, merge=False)
    return {"ok": True}


async def _versions(ask: Ask) -> dict[str, Any]:
    ledger = _found(ask)
    before, after = _moment(ask, "replaced_before"), _moment(ask, "replaced_after")
    rows = [
        row
        for row in ask.services.ledgers.versions(ledger, _scope_value(ask, ledger))
        if (before is None or (row["replaced_at"] or 0) < before)
        and (after is None or (row["replaced_at"] or float("inf")) > after)
    ]
    return {
        "versions": [instance_json(ledger, row) for row in rows],
        "meta": {"has_more": False},
    }


def _moment(ask: Ask, name: str) -> float | None:
    text = ask.http.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    except (ValueError, OverflowError) as error:
        raise catalogue.bad_request(f"{name} is not a date") from error


async def _version(ask: Ask) -> dict[str, Any]:
    ledger = _found(ask)
    for row in ask.services.ledgers.versions(ledger, _scope_value(ask, ledger)):
        if str(row["id"]) == ask.part("version"):
            return _both(instance_json(ledger, row), "version")
    raise catalogue.not_found("The instance has no such version")


_ONE = "/v1/ledgers/{ledger}"
_INSTANCE = _ONE + "/instances/{scope}"
_TABLE: list[tuple[str, str, Callable]] = [
    ("GET", "/v1/ledgers", _list),
    ("POST", "/v1/ledgers", _create),
    ("GET", _ONE, _get),
    ("PUT", _ONE, _change),
    ("DELETE", _ONE, _archive),
    ("GET", _ONE + "/instances", _instances),
    ("GET", _INSTANCE, _instance),
    ("PUT", _INSTANCE, _set),
    ("DELETE", _INSTANCE, _end),
    ("GET", _INSTANCE + "/versions", _versions),
    ("GET", _INSTANCE + "/versions/{version}", _version),
]
ROUTES = [Route(*row) for row in _TABLE]
