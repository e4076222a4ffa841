"""Firmware: uploads for a device, its queue; what needs a compiler (rest-api 5)."""

from __future__ import annotations

import asyncio
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.catalogue import ApiError
from particle_tools.cloud.devices import Device
from particle_tools.cloud.images import Source, images
from particle_tools.cloud.modules import BadModule
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.updates import Taken
from particle_tools.cloud.uploads import receive

_NO_COMPILER = (
    "The local cloud has no compiler: build the firmware and flash the .bin file, or copy"
    " Python files to the board with mpremote"
)

_TAKEN = (
    "The device has all of the update and may be starting it: it cannot be canceled any more."
    " Flash another file to take its place"
)


async def flash(ask: Ask, device: Device) -> dict[str, Any]:
    """Queue the files of a multipart body for a device."""
    upload = await receive(ask, ask.limits.firmware)
    if upload.fields.get("app_id"):
        raise no_application(upload.fields["app_id"])
    if not upload.files:
        raise catalogue.bad_request("The upload holds no file")
    updates, session = ask.services.updates, ask.services.sessions.get(device.id)
    largest = ask.limits.firmware
    if session is not None and session.hello.max_binary:
        largest = min(largest, session.hello.max_binary)
    try:
        files = await asyncio.to_thread(
            images,
            upload.files,
            binary=upload.fields.get("file_type") == "binary",
            platform_id=device.platform_id,
            largest=largest,
        )
    except BadModule as error:
        raise ApiError(400, {"ok": False, "code": error.code, "error": str(error)}) from error
    except Source as error:
        raise catalogue.not_implemented(_NO_COMPILER) from error
    await updates.queue(device.id, files)
    begins = session is not None and updates.deliver is not None and updates.allowed(device.id)
    return {"id": device.id, "status": "Update started" if begins else "Update queued"}


def no_application(name: str) -> ApiError:
    """501: an application that a cloud would know by name."""
    return catalogue.not_implemented(
        f"The local cloud has no application {name}: flash the .bin file"
    )


async def _compile(ask: Ask) -> Any:
    if ask.http.content_type == "multipart/form-data":
        # A client that still sends when it is answered would see a broken connection.
        await receive(ask, ask.limits.firmware)
    raise catalogue.not_implemented(_NO_COMPILER)


async def _binary(ask: Ask) -> Any:
    raise catalogue.not_implemented(_NO_COMPILER)


async def _targets(ask: Ask) -> dict[str, Any]:
    return {"targets": [], "platforms": {}, "default_versions": {}}


async def _versions(ask: Ask) -> dict[str, Any]:
    return {"versions": []}


async def _version(ask: Ask) -> Any:
    raise catalogue.not_found(f"Device OS {ask.part('version')} is not known to the local cloud")


async def _queue(ask: Ask) -> list[dict[str, Any]]:
    return [update.to_json() for update in ask.services.updates.of(ask.device().id)]


async def _cancel(ask: Ask) -> dict[str, Any]:
    try:
        return {"ok": True, "canceled": await ask.services.updates.cancel(ask.device().id)}
    except Taken as error:
        raise catalogue.conflict(_TAKEN) from error


ROUTES = [
    Route("POST", "/v1/binaries", _compile),
    Route("GET", "/v1/binaries/{binary}", _binary),
    Route("GET", "/v1/build_targets", _targets),
    Route("GET", "/v1/device-os/versions", _versions),
    Route("GET", "/v1/device-os/versions/{version}", _version),
    Route("GET", "/local/v1/devices/{device}/updates", _queue),
    Route("DELETE", "/local/v1/devices/{device}/updates", _cancel),
]
