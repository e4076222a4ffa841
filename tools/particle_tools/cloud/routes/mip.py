"""/mip: the device library as packages for `mip install` (rest-api 15.3)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from particle_tools.cloud import catalogue
from particle_tools.cloud.rest import OPEN, Ask, Route
from particle_tools.errors import UserError

_TYPES = {".json": "application/json", ".mpy": "application/octet-stream"}


def _build(dest: Path) -> None:
    # Imported late: only this route needs the compiler, and it may not be installed.
    from particle_tools.packing import build_packages

    build_packages(dest)


async def _file(ask: Ask) -> web.Response:
    services = ask.services
    folder = (services.settings.data / "mip").resolve()
    async with services.packages.lock:
        if not services.packages.built:
            try:
                await asyncio.to_thread(_build, folder)
            except (UserError, ImportError, OSError) as error:
                raise catalogue.unavailable(f"The packages cannot be built: {error}") from error
            services.packages.built = True
    path = (folder / ask.part("path")).resolve()
    if folder not in path.parents or not path.is_file():
        raise catalogue.not_served(ask.http.path)
    kind = _TYPES.get(path.suffix, "application/octet-stream")
    return web.Response(body=await asyncio.to_thread(path.read_bytes), content_type=kind)


ROUTES = [Route("GET", "/mip/{path:.+}", _file, OPEN)]
