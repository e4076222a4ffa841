"""What every HTTP request gets: an id, a line in the log, a place in the metrics."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from particle_tools.cloud import logs

if TYPE_CHECKING:
    from particle_tools.cloud.services import Services

_LOG = logging.getLogger(logs.NAME)
HEADER = "X-Request-Id"
_ID = web.RequestKey("id", str)
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNKNOWN = "unknown"  # route of a path that is not served: paths are endless

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def middleware(services: Services) -> Callable:
    """Make the outermost part of the application."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(HEADER, "")
        name = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        request[_ID] = name
        before = logs.request_id.set(name)
        began, status = time.perf_counter(), 0  # 0: the client went away
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            took = time.perf_counter() - began
            # The route, not the path: a path may hold a token, and metrics want few names.
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else _UNKNOWN
            services.metrics.request(request.method, route, status)
            if _LOG.isEnabledFor(logging.INFO):
                _LOG.info(
                    "%s %s %d",
                    request.method,
                    route,
                    status,
                    extra=logs.fields(
                        device_id=request.match_info.get("device"),
                        peer=request.remote,
                        ms=round(took * 1000, 1),
                    ),
                )
            logs.request_id.reset(before)

    return observe


async def name_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Put the request's id into an answer's head."""
    if _ID in request:
        response.headers[HEADER] = request[_ID]
