"""The description of all routes for programs: OpenAPI 3."""

from __future__ import annotations

from typing import Any

from particle_tools.cloud.openapi import document
from particle_tools.cloud.rest import OPEN, Ask, Route, all_routes


async def _document(ask: Ask) -> dict[str, Any]:
    return document(all_routes())


ROUTES = [Route("GET", "/local/v1/openapi.json", _document, OPEN)]
