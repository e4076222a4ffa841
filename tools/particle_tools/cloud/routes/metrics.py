"""/metrics for Prometheus: totals only, no name of a device or a user."""

from __future__ import annotations

from aiohttp import web

from particle_tools.cloud import catalogue, metrics
from particle_tools.cloud.rest import BEARER, OPEN, Ask, Route, authenticate


async def _metrics(ask: Ask) -> web.Response:
    who = ask.services.settings.metrics
    if who == metrics.OFF:
        raise catalogue.not_served(ask.http.path)
    if who == metrics.TOKEN:
        await authenticate(ask, BEARER)
    return web.Response(
        body=ask.services.metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE}
    )


ROUTES = [Route("GET", "/metrics", _metrics, OPEN)]
