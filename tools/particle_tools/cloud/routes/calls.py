"""Function calls and variables (rest-api 4)."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue, coap
from particle_tools.cloud.clock import iso
from particle_tools.cloud.devices import Description, Device
from particle_tools.cloud.exchanges import DeviceError, NoAnswer, Paused, TooLong
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.session import Rejected, Session


def _session(ask: Ask, device: Device) -> Session:
    session = ask.services.sessions.get(device.id)
    if session is None:
        raise catalogue.timed_out()
    return session


async def _description(ask: Ask, session: Session, name: str) -> Description:
    known = ask.services.devices.description(session.device_id)
    names = {*map(str.lower, known.functions), *known.variables}
    if session.described.is_set() or name in names or name.lower() in names:
        return known
    # The device has just connected: what it offers is on its way.
    with suppress(asyncio.TimeoutError):
        await ask.services.clock.wait_for(session.described.wait(), ask.limits.describe_s)
    return ask.services.devices.description(session.device_id)


async def _call(ask: Ask) -> Any:
    device, name = ask.device(), ask.part("name")
    argument = ask.text("arg", "args", "params", default="") or ""
    if len(argument.encode()) > ask.limits.data:
        raise catalogue.bad_request(f"The argument is longer than {ask.limits.data} bytes")
    session = _session(ask, device)
    description = await _description(ask, session, name)
    if description.known:
        # The public servers ignore case; the device compares exactly (4.6).
        by_case = {known.lower(): known for known in description.functions}
        if name.lower() not in by_case:
            raise catalogue.no_function(name)
        name = name if name in description.functions else by_case[name.lower()]
    try:
        result = await session.call(name, argument)
    except DeviceError as error:
        raise _translated(error, catalogue.no_function(name)) from error
    if ask.http.query.get("format", ask.text("format")) == "raw":
        return web.Response(text=str(result))
    return {"id": device.id, "name": device.name, "connected": True, "return_value": result}


async def _read(ask: Ask) -> Any:
    device, name = ask.device(), ask.part("name")
    session = _session(ask, device)
    description = await _description(ask, session, name)
    if description.known and name not in description.variables:
        raise catalogue.no_variable()
    try:
        value = await session.read(name, description.variables.get(name))
    except DeviceError as error:
        raise _translated(error, catalogue.no_variable()) from error
    if ask.http.query.get("format") == "raw":
        return web.Response(text=str(value).lower() if isinstance(value, bool) else str(value))
    if isinstance(value, float) and not math.isfinite(value):
        value = None  # JSON has no such number
    return {
        "cmd": "VarReturn",
        "name": name,
        "result": value,
        "coreInfo": {
            "name": device.name,
            "deviceID": device.id,
            "connected": True,
            "last_handshake_at": iso(device.last_handshake),
            "last_app": "",
            "last_heard": iso(session.last_heard),
            "product_id": device.product_id,
        },
    }


def _translated(error: DeviceError, missing: catalogue.ApiError) -> catalogue.ApiError:
    if isinstance(error, NoAnswer):
        return catalogue.timed_out()
    if isinstance(error, Paused):
        return catalogue.paused(error.seconds)
    if isinstance(error, TooLong):
        return catalogue.bad_request("The request is longer than the device can take")
    if isinstance(error, Rejected) and error.code == coap.NOT_FOUND:
        return missing
    return catalogue.device_fault(str(error))


ROUTES = [
    Route(method, place + "/{name}", handler)
    for place in ("/v1/devices/{device}", "/v1/products/{product}/devices/{device}")
    for method, handler in (("POST", _call), ("GET", _read))
]
