"""Vitals: on request, the last ones, those of thirty days (rest-api 9)."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timezone
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue, inbound
from particle_tools.cloud.catalogue import ApiError
from particle_tools.cloud.exchanges import DeviceError
from particle_tools.cloud.rest import Ask, Route, json_answer
from particle_tools.cloud.session import METRICS, Session

_METADATA = {
    "device.network.signal.strength": ("Signal strength", "%", (0, 100)),
    "device.network.signal.quality": ("Signal quality", "%", (0, 100)),
    "device.network.signal.strengthv": ("Signal strength", "dBm", (-150, 0)),
    "device.cloud.coap.round_trip": ("Round trip", "ms", (0, 30_000)),
    "device.cloud.publish.rate_limited": ("Rate-limited publishes", None, None),
    "device.power.battery.charge": ("Battery charge", "%", (0, 100)),
    "device.system.uptime": ("Uptime", "s", None),
    "device.system.memory.used": ("Used memory", "bytes", None),
    "device.system.memory.total": ("Total memory", "bytes", None),
}


async def _update(ask: Ask) -> web.Response:
    session = ask.services.sessions.get(ask.device().id)
    if session is None:
        raise catalogue.timed_out()
    session.spawn(_refresh(session))
    return json_answer(202, {"ok": True})


async def _refresh(session: Session) -> None:
    try:
        await inbound.take_vitals(session, await session.describe(METRICS))
    except DeviceError:
        pass  # no event then, as the answer said only that the device is asked


async def _last(ask: Ask) -> dict[str, Any]:
    found = ask.services.diagnostics.last(ask.device().id)
    if found is None:
        raise catalogue.not_found("The device has sent no vitals yet")
    return {"diagnostics": found}


async def _history(ask: Ask) -> Any:
    device = ask.device()
    now = ask.services.clock.time()
    start, end = _moment(ask, "start_date", 0.0), _moment(ask, "end_date", now)
    found = ask.services.diagnostics.between(device.id, start, end)
    if "text/csv" in ask.http.headers.get("Accept", ""):
        return web.Response(text=_csv(found), content_type="text/csv")
    return {"diagnostics": found}


def _moment(ask: Ask, name: str, default: float) -> float:
    text = ask.http.query.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    except (ValueError, OverflowError) as error:
        text = f"{name} is not a date such as 2026-01-01T00:00:00Z"
        body = {"ok": False, "error": "bad_request", "description": text}
        raise ApiError(400, body | {"error_description": text}) from error


def _csv(found: list[dict[str, Any]]) -> str:
    rows = [_flat(each["payload"]) for each in found]
    columns = sorted({path for row in rows for path in row})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["updated_at", "deviceID", *columns])
    for each, row in zip(found, rows, strict=True):
        values = (row.get(path, "") for path in columns)
        writer.writerow([each["updated_at"], each["deviceID"], *values])
    return out.getvalue()


def _flat(part: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for name, value in part.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


async def _metadata(ask: Ask) -> dict[str, Any]:
    ask.device()
    return {
        "diagnostics_metadata": {
            path: {
                "title": title,
                **({"units": units} if units else {}),
                **({"range": {"min": limits[0], "max": limits[1]}} if limits else {}),
            }
            for path, (title, units, limits) in _METADATA.items()
        }
    }


ROUTES = [
    Route(method, place + path, handler)
    for place in ("/v1/diagnostics/{device}", "/v1/products/{product}/diagnostics/{device}")
    for method, path, handler in (
        ("POST", "/update", _update),
        ("GET", "/last", _last),
        ("GET", "/metadata", _metadata),
        ("GET", "", _history),
    )
]
