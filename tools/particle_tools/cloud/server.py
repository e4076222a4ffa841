"""The cloud as one object: opens the data folder, starts the ports, stops cleanly."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import ipaddress
import logging
import os
import secrets
import socket
import sqlite3
from typing import Any

from aiohttp import web

from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database
from particle_tools.cloud.http_runner import Runner
from particle_tools.cloud.keys import ServerKeys
from particle_tools.cloud.ota.delivery import Delivery
from particle_tools.cloud.rest import make_app
from particle_tools.cloud.services import Services
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.tcp.gateway import TcpGateway
from particle_tools.cloud.udp.gateway import UdpGateway
from particle_tools.cloud.webhooks.hosts import Allowed
from particle_tools.errors import UserError

_LOG = logging.getLogger("particle.cloud")
_TICK_S = 1.0
_LONGEST_FLUSH_S = 10.0
_SHARE = 50  # of the time may pass between two flushes for each that one takes
_SHUTDOWN_S = 0.5  # real seconds that open requests have
_IDLE_S = 75.0  # of an HTTP connection without a request, also of one that never had any
_FIRST_USER = "me@local.cloud"
_EVERYWHERE = "0.0.0.0"


class Cloud:
    """One running cloud. `start()` may be followed by anything, finally by `stop()`."""

    def __init__(self, settings: Settings) -> None:
        if settings.host == "localhost":
            # The name may mean two addresses, and then any free port means two ports.
            settings = dataclasses.replace(settings, host="127.0.0.1")
        _check_host(settings)
        Allowed(settings.webhook_hosts)  # says what is wrong before anything is open
        self.settings = settings
        self.http_url = ""
        self.user = ""
        self.new_password: tuple[str, str] | None = None
        self._lock: int | None = None
        self._runner: web.AppRunner | None = None
        self._gateway: TcpGateway | None = None
        self._udp: UdpGateway | None = None
        self._flusher: asyncio.Task | None = None
        self._services: Services | None = None
        self._delivery: Delivery | None = None

    @property
    def services(self) -> Services:
        """What the running cloud is made of."""
        assert self._services is not None, "the cloud is not running"
        return self._services

    async def start(self) -> None:
        """Open the data folder and listen. Raises UserError; nothing stays open then."""
        try:
            self._lock = _lock(self.settings)
            self._assemble()
            await self._ensure_user()
            await self._listen()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close streams, sessions and ports, then the database.

        Takes twice `limits.stop_s` at most; what is not stored then is as after a kill.
        """
        if self._flusher is not None:
            self._flusher.cancel()
        limit = self.settings.limits.stop_s
        try:
            await asyncio.wait_for(self._end(), limit)
        except asyncio.TimeoutError:
            _LOG.error("not everything has ended within %g s", limit)
        if self._services is not None:
            # In a thread, so that a second signal is heard.
            if not await asyncio.to_thread(self._services.db.finish, limit):
                _LOG.error("what is being written is lost: it takes more than %g s", limit)
            self._services.db.close()
            self._services = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        _LOG.info("stopped")

    async def _end(self) -> None:
        for site in list(self._runner.sites) if self._runner is not None else ():
            await site.stop()
        if self._delivery is not None:
            self._delivery.close()
        if self._gateway is not None:
            await self._gateway.stop()
        if self._udp is not None:
            await self._udp.stop()
        for stream in list(self._services.streams) if self._services is not None else ():
            stream.end()  # readers see an orderly end
        if self._runner is not None:
            await self._runner.cleanup()
        if self._services is not None:
            await self._services.webhooks.runner.close()
            try:
                await self._services.usage.flush()
            except sqlite3.Error as error:
                _LOG.error("the counters cannot be stored: %s", error)

    def ready(self) -> dict[str, Any]:
        """Return what the `ready` line says (DESIGN 4)."""
        addresses = self.services.addresses
        return {
            "http": self.http_url,
            "host": addresses.host,
            "tcp_port": addresses.tcp_port,
            "udp_port": addresses.udp_port,
            "data": str(self.settings.data),
            "user": self.user,
        }

    def _assemble(self) -> None:
        settings = self.settings
        clock = Clock(settings.time_scale)
        keys = ServerKeys.load(settings.data)
        db = Database(settings.data / "cloud.db")
        self._services = Services.assemble(settings, clock, db, keys)
        self._services.metrics.watch(self._services)
        self._delivery = Delivery(self._services)

    async def _ensure_user(self) -> None:
        accounts = self.services.accounts
        first = self.settings.user
        users = [*([first] if first is not None else []), *self.settings.users]
        for name, password in users:
            user = accounts.find(name)
            if user is None:
                await accounts.create(name, password)
            elif await accounts.login(name, password) is None:
                await accounts.set_password(user, password)
        if users:
            self.user = users[0][0]
        elif accounts.empty():
            password = secrets.token_urlsafe(9)
            await accounts.create(_FIRST_USER, password)
            self.new_password = (_FIRST_USER, password)
            self.user = _FIRST_USER
        else:
            self.user = accounts.first().username

    async def _listen(self) -> None:
        assert self._delivery is not None
        self._delivery.start()
        settings, addresses = self.settings, self.services.addresses
        device_host = _EVERYWHERE if settings.lan else settings.host
        self._gateway = TcpGateway(self.services)
        try:
            addresses.tcp_port = await self._gateway.start(device_host, settings.tcp_port)
        except OSError as error:
            raise UserError(
                f"cannot listen on {device_host} TCP port {settings.tcp_port}: {error.strerror}"
            ) from error
        self.services.doors.udp = self._udp = UdpGateway(self.services)
        try:
            addresses.udp_port = await self._udp.start(device_host, settings.udp_port)
        except OSError as error:
            raise UserError(
                f"cannot listen on {device_host} UDP port {settings.udp_port}: {error.strerror}"
            ) from error
        addresses.host = _lan_address() if settings.lan else settings.host
        self._runner = Runner(
            make_app(self.services),
            access_log=None,
            shutdown_timeout=_SHUTDOWN_S,
            keepalive_timeout=_IDLE_S,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, settings.host, settings.http_port)
        try:
            await site.start()
        except OSError as error:
            raise UserError(
                f"cannot listen on {settings.host} HTTP port {settings.http_port}:"
                f" {error.strerror}"
            ) from error
        host, port = self._runner.addresses[0][:2]
        self.http_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._flusher = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        # Each second, unless so many devices have news that this would cost too much.
        services, loop = self.services, asyncio.get_running_loop()
        due = 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                await services.plans.tick()
                began = loop.time()
                if began >= due:
                    await services.usage.flush()
                    took = loop.time() - began
                    due = loop.time() + min(_LONGEST_FLUSH_S, took * _SHARE) - _TICK_S
            except sqlite3.Error as error:
                _LOG.error("the counters cannot be stored: %s", error)
            except Exception:  # a defect must not end what every account hangs on
                _LOG.exception("the counters cannot be looked at")


def _check_host(settings: Settings) -> None:
    if settings.lan:
        return
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UserError(f"{settings.host} is not a loopback address: add --lan to be reachable")


def _lock(settings: Settings) -> int:
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(settings.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"cannot use the data folder {settings.data}: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise UserError(f"the data folder {settings.data} is in use by another cloud") from error
    return handle


def _lan_address() -> str:
    # Connecting a UDP socket sends nothing; it only asks the routing table which address of ours
    # faces the outside.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostbyname(socket.gethostname())
