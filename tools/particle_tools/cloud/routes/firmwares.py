"""Firmware of products: upload, list, release (rest-api 5)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue
from particle_tools.cloud.catalogue import ApiError
from particle_tools.cloud.firmwares import Firmware
from particle_tools.cloud.images import Source, images
from particle_tools.cloud.modules import APPLICATIONS, BadModule, is_bundle, product_of, read
from particle_tools.cloud.products import Product
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.updates import MODULE, File
from particle_tools.cloud.uploads import is_upload, receive

_DIGITS = re.compile("[0-9]{1,5}")
_HIGHEST = 65_534  # 65535: no version
_GROUP = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TITLE, _DESCRIPTION = 255, 4096
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_ALL = 100
_RELEASE = {"version", "groups", "product_default", "percentage", "paused", "intelligent"}


async def _list(ask: Ask) -> list[dict[str, Any]]:
    firmwares = ask.services.firmwares
    return [firmwares.to_json(firmware) for firmware in firmwares.of(ask.product())]


async def _upload(ask: Ask) -> dict[str, Any]:
    product = ask.product()
    if not is_upload(ask):
        raise catalogue.bad_request("Send the binary as multipart/form-data")
    upload = await receive(ask, ask.limits.firmware)
    version = _number(upload.fields.get("version"))
    texts = _texts(upload.fields.get("title", ""), upload.fields.get("description", ""))
    if len(upload.files) != 1:
        raise catalogue.bad_request("The upload holds one file: a module, or a bundle of assets")
    try:
        files = await asyncio.to_thread(
            images,
            upload.files,
            binary=True,
            platform_id=product.platform_id,
            largest=ask.limits.firmware,
        )
        _check(product, version, files)
    except BadModule as error:
        raise ApiError(400, {"ok": False, "code": error.code, "error": str(error)}) from error
    except Source as error:  # pragma: no cover - `binary` says it is none
        raise catalogue.bad_request(str(error)) from error
    firmwares = ask.services.firmwares
    if not await firmwares.add(product, version, (*texts, upload.files[0][0]), files):
        raise catalogue.conflict(f"Version {version} exists: versions are never replaced")
    found = firmwares.get(product.id, version)
    assert found is not None
    return firmwares.to_json(found)


def _check(product: Product, version: int, files: list[File]) -> None:
    applications = [
        module
        for file in files
        if file.kind == MODULE
        for module in read(file.data)
        if module.function in APPLICATIONS
    ]
    if not applications:
        raise catalogue.bad_request("The upload holds no application")
    for module in applications:
        id_, found = product_of(module)
        if id_ not in (product.id, product.platform_id):
            raise catalogue.bad_request(
                f"The firmware is for product {id_}, not {product.id}"
                if id_ is not None
                else "The firmware names no product and no version"
            )
        if id_ != product.id and is_bundle(module):  # whose boards compare the number
            raise catalogue.bad_request(
                f"The bundle is for no product: pack it with --product {product.id}"
            )
        if found != version:
            raise catalogue.bad_request(f"The firmware says that it is version {found}")


async def _get(ask: Ask) -> dict[str, Any]:
    return ask.services.firmwares.to_json(_firmware(ask))


async def _binary(ask: Ask) -> web.Response:
    firmware = _firmware(ask)
    files = ask.services.firmwares.files(firmware)
    module = next(file for file in files if file.kind == MODULE)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", firmware.name)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=module.data, content_type="application/octet-stream", headers=headers)


async def _describe(ask: Ask) -> dict[str, Any]:
    firmware = _firmware(ask)
    title = ask.text("title", default=firmware.title) or ""
    description = ask.text("description", default=firmware.description) or ""
    await ask.services.firmwares.describe(firmware, *_texts(title, description))
    return ask.services.firmwares.to_json(_firmware(ask))


async def _remove(ask: Ask) -> dict[str, Any]:
    if not await ask.services.firmwares.remove(_firmware(ask)):
        raise catalogue.conflict("The version is released, or on its way to a device")
    return {"ok": True}


async def _release(ask: Ask) -> dict[str, Any]:
    product, firmwares = ask.product(), ask.services.firmwares
    version = _number(ask.text("version"))
    firmware = firmwares.get(product.id, version)
    if firmware is None:
        raise catalogue.not_found(f"Version {version} not found")
    groups = ask.body.get("groups") or []
    if isinstance(groups, str):
        groups = [name for name in groups.split(",") if name]
    if not isinstance(groups, list) or not all(
        isinstance(name, str) and _GROUP.fullmatch(name) for name in groups
    ):
        raise catalogue.bad_request("groups is a list of names of a-z, 0-9, _ and -")
    if groups and _flag(ask, "product_default"):
        raise catalogue.bad_request("A release is the product's default, or for groups")
    # a typing error must not release to everybody
    strange = sorted(set(ask.body) - _RELEASE)
    if strange:
        raise catalogue.bad_request(
            f"{strange[0][:64]} is unknown; there are {', '.join(sorted(_RELEASE))}"
        )
    text = ask.text("percentage", default="")
    if text and (not _DIGITS.fullmatch(text) or int(text) > _ALL):
        raise catalogue.bad_request("percentage is a whole number from 0 to 100")
    percentage = int(text) if text else None
    missing = sorted(set(groups) - firmwares.groups(product))
    if missing:
        raise catalogue.not_found(
            f"Group {missing[0]} not found: no device of the product is in it"
        )
    await firmwares.release(firmware, groups, percentage, paused=_flag(ask, "paused"))
    if _flag(ask, "intelligent"):  # not only when they connect
        for device in ask.services.products.devices(product):
            if ask.services.sessions.get(device.id) is not None:
                await firmwares.offer(device.id)
    return {"ok": True, **firmwares.to_json(firmware)}


def _flag(ask: Ask, name: str) -> bool:
    text = str(ask.body.get(name, False)).lower()
    if text not in _FLAGS:
        raise catalogue.bad_request(f"{name} is true or false")
    return _FLAGS[text]


def _number(text: str | None) -> int:
    if text is None or not _DIGITS.fullmatch(text) or int(text) > _HIGHEST:
        raise catalogue.bad_request(f"version is a whole number from 0 to {_HIGHEST}")
    return int(text)


def _texts(title: str, description: str) -> tuple[str, str]:
    if len(title) > _TITLE or len(description) > _DESCRIPTION:
        raise catalogue.bad_request("The title or the description is too long")
    return title, description


def _firmware(ask: Ask) -> Firmware:
    product, text = ask.product(), ask.part("version")
    found = None
    if _DIGITS.fullmatch(text):
        found = ask.services.firmwares.get(product.id, int(text))
    if found is None:
        raise catalogue.not_found(f"Version {text[:20]} not found")
    return found


_PLACE = "/v1/products/{product}/firmware"
ROUTES = [
    Route("GET", _PLACE, _list),
    Route("POST", _PLACE, _upload),
    Route("PUT", _PLACE + "/release", _release),
    Route("GET", _PLACE + "/{version}", _get),
    Route("PUT", _PLACE + "/{version}", _describe),
    Route("DELETE", _PLACE + "/{version}", _remove),
    Route("GET", _PLACE + "/{version}/binary", _binary),
]
