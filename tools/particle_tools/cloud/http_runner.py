"""aiohttp's runner, but what is no HTTP at all is answered in JSON, too, and in one log line.

Everything that can be parsed is the business of rest.py; this is for headers beyond the limits
(8 KiB a line) and nonsense. The classes overridden are aiohttp's own, of the pinned version.
"""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from particle_tools.cloud import strict_json
from particle_tools.cloud.catalogue import ApiError

_LOG = logging.getLogger("particle.cloud")


class _Handler(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        _LOG.info("%s sent what is no request: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        text = (message or "The request cannot be understood").splitlines()[0]
        error = ApiError(status, {"ok": False, "error": text})
        response = web.json_response(error.body, status=status, dumps=strict_json.dumps)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner whose server speaks JSON."""

    async def _make_server(self) -> web.Server:
        plain: Any = await super()._make_server()
        return _Server(
            plain.request_handler,
            request_factory=plain.request_factory,
            loop=plain._loop,
            **plain._kwargs,
        )
