"""Products and their devices (rest-api 11); a product is made under /local/v1.

The routes of one device of a product are those of devices, calls and diagnostics.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue
from particle_tools.cloud.products import HIGHEST, LOWEST, Import
from particle_tools.cloud.rest import Ask, Route, json_answer
from particle_tools.cloud.routes.devices import device_json, follow_owner
from particle_tools.cloud.uploads import is_upload, receive

_PAGE = 25
_LARGEST_PAGE = 1000
_NAME, _DESCRIPTION = 64, 1024
_PLATFORM = 255
_LIST_BYTES = 1024 * 1024
_WORDS = re.compile(r"[\s,;]+")
_DIGITS = re.compile("[0-9]{1,9}")
_ID = re.compile(r"[0-9a-zA-Z_-]{1,32}")


async def _list(ask: Ask) -> dict[str, Any]:
    products = ask.services.products
    return {"products": [products.to_json(product) for product in products.of(ask.who)]}


async def _get(ask: Ask) -> dict[str, Any]:
    return {"product": ask.services.products.to_json(ask.product())}


async def _create(ask: Ask) -> dict[str, Any]:
    name = (ask.text("name") or "").strip()
    description = ask.text("description") or ""
    if not 0 < len(name) <= _NAME or not name.isprintable() or len(description) > _DESCRIPTION:
        raise catalogue.bad_request(f"name has 1 to {_NAME} printable characters")
    platform_id = _number(ask, "platform_id", 0, _PLATFORM)
    if platform_id is None:
        raise catalogue.bad_request("platform_id is missing")
    try:
        product = await ask.services.products.create(
            ask.who, name, platform_id, description, _number(ask, "id", LOWEST, HIGHEST)
        )
    except ValueError as error:
        raise catalogue.conflict(str(error)) from error
    return {"ok": True, "product": ask.services.products.to_json(product)}


def _number(ask: Ask, name: str, least: int, most: int) -> int | None:
    text = ask.text(name)
    if text is None:
        return None
    if not (_DIGITS.fullmatch(text) and least <= int(text) <= most):
        raise catalogue.bad_request(f"{name} is a number from {least} to {most}")
    return int(text)


async def _delete(ask: Ask) -> dict[str, Any]:
    await ask.services.products.delete(ask.product())
    return {"ok": True}


async def _devices(ask: Ask) -> dict[str, Any]:
    product, query = ask.product(), ask.http.query
    page = ask.whole("page", 1, least=1)
    size = min(ask.whole("per_page", ask.whole("perPage", _PAGE, least=1), least=1), _LARGEST_PAGE)
    devices = [device_json(ask.services, d) for d in ask.services.products.devices(product)]
    groups = {g for text in query.getall("groups", []) for g in text.split(",") if g}
    found = [
        device
        for device in devices
        if (not groups or groups & set(device["groups"]))
        and (query.get("deviceName", "").lower() in (device["name"] or "").lower())
        and device["id"].startswith(query.get("deviceId", "").lower())
        and query.get("serialNumber", device["serial_number"]) == device["serial_number"]
    ]
    pages = max(1, -(-len(found) // size))
    return {
        "devices": found[(page - 1) * size : page * size],
        "customers": [],
        "meta": {"total_pages": pages, "total_records": len(found)},
    }


async def _import(ask: Ask) -> web.Response:
    product = ask.product()
    if is_upload(ask):
        upload = await receive(ask, _LIST_BYTES)
        text = "\n".join(data.decode(errors="replace") for _, data in upload.files)
        text += "\n" + upload.fields.get("id", "")
    else:
        ids = ask.body.get("ids", ask.body.get("id", ""))
        text = " ".join(map(str, ids)) if isinstance(ids, list) else str(ids)
    references = list(dict.fromkeys(word for word in _WORDS.split(text) if word))
    if not references:
        raise catalogue.bad_request("The list of devices is empty")
    malformed = [word for word in references if not _ID.fullmatch(word)]
    found: Import = await ask.services.products.add(
        product, [word for word in references if word not in malformed]
    )
    invalid = [word[:80] for word in malformed] + found.invalid
    body = {
        "ok": bool(found.added),
        "updated": len(found.added),
        "updatedDeviceIds": found.added,
        "invalidDeviceIds": invalid,
        "nonmemberDeviceIds": found.nonmember,
        "protectedDeviceIds": [],
    }
    if not found.added:
        problem = "belong to someone else or to another product" if found.nonmember else "unknown"
        text = f"No device was added: {', '.join((found.nonmember or invalid)[:5])}: {problem}"
        body |= {"error": text, "error_description": text}
    return json_answer(200 if found.added else 400, body)


async def _remove(ask: Ask) -> web.Response:
    await ask.services.products.remove(ask.device())
    return web.Response(status=204)


async def _disown(ask: Ask) -> web.Response:
    device = ask.device()
    await ask.services.devices.unclaim(device)
    follow_owner(ask, device.id)
    return web.Response(status=204)


async def _no_sims(ask: Ask) -> Any:
    if "product" not in ask.http.match_info:
        return []
    ask.product()
    return {"sims": [], "meta": {"total_pages": 0}}


async def _no_organizations(ask: Ask) -> dict[str, Any]:
    return {"organizations": []}


async def _no_organization(ask: Ask) -> Any:
    raise catalogue.not_found(f"Organization {ask.part('organization')[:80]} not found")


_DEVICES = "/v1/products/{product}/devices"
_ORGANIZATION = "/v1/orgs/{organization}"
ROUTES = [
    Route("GET", "/v1/products", _list),
    Route("GET", "/v1/user/products", _list),
    Route("GET", "/v1/products/{product}", _get),
    Route("POST", "/local/v1/products", _create),
    Route("DELETE", "/local/v1/products/{product}", _delete),
    Route("GET", _DEVICES, _devices),
    Route("POST", _DEVICES, _import),
    Route("DELETE", _DEVICES + "/{device}", _remove),
    Route("DELETE", _DEVICES + "/{device}/owner", _disown),
    Route("GET", "/v1/sims", _no_sims),
    Route("GET", "/v1/products/{product}/sims", _no_sims),
    Route("GET", "/v1/orgs", _no_organizations),
    *(
        Route(method, _ORGANIZATION + path, _no_organization)
        for method, path in (("GET", ""), ("GET", "/{rest:.*}"), ("POST", "/{rest:.*}"))
    ),
]
