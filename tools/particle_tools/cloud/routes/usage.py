"""/local/v1/usage and /local/v1/plan: data operations, bytes and what is left (rest-api 15)."""

from __future__ import annotations

import re
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.rest import Ask, Route

_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def _period(ask: Ask) -> str:
    running = ask.services.usage.period()
    period = ask.http.query.get("period", running)
    if not _PERIOD.fullmatch(period):
        raise catalogue.bad_request("period is a month, YYYY-MM")
    return period


def _counted(ask: Ask, device_id: str, period: str) -> dict[str, Any]:
    usage = ask.services.usage
    now = period == usage.period()
    return (usage.of(device_id) if now else usage.earlier(device_id, period)).to_json()


async def _usage(ask: Ask) -> dict[str, Any]:
    services, period = ask.services, _period(ask)
    usage, owner = services.usage, ask.who.id
    now = period == usage.period()
    account = usage.account(owner) if now else usage.account_in(owner, period)
    return {
        "period": period,
        "account": {
            "operations": account.operations,
            "ops_out": account.ops_out,
            "ops_in": account.ops_in,
            "cellular_bytes": account.cellular_bytes,
        },
        "devices": {
            device.id: _counted(ask, device.id, period) for device in services.devices.of(ask.who)
        },
    }


async def _usage_of(ask: Ask) -> dict[str, Any]:
    period = _period(ask)
    return {"period": period, **_counted(ask, ask.device().id, period)}


async def _reset(ask: Ask) -> dict[str, Any]:
    services, owner = ask.services, ask.who
    await services.usage.reset(owner.id, [device.id for device in services.devices.of(owner)])
    await services.plans.tick()
    return {"ok": True}


async def _plan(ask: Ask) -> dict[str, Any]:
    services, owner = ask.services, ask.who
    return services.plans.to_json(owner.id, len(services.devices.of(owner)))


ROUTES = [
    Route("GET", "/local/v1/plan", _plan),
    Route("GET", "/local/v1/usage", _usage),
    Route("GET", "/local/v1/usage/{device}", _usage_of),
    Route("POST", "/local/v1/usage/reset", _reset),
]
