"""Devices: list, get, claim, change, remove, signal, ping (rest-api 3), also by product."""

from __future__ import annotations

import re
import secrets
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue
from particle_tools.cloud.clock import iso
from particle_tools.cloud.devices import Device
from particle_tools.cloud.exchanges import DeviceError, NoAnswer
from particle_tools.cloud.hello import CELLULAR
from particle_tools.cloud.products import LOWEST
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.routes import firmware
from particle_tools.cloud.services import Services
from particle_tools.cloud.uploads import is_upload

_DIGITS = re.compile("[0-9]{1,9}")
_ID = re.compile(r"[0-9a-f]{24}")
_TYPES = {1: "bool", 2: "int32", 4: "string", 9: "double"}
_NO_PRODUCT = 0xFFFF
_NAME = 64
_NOTES = 4096
_VERSION = 65_535
_GROUP = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_ABSENT = object()


def device_json(services: Services, device: Device) -> dict[str, Any]:
    """Return the device object: everything that documents and clients read (rest-api 3)."""
    description = services.devices.description(device.id)
    session = services.sessions.get(device.id)
    heard = max(session.last_heard if session else 0, device.last_heard or 0) or None
    product = device.product_id
    member = services.products.membership(device.id)
    enabled, forced = services.updates.control(device.id)
    target = services.firmwares.target(device.id)
    return {
        "id": device.id,
        "name": device.name,
        "owner": device.owner,
        "last_ip_address": device.last_ip,
        "last_heard": iso(heard),
        "last_handshake_at": iso(device.last_handshake),
        "last_app": None,
        "product_id": (
            member.product_id
            if member
            else device.platform_id
            if product in (None, _NO_PRODUCT)
            else product
        ),
        "platform_id": device.platform_id,
        "online": session is not None,
        "connected": session is not None,
        "cellular": device.platform_id in CELLULAR,
        "notes": device.notes,
        "functions": description.functions,
        "variables": {
            name: _TYPES.get(kind, str(kind)) for name, kind in description.variables.items()
        },
        "status": "safe_mode" if device.safe_mode else "normal",
        "serial_number": device.serial_number,
        "system_firmware_version": _version(device.system_version),
        "firmware_version": device.product_version,
        "current_build_target": None,
        "pinned_build_target": None,
        "default_build_target": None,
        "firmware_updates_enabled": enabled,
        "firmware_updates_forced": forced,
        "mobile_secret": device.mobile_secret,
        "device_protection": {"status": "open"},
        "firmware_product_id": product,
        "desired_firmware_version": member.desired_version if member else None,
        "targeted_firmware_release_version": target.firmware.version if target else None,
        "groups": member.groups if member else [],
        "development": bool(member and member.development),
        "quarantined": bool(member and member.quarantined),
        "denied": bool(member and member.denied),
    }


def _version(number: int | None) -> str | None:
    return None if number is None else f"{number // 1000}.{number // 100 % 10}.{number % 100}"


async def _list(ask: Ask) -> list[dict[str, Any]]:
    return [device_json(ask.services, device) for device in ask.services.devices.of(ask.who)]


async def _get(ask: Ask) -> dict[str, Any]:
    return device_json(ask.services, ask.device())


async def _claim(ask: Ask) -> dict[str, Any]:
    if ask.body.get("product_id") is not None and "id" not in ask.body:
        return await _new_id(ask)
    device_id = checked_id(ask.text("id") or "")
    outcome = await ask.services.devices.claim(ask.who, device_id)
    if outcome == "unknown":
        raise catalogue.unknown_device()
    if outcome == "foreign":
        if str(ask.body.get("request_transfer")).lower() not in ("true", "1"):
            raise catalogue.foreign_device()
        number = await ask.services.transfers.request(ask.who, device_id)
        return {"ok": True, "transfer_id": str(number)}
    follow_owner(ask, device_id)
    return {
        "ok": True,
        "deviceID": device_id,
        "id": device_id,
        "claimed": True,
        "user_id": str(ask.who.id),
        "connected": ask.services.sessions.get(device_id) is not None,
    }


async def _new_id(ask: Ask) -> dict[str, Any]:
    """Make an id for a device to come, in a product of the user's or of a platform."""
    services, text = ask.services, ask.text("product_id") or ""
    product = services.products.find(ask.who, text)
    if product is None and not (_DIGITS.fullmatch(text) and int(text) < LOWEST):
        raise catalogue.not_found(f"Product {text[:80]} not found")
    device_id = secrets.token_hex(12)
    await services.devices.create(ask.who, device_id, None if product else int(text))
    if product is not None:
        await services.products.add(product, [device_id])
    return {"device_id": device_id, "id": device_id}


def follow_owner(ask: Ask, device_id: str) -> None:
    """Let a live session follow a change of owner."""
    session = ask.services.sessions.get(device_id)
    device = ask.services.devices.get(device_id)
    if session is not None and device is not None and session.owner != device.owner:
        session.owned_by(device.owner)


async def _remove(ask: Ask) -> dict[str, Any]:
    device = ask.device()
    await ask.services.devices.unclaim(device)
    follow_owner(ask, device.id)
    return {"ok": True}


async def _change(ask: Ask) -> Any:
    device = ask.device()
    # The order is that of the public server (rest-api 3).
    if is_upload(ask):
        return await firmware.flash(ask, device)
    changed: dict[str, Any] = {}
    name, notes = ask.text("name"), ask.text("notes")
    if name is not None and not 0 < len(name.strip()) <= _NAME:
        raise catalogue.bad_request(f"A name has 1 to {_NAME} characters")
    if name is not None:
        _check_name(device, name)
    if notes is not None and len(notes) > _NOTES:
        raise catalogue.bad_request(f"Notes have at most {_NOTES} characters")
    forced = _flag(ask, "firmware_updates_forced")
    member = _membership(ask)
    if name is not None:
        if not await ask.services.devices.rename(device, name):
            raise catalogue.name_taken()
        changed["name"] = name
    elif ask.body.get("signal") is not None:
        return await _signal(ask, device)
    if notes is not None:
        await ask.services.devices.annotate(device, notes)
        changed["notes"] = notes
    if forced is not None:
        await ask.services.updates.force(device.id, forced)
        changed["firmware_updates_forced"] = forced
    if member:
        await ask.services.products.note(device, **member)
        if _flag(ask, "flash") and ask.services.sessions.get(device.id) is not None:
            await ask.services.firmwares.offer(device.id)
        version = member.pop("desired_version", _ABSENT)
        changed |= member | ({} if version is _ABSENT else {"desired_firmware_version": version})
    if not changed:
        app = ask.text("app_id", "app")
        if app:
            raise firmware.no_application(app)
        raise catalogue.bad_request("Nothing to change: send name, signal, notes or a file")
    return {"id": device.id, **changed, "updated_at": iso(ask.services.clock.time())}


def _check_name(device: Device, name: str) -> None:
    if not name.isprintable():
        raise catalogue.bad_request("A name has only printable characters")
    # A device is found by its id first: this name would never lead to it.
    if _ID.fullmatch(name.lower()) and name.lower() != device.id:
        raise catalogue.bad_request("A name cannot have the form of another device's id")


def _flag(ask: Ask, name: str) -> bool | None:
    value = ask.body.get(name)
    if value is None:
        return None
    text = str(value).lower()
    if text not in _FLAGS:
        raise catalogue.bad_request(f"{name} is true or false")
    return _FLAGS[text]


def _membership(ask: Ask) -> dict[str, Any]:
    """Return what shall be noted of a device in the product of the path."""
    if "product" not in ask.http.match_info:
        return {}
    noted: dict[str, Any] = {}
    for name in ("development", "quarantined", "denied"):
        flag = _flag(ask, name)
        if flag is not None:
            noted[name] = flag
    if "desired_firmware_version" in ask.body:
        version = ask.body["desired_firmware_version"]
        text = "" if version is None else str(version)
        if text and not (_DIGITS.fullmatch(text) and int(text) <= _VERSION):
            raise catalogue.bad_request(f"desired_firmware_version is 0 to {_VERSION} or null")
        noted["desired_version"] = int(text) if text else None
    groups = ask.body.get("groups")
    if groups is not None:
        if isinstance(groups, str):
            groups = [name for name in groups.split(",") if name]
        if not isinstance(groups, list) or not all(
            isinstance(name, str) and _GROUP.fullmatch(name) for name in groups
        ):
            raise catalogue.bad_request("groups is a list of names of a-z, 0-9, _ and -")
        noted["groups"] = sorted(set(groups))
    return noted


async def _signal(ask: Ask, device: Device) -> dict[str, Any]:
    value = str(ask.body["signal"]).lower()
    if value not in ("0", "1", "true", "false"):
        raise catalogue.bad_request("signal is 1 or 0")
    on = value in ("1", "true")
    session = ask.services.sessions.get(device.id)
    if session is None:
        raise catalogue.timed_out()
    try:
        await session.signal(on)
    except NoAnswer as error:
        raise catalogue.timed_out() from error
    except DeviceError as error:
        raise catalogue.device_fault(str(error)) from error
    return {"id": device.id, "connected": True, "signaling": on}


async def _ping(ask: Ask) -> dict[str, Any]:
    session = ask.services.sessions.get(ask.device().id)
    return {"online": session is not None and await session.ping(), "ok": True}


async def _unserved(ask: Ask) -> web.Response:
    ask.device()
    raise catalogue.not_implemented("Device protection and file backups are not served here")


def checked_id(text: str) -> str:
    """Return a device id in its one form. Raises ApiError 400."""
    device_id = text.strip().lower()
    if not _ID.fullmatch(device_id):
        raise catalogue.bad_request("A device id has 24 hexadecimal digits")
    return device_id


ROUTES = [
    Route("GET", "/v1/devices", _list),
    Route("POST", "/v1/devices", _claim),
    Route("DELETE", "/v1/devices/{device}", _remove),
    *(
        Route(method, place + path, handler)
        for place in ("/v1/devices/{device}", "/v1/products/{product}/devices/{device}")
        for method, path, handler in (
            ("GET", "", _get),
            ("PUT", "", _change),
            ("PUT", "/ping", _ping),
            ("PUT", "/unprotect", _unserved),
            ("PUT", "/backup_files", _unserved),
        )
    ),
]
