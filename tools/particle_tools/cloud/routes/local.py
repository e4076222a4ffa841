"""/local/v1: what the real API does not have (rest-api 15.3)."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from particle_tools import __version__
from particle_tools.cloud import catalogue
from particle_tools.cloud.clock import iso
from particle_tools.cloud.keys import spki_der, spki_pem
from particle_tools.cloud.rest import OPEN, Ask, Route


async def _info(ask: Ask) -> dict[str, Any]:
    addresses = ask.services.addresses
    return {
        "host": addresses.host,
        "tcp_port": addresses.tcp_port,
        "udp_port": addresses.udp_port,
        "version": __version__,
        "time": iso(ask.services.clock.time()),
    }


async def _server_key(ask: Ask) -> web.Response:
    keys = ask.services.keys
    algorithm, form = ask.http.query.get("alg", "rsa"), ask.http.query.get("format", "pem")
    private = {"rsa": keys.rsa, "ec": keys.ec}.get(algorithm)
    if private is None:
        raise catalogue.bad_request("alg is rsa or ec")
    if form == "der":
        return web.Response(
            body=spki_der(private.public_key()), content_type="application/octet-stream"
        )
    if form == "pem":
        return web.Response(
            body=spki_pem(private.public_key()), content_type="application/x-pem-file"
        )
    raise catalogue.bad_request("format is der or pem")


async def _sessions(ask: Ask) -> list[dict[str, Any]]:
    services = ask.services
    return [_session(services, device.id) for device in services.devices.of(ask.who)]


def _session(services: Any, device_id: str) -> dict[str, Any]:
    session = services.sessions.get(device_id)
    ended = services.sessions.ended(device_id)
    state: dict[str, Any] = {
        "id": device_id,
        "online": session is not None,
        "last_end": ended.to_json() if ended else None,
    }
    if session is not None:
        state |= {
            "transport": session.channel.transport,
            "address": session.channel.address,
            "since": iso(session.started),
            "last_heard": iso(session.last_heard),
            "flags": session.hello.flags,
            "message_limit": session.channel.message_limit,
            "subscriptions": [s.prefix for s in session.subscriptions],
            "dropped_events": session.dropped_events,
            "own_id_acks": session.own_id_acks,
        } | session.channel.facts()
    return state


async def _refusals(ask: Ask) -> list[dict[str, Any]]:
    services = ask.services
    shown = []
    for refusal in services.refusals.recent():
        device = services.devices.get(refusal.device_id) if refusal.device_id else None
        if device is None or device.owner in (None, ask.who.id):
            shown.append(refusal.to_json())
    return shown


async def _drop(ask: Ask) -> dict[str, Any]:
    return {"ok": True, "dropped": await _forget(ask, "dropped on request", tell=True)}


async def _forget_session(ask: Ask) -> dict[str, Any]:
    # As if the cloud had lost its table: the device is told nothing.
    return {"ok": True, "forgotten": await _forget(ask, "forgotten on request", tell=False)}


async def _forget(ask: Ask, reason: str, *, tell: bool) -> bool:
    device_id, udp = ask.device().id, ask.services.doors.udp
    if udp is not None and await udp.forget(device_id, reason, tell=tell):
        return True
    return _close(ask, reason)


def _close(ask: Ask, reason: str) -> bool:
    session = ask.services.sessions.get(ask.device().id)
    if session is not None:
        session.close(reason)
    return session is not None


async def _offline(ask: Ask) -> dict[str, Any]:
    return {"ok": True, "was_online": _close(ask, "set offline on request")}


async def _persisted(ask: Ask) -> list[dict[str, Any]]:
    return [
        {
            "number": row["number"],
            "name": row["name"],
            "data": base64.b64encode(row["data"]).decode(),
            "content_format": row["content_format"],
            "published_at": iso(row["published_at"]),
        }
        for row in ask.services.persisted.of(ask.device().id)
    ]


ROUTES = [
    Route("GET", "/local/v1/info", _info, OPEN),
    Route("GET", "/local/v1/server-key", _server_key, OPEN),
    Route("GET", "/local/v1/sessions", _sessions),
    Route("GET", "/local/v1/refusals", _refusals),
    Route("GET", "/local/v1/devices/{device}/persisted-events", _persisted),
    Route("POST", "/local/v1/devices/{device}/drop-session", _drop),
    Route("POST", "/local/v1/devices/{device}/forget-session", _forget_session),
    Route("POST", "/local/v1/devices/{device}/offline", _offline),
]
