"""The TCP port for devices: who may connect, how many at a time (cloud-protocol 1)."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from particle_tools.cloud.refusals import LINK, Refused
from particle_tools.cloud.services import Services
from particle_tools.cloud.tcp.link import Link, PrivateKey

_LOG = logging.getLogger("particle.cloud")
_READ = 4096
_RSA_THREADS = 2


class TcpGateway:
    """Accepts devices and gives each connection a Link."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._greeting = 0
        self._pool = ThreadPoolExecutor(_RSA_THREADS, thread_name_prefix="cloud-rsa")
        self._key = PrivateKey(services.keys, self._pool)

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port. Raises OSError."""
        self._server = await asyncio.start_server(self._accepted, host, port, limit=_READ)
        return self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        ends = [link.stop() for link in self._links]
        if ends:
            await asyncio.wait(ends)
        self._pool.shutdown(wait=False)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self._key, self._services, reader, writer)
        if self._greeting >= self._services.settings.limits.greeting:
            link.refuse(Refused(LINK, "too many connections are in the handshake"))
            link.close()
            return
        self._links.add(link)
        try:
            self._greeting += 1
            try:
                session = await link.greet()
            finally:
                self._greeting -= 1
            if session is not None:
                await link.serve(session)
        except asyncio.CancelledError:
            # a connection whose task ends as cancelled is reported as a failure by asyncio
            if not link.stopped:
                raise
        except Exception:
            _LOG.exception("the connection from %s failed", link.address)
            link.close()
        finally:
            self._links.discard(link)
