"""What gateways, sessions and REST share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from particle_tools.cloud.accounts import Accounts
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database
from particle_tools.cloud.devices import Devices
from particle_tools.cloud.diagnostics import Diagnostics
from particle_tools.cloud.events import Bus
from particle_tools.cloud.firmwares import Firmwares
from particle_tools.cloud.keys import ServerKeys
from particle_tools.cloud.ledgers import Ledgers
from particle_tools.cloud.login_limits import LoginLimits
from particle_tools.cloud.metering import Rules
from particle_tools.cloud.metrics import Metrics
from particle_tools.cloud.persisted_events import PersistedEvents
from particle_tools.cloud.plans import Plans
from particle_tools.cloud.products import Products
from particle_tools.cloud.rate_limits import RateLimits
from particle_tools.cloud.refusals import Refusals
from particle_tools.cloud.registry import Sessions
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.transfers import Transfers
from particle_tools.cloud.updates import Updates
from particle_tools.cloud.usage import Usage
from particle_tools.cloud.webhooks.hooks import Webhooks


@dataclass
class Addresses:
    """Where devices dial; filled in when the gateways listen. None: no such gateway."""

    host: str = ""
    tcp_port: int | None = None
    udp_port: int | None = None


class Door(Protocol):
    """What REST may ask of the UDP gateway."""

    async def forget(self, device_id: str, reason: str, *, tell: bool) -> bool:
        """End the DTLS session of a device; False if it has none.

        Raises sqlite3.Error if it cannot be forgotten; it goes on then.
        """

    def revoked(self, device_id: str, reason: str) -> None:
        """End the session of a device whose key was replaced, on storage with its session."""


@dataclass
class Ending(Protocol):
    """An event stream, as far as it is ended from outside."""

    def end(self) -> None:
        """Send what is queued, and no more."""


@dataclass
class Doors:
    """The gateways that can be asked for something."""

    udp: Door | None = None


@dataclass
class Packages:
    """State of the packages below DATA/mip: built once per run, on the first request."""

    built: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Services:
    """One of each; made by server.Cloud."""

    settings: Settings
    clock: Clock
    db: Database
    keys: ServerKeys
    accounts: Accounts
    devices: Devices
    bus: Bus
    sessions: Sessions
    usage: Usage
    rules: Rules
    plans: Plans
    rates: RateLimits
    metrics: Metrics
    refusals: Refusals
    persisted: PersistedEvents
    logins: LoginLimits
    webhooks: Webhooks
    updates: Updates
    products: Products
    firmwares: Firmwares
    transfers: Transfers
    diagnostics: Diagnostics
    ledgers: Ledgers
    addresses: Addresses = field(default_factory=Addresses)
    doors: Doors = field(default_factory=Doors)
    streams: set[Ending] = field(default_factory=set)
    packages: Packages = field(default_factory=Packages)

    @classmethod
    def assemble(
        cls, settings: Settings, clock: Clock, db: Database, keys: ServerKeys
    ) -> Services:
        """Make one of each over this clock and database."""
        bus, usage = Bus(), Usage(db, clock)
        devices, sessions = Devices(db, clock), Sessions(bus, clock)
        products = Products(db, clock, devices)
        updates = Updates(db, clock, bus, sessions)
        return cls(
            settings=settings,
            clock=clock,
            db=db,
            keys=keys,
            accounts=Accounts(db, clock),
            devices=devices,
            bus=bus,
            sessions=sessions,
            usage=usage,
            rules=Rules(settings.metering),
            plans=Plans(settings.plan, clock, db, bus, usage),
            rates=RateLimits(settings.rates, clock),
            metrics=Metrics(),
            refusals=Refusals(clock),
            persisted=PersistedEvents(db),
            logins=LoginLimits(clock, settings.limits),
            webhooks=Webhooks.assemble(settings, clock, db, bus, devices, products, sessions),
            updates=updates,
            products=products,
            firmwares=Firmwares(db, clock, products, devices, updates),
            transfers=Transfers(db, clock),
            diagnostics=Diagnostics(db, clock),
            ledgers=Ledgers(db, clock),
        )
