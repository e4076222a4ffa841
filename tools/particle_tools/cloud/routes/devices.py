"""Devices: list, get, claim, rename, remove, signal, ping, keys (rest-api 3, 6)."""

from __future__ import annotations

import re
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.clock import iso
from particle_tools.cloud.devices import Device
from particle_tools.cloud.exchanges import DeviceError, NoAnswer
from particle_tools.cloud.keys import read_device_key
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.services import Services

_ID = re.compile(r"[0-9a-f]{24}")
_TYPES = {1: "bool", 2: "int32", 4: "string", 9: "double"}
_ALGORITHMS = {"rsa": "rsa", "ecc": "ec", "ec": "ec"}
_NO_PRODUCT = 0xFFFF
_NAME = 64
_NOTES = 4096


def device_json(services: Services, device: Device) -> dict[str, Any]:
    """Return the device object: everything that documents and clients read (rest-api 3)."""
    description = services.devices.description(device.id)
    session = services.sessions.get(device.id)
    heard = max(session.last_heard if session else 0, device.last_heard or 0) or None
    product = device.product_id
    return {
        "id": device.id,
        "name": device.name,
        "owner": device.owner,
        "last_ip_address": device.last_ip,
        "last_heard": iso(heard),
        "last_handshake_at": iso(device.last_handshake),
        "last_app": None,
        "product_id": device.platform_id if product in (None, _NO_PRODUCT) else product,
        "platform_id": device.platform_id,
        "online": session is not None,
        "connected": session is not None,
        "cellular": False,
        "notes": device.notes,
        "functions": description.functions,
        "variables": {
            name: _TYPES.get(kind, str(kind)) for name, kind in description.variables.items()
        },
        "status": "normal",
        "serial_number": None,
        "system_firmware_version": _version(device.system_version),
        "firmware_version": device.product_version,
        "current_build_target": None,
        "pinned_build_target": None,
        "default_build_target": None,
        "firmware_updates_enabled": True,
        "firmware_updates_forced": False,
        "mobile_secret": None,
        "device_protection": {"status": "open"},
        "groups": [],
        "development": False,
        "quarantined": False,
        "denied": False,
    }


def _version(number: int | None) -> str | None:
    return None if number is None else f"{number // 1000}.{number // 100 % 10}.{number % 100}"


async def _list(ask: Ask) -> list[dict[str, Any]]:
    return [device_json(ask.services, device) for device in ask.services.devices.of(ask.who)]


async def _get(ask: Ask) -> dict[str, Any]:
    return device_json(ask.services, ask.device())


async def _claim(ask: Ask) -> dict[str, Any]:
    device_id = _checked_id(ask.text("id") or "")
    outcome = await ask.services.devices.claim(ask.who, device_id)
    if outcome == "unknown":
        raise catalogue.unknown_device()
    if outcome == "foreign":
        raise catalogue.foreign_device()
    _follow_owner(ask, device_id)
    return {
        "ok": True,
        "deviceID": device_id,
        "id": device_id,
        "claimed": True,
        "user_id": str(ask.who.id),
        "connected": ask.services.sessions.get(device_id) is not None,
    }


def _follow_owner(ask: Ask, device_id: str) -> None:
    session = ask.services.sessions.get(device_id)
    device = ask.services.devices.get(device_id)
    if session is not None and device is not None and session.owner != device.owner:
        session.owned_by(device.owner)


async def _remove(ask: Ask) -> dict[str, Any]:
    device = ask.device()
    await ask.services.devices.unclaim(device)
    _follow_owner(ask, device.id)
    return {"ok": True}


async def _change(ask: Ask) -> dict[str, Any]:
    device = ask.device()
    now = iso(ask.services.clock.time())
    name = ask.text("name")
    if name is not None:
        if not 0 < len(name.strip()) <= _NAME:
            raise catalogue.bad_request(f"A name has 1 to {_NAME} characters")
        if not await ask.services.devices.rename(device, name):
            raise catalogue.name_taken()
        return {"id": device.id, "name": name, "updated_at": now}
    if ask.body.get("signal") is not None:
        return await _signal(ask, device)
    notes = ask.text("notes")
    if notes is not None:
        if len(notes) > _NOTES:
            raise catalogue.bad_request(f"Notes have at most {_NOTES} characters")
        await ask.services.devices.annotate(device, notes)
        return {"id": device.id, "notes": notes, "updated_at": now}
    raise catalogue.bad_request("Nothing to change: send name, signal or notes")


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


async def _claim_code(ask: Ask) -> dict[str, Any]:
    return {
        "claim_code": await ask.services.devices.new_claim_code(ask.who),
        "device_ids": [device.id for device in ask.services.devices.of(ask.who)],
    }


async def _provision(ask: Ask) -> dict[str, Any]:
    device_id = _checked_id(ask.part("device"))
    algorithm = ask.text("algorithm")
    if algorithm is not None and algorithm not in _ALGORITHMS:
        raise catalogue.bad_request(f"The algorithm {algorithm} is not supported: rsa or ecc")
    try:
        kind, spki = read_device_key(ask.text("publicKey") or "")
    except ValueError as error:
        raise catalogue.bad_request(str(error)) from error
    if algorithm is not None and _ALGORITHMS[algorithm] != kind:
        raise catalogue.bad_request(f"The public key is not of the algorithm {algorithm}")
    known = ask.services.devices.key(device_id, kind)
    if not await ask.services.devices.register(ask.who, device_id, kind, spki):
        raise catalogue.foreign_device()
    udp = ask.services.doors.udp
    if kind == "ec" and known not in (None, spki) and udp is not None:
        udp.revoked(device_id, "another key was registered for the device")
    _follow_owner(ask, device_id)
    return {"ok": True}


def _checked_id(text: str) -> str:
    device_id = text.strip().lower()
    if not _ID.fullmatch(device_id):
        raise catalogue.bad_request("A device id has 24 hexadecimal digits")
    return device_id


ROUTES = [
    Route("GET", "/v1/devices", _list),
    Route("POST", "/v1/devices", _claim),
    Route("GET", "/v1/devices/{device}", _get),
    Route("PUT", "/v1/devices/{device}", _change),
    Route("DELETE", "/v1/devices/{device}", _remove),
    Route("PUT", "/v1/devices/{device}/ping", _ping),
    Route("POST", "/v1/device_claims", _claim_code),
    Route("POST", "/v1/provisioning/{device}", _provision),
]
