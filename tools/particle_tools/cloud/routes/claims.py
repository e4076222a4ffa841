"""How devices come to accounts: keys, claim codes, serial numbers, transfers (rest-api 3, 6)."""

from __future__ import annotations

import re
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.keys import read_device_key
from particle_tools.cloud.products import Product
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.routes.devices import checked_id, follow_owner
from particle_tools.cloud.transfers import Transfer

_ALGORITHMS = {"rsa": "rsa", "ecc": "ec", "ec": "ec"}
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,32}")


async def _claim_code(ask: Ask) -> dict[str, Any]:
    return {
        "claim_code": await ask.services.devices.new_claim_code(ask.who),
        "device_ids": [device.id for device in ask.services.devices.of(ask.who)],
    }


async def _product_claim_code(ask: Ask) -> dict[str, Any]:
    product = ask.product()
    return {
        "claim_code": await ask.services.devices.new_claim_code(ask.who),
        "device_ids": [device.id for device in ask.services.products.devices(product)],
    }


async def _provision(ask: Ask) -> dict[str, Any]:
    device_id = checked_id(ask.part("device"))
    algorithm = ask.text("algorithm")
    if algorithm is not None and algorithm not in _ALGORITHMS:
        raise catalogue.bad_request(f"The algorithm {algorithm} is not supported: rsa or ecc")
    try:
        kind, spki = read_device_key(ask.text("publicKey") or "")
    except ValueError as error:
        raise catalogue.bad_request(str(error)) from error
    if algorithm is not None and _ALGORITHMS[algorithm] != kind:
        raise catalogue.bad_request(f"The public key is not of the algorithm {algorithm}")
    product = _product(ask)
    serial_number, secret = _label(ask, "serial_number"), _label(ask, "mobile_secret")
    known = ask.services.devices.key(device_id, kind)
    if not await ask.services.devices.register(ask.who, device_id, kind, spki):
        raise catalogue.foreign_device()
    if serial_number or secret:
        try:
            await ask.services.devices.label(device_id, serial_number, secret)
        except ValueError as error:
            raise catalogue.conflict(str(error)) from error
    if product is not None:
        await ask.services.products.add(product, [device_id])
    udp = ask.services.doors.udp
    if kind == "ec" and known not in (None, spki) and udp is not None:
        udp.revoked(device_id, "another key was registered for the device")
    follow_owner(ask, device_id)
    return {"ok": True}


def _label(ask: Ask, name: str) -> str | None:
    text = ask.text(name)
    if text is not None and not _LABEL.fullmatch(text):
        raise catalogue.bad_request(f"{name} has 1 to 32 letters and digits")
    return text


def _product(ask: Ask) -> Product | None:
    # A platform may be meant, which the device tells itself.
    return ask.services.products.find(ask.who, ask.text("product_id") or "")


async def _serial_number(ask: Ask) -> dict[str, Any]:
    device = ask.services.devices.by_serial_number(ask.part("serial"))
    if device is None or device.owner not in (None, ask.who.id):
        raise catalogue.not_found("Serial number not found")
    return {
        "ok": True,
        "deviceID": device.id,
        "device_id": device.id,
        "serial_number": device.serial_number,
        "platform_id": device.platform_id,
        "iccid": None,
    }


async def _transfers(ask: Ask) -> list[dict[str, Any]]:
    return [transfer.to_json() for transfer in ask.services.transfers.of(ask.who)]


def _transfer(ask: Ask) -> Transfer:
    for transfer in ask.services.transfers.of(ask.who):
        if str(transfer.id) == ask.part("transfer"):
            return transfer
    raise catalogue.not_found("There is no such request")


async def _accept(ask: Ask) -> dict[str, Any]:
    transfer = _transfer(ask)
    if not await ask.services.transfers.end(ask.who, transfer, accept=True):
        raise catalogue.not_found("There is no such request")
    follow_owner(ask, transfer.device_id)
    return {"ok": True}


async def _decline(ask: Ask) -> dict[str, Any]:
    await ask.services.transfers.end(ask.who, _transfer(ask), accept=False)
    return {"ok": True}


ROUTES = [
    Route("POST", "/v1/device_claims", _claim_code),
    Route("POST", "/v1/products/{product}/device_claims", _product_claim_code),
    Route("POST", "/v1/provisioning/{device}", _provision),
    Route("GET", "/v1/serial_numbers/{serial}", _serial_number),
    Route("GET", "/local/v1/transfers", _transfers),
    Route("POST", "/local/v1/transfers/{transfer}/accept", _accept),
    Route("POST", "/local/v1/transfers/{transfer}/decline", _decline),
]
