"""Webhooks, also under their other name integrations, and those of a product (rest-api 8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue
from particle_tools.cloud.clock import iso
from particle_tools.cloud.events import FROM_API, Event
from particle_tools.cloud.rest import Ask, Route, json_answer
from particle_tools.cloud.webhooks import definitions as webhook_definitions
from particle_tools.cloud.webhooks.definitions import BadDefinition
from particle_tools.cloud.webhooks.hooks import TooMany, Webhook
from particle_tools.cloud.webhooks.requests import Failure

_KINDS = ("webhook", "integration")


def _product(ask: Ask) -> int | None:
    return ask.product().id if "product" in ask.http.match_info else None


def _hook(ask: Ask) -> Webhook:
    hook = ask.services.webhooks.get(ask.who.id, ask.part("hook"), _product(ask))
    if hook is None:
        raise catalogue.not_found("Webhook not found")
    return hook


def _fields(ask: Ask, before: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        fields = webhook_definitions.read(ask.body, before)
        # An older one may lead where no webhook may go now: its other fields can be changed.
        if ask.body.get("url") is not None and webhook_definitions.fixed(fields["url"]):
            ask.services.webhooks.runner.check_url(fields["url"])
    except BadDefinition as error:
        raise catalogue.bad_request(str(error)) from error
    except Failure as failure:
        raise catalogue.bad_request(f"url: {failure}") from failure
    reference = fields.get("deviceID")
    if reference is not None:
        device = ask.services.devices.find(ask.who, reference)
        if device is None:
            raise catalogue.unknown_device()
        fields["deviceID"] = device.id
    return fields


def _url_of(ask: Ask, hook: Webhook) -> str:
    product = "" if hook.product is None else f"/products/{hook.product}"
    return f"{ask.http.scheme}://{ask.http.host}/v1{product}/webhooks/{hook.id}"


def _listed(hook: Webhook) -> dict[str, Any]:
    shown = {"id": hook.id, "created_at": iso(hook.created_at)}
    if hook.product is not None:
        shown["product_id"] = hook.product
    return shown | webhook_definitions.listed(hook.fields)


def _whole(ask: Ask, hook: Webhook) -> dict[str, Any]:
    counters = ask.services.webhooks.runner.state(hook)
    return _listed(hook) | hook.fields | {"hookUrl": _url_of(ask, hook), "counters": counters}


async def _create(ask: Ask) -> web.Response:
    product = _product(ask)
    try:
        hook = await ask.services.webhooks.create(ask.who.id, _fields(ask), product)
    except TooMany as error:
        raise catalogue.bad_request(str(error)) from error
    body = {"ok": True} | _listed(hook) | {"hookUrl": _url_of(ask, hook)}
    return json_answer(201, body)


async def _list(ask: Ask) -> list[dict[str, Any]]:
    return [_listed(hook) for hook in ask.services.webhooks.of(ask.who.id, _product(ask))]


def _get(kind: str) -> Callable[[Ask], Awaitable[dict[str, Any]]]:
    async def get(ask: Ask) -> dict[str, Any]:
        return {kind: _whole(ask, _hook(ask))}

    return get


async def _edit(ask: Ask) -> dict[str, Any]:
    hook = _hook(ask)
    changed = await ask.services.webhooks.change(hook, _fields(ask, hook.fields))
    if changed is None:
        raise catalogue.not_found("Webhook not found")
    return {"ok": True} | _whole(ask, changed)


async def _delete(ask: Ask) -> dict[str, Any]:
    await ask.services.webhooks.delete(_hook(ask))
    return {"ok": True}


async def _delete_silently(ask: Ask) -> web.Response:
    await ask.services.webhooks.delete(_hook(ask))
    return web.Response(status=204)


async def _test(ask: Ask) -> dict[str, Any]:
    hook, services = _hook(ask), ask.services
    data = (ask.text("data", default="") or "").encode()
    if len(data) > ask.limits.data:
        raise catalogue.bad_request(f"Event data has at most {ask.limits.data} bytes")
    core_id = hook.fields.get("deviceID") or FROM_API
    event = Event(hook.fields["event"], data, core_id, ask.who.id, services.clock.time())
    try:
        await services.webhooks.runner.test(hook, services.webhooks.trigger(event))
    except Failure as failure:
        return {"pass": False, "error": str(failure)}
    return {"pass": True, "data": None}


def _group(base: str, kind: str) -> list[Route]:
    one = f"{base}/{{hook}}"
    return [
        Route("POST", base, _create),
        Route("GET", base, _list),
        Route("GET", one, _get(kind)),
        Route("PUT", one, _edit),
        Route("DELETE", one, _delete if kind == "webhook" else _delete_silently),
        Route("POST", f"{one}/test", _test),
    ]


ROUTES = [
    route
    for kind in _KINDS
    for scope in ("/v1", "/v1/products/{product}")
    for route in _group(f"{scope}/{kind}s", kind)
]
