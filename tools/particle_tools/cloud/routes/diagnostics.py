"""Vitals on request (rest-api 9)."""

from __future__ import annotations

from aiohttp import web

from particle_tools.cloud import catalogue, inbound
from particle_tools.cloud.exchanges import DeviceError
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.session import METRICS, Session


async def _update(ask: Ask) -> web.Response:
    session = ask.services.sessions.get(ask.device().id)
    if session is None:
        raise catalogue.timed_out()
    session.spawn(_refresh(session))
    return web.json_response({"ok": True}, status=202)


async def _refresh(session: Session) -> None:
    try:
        inbound.publish_vitals(session, await session.describe(METRICS))
    except DeviceError:
        pass  # no event then, as the answer said only that the device is asked


ROUTES = [Route("POST", "/v1/diagnostics/{device}/update", _update)]
