"""Webhooks of the accounts: stored definitions, and which of them an event triggers (rest-api 8).

A hook hears the events of its owner whose name begins with its own; one for a device only that
device's, one of a product only those of devices in that product, or published to them. What hooks
publish triggers none: neither by its name nor, under a topic of its own, because the runner says
that it is publishing.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from particle_tools.cloud import strict_json
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database
from particle_tools.cloud.devices import Devices
from particle_tools.cloud.events import Bus, Event
from particle_tools.cloud.products import Products
from particle_tools.cloud.registry import Sessions
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.webhooks.definitions import OWN_PREFIXES, Compiled
from particle_tools.cloud.webhooks.hosts import Allowed
from particle_tools.cloud.webhooks.requests import Requests, Trigger
from particle_tools.cloud.webhooks.runner import Runner

_LOG = logging.getLogger("particle.cloud")
_MOST = 100  # of one account


class TooMany(Exception):
    """The account has as many webhooks as it may."""


@dataclass(frozen=True)
class Webhook:
    """One webhook. product: of the devices of this product, None: of all of the owner's."""

    id: str
    owner: int
    product: int | None
    fields: dict[str, Any]
    created_at: float
    compiled: Compiled = field(repr=False, compare=False)

    def wants(self, trigger: Trigger) -> bool:
        """Tell whether an event of its owner with its prefix triggers it."""
        if self.fields["disabled"]:
            return False
        if self.fields.get("deviceID") not in (None, trigger.event.core_id):
            return False
        return self.product in (None, trigger.product, trigger.event.product)


class Webhooks:
    """Their table, and the index by owner and prefix."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        bus: Bus,
        devices: Devices,
        products: Products,
        runner: Runner,
    ) -> None:
        self.runner = runner
        self._db = db
        self._clock = clock
        self._bus = bus
        self._devices = devices
        self._products = products
        self._hooks: dict[str, Webhook] = {}
        self._index: defaultdict[int, dict[str, dict[str, Webhook]]] = defaultdict(dict)
        for row in db.all("SELECT * FROM webhooks"):
            try:
                self._put(_webhook(row))
            except (ValueError, KeyError) as error:
                _LOG.error("webhook %s is damaged and left out: %s", row["id"], error)

    @classmethod
    def assemble(
        cls,
        settings: Settings,
        clock: Clock,
        db: Database,
        bus: Bus,
        devices: Devices,
        products: Products,
        sessions: Sessions,
    ) -> Webhooks:
        """Make them with their runner. Raises UserError if `webhook_hosts` is not understood."""
        requests = Requests(clock, settings.limits, Allowed(settings.webhook_hosts))
        runner = Runner(clock, settings.limits, bus, sessions, requests)
        return cls(db, clock, bus, devices, products, runner)

    def of(self, owner: int, product: int | None) -> list[Webhook]:
        """Return the hooks of an account, oldest first: of a product, or those of none."""
        rows = self._db.all(
            "SELECT id FROM webhooks WHERE owner = ? AND product IS ? ORDER BY created_at, id",
            owner,
            product,
        )
        return [self._hooks[row["id"]] for row in rows if row["id"] in self._hooks]

    def get(self, owner: int, hook_id: str, product: int | None) -> Webhook | None:
        """Return a hook of an account."""
        row = self._db.one(
            "SELECT id FROM webhooks WHERE id = ? AND owner = ? AND product IS ?",
            hook_id.lower(),
            owner,
            product,
        )
        return self._hooks.get(row["id"]) if row else None

    async def create(self, owner: int, fields: dict[str, Any], product: int | None) -> Webhook:
        """Add a hook; it is stored on return. Raises TooMany."""
        hook_id, now = secrets.token_hex(12), self._clock.time()

        def job(db: sqlite3.Connection) -> None:
            count = db.execute("SELECT count(*) FROM webhooks WHERE owner = ?", (owner,))
            if count.fetchone()[0] >= _MOST:
                raise TooMany(f"An account has at most {_MOST} webhooks")
            db.execute(
                "INSERT INTO webhooks (id, owner, product, fields, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (hook_id, owner, product, strict_json.dumps(fields), now),
            )

        await self._db.write(job)
        hook = Webhook(hook_id, owner, product, fields, now, Compiled(fields))
        self._put(hook)
        return hook

    async def change(self, hook: Webhook, fields: dict[str, Any]) -> Webhook | None:
        """Replace the fields of a hook; None if it was deleted meanwhile."""
        changed = await self._db.execute(
            "UPDATE webhooks SET fields = ? WHERE id = ?", strict_json.dumps(fields), hook.id
        )
        self._take(hook)
        if not changed:
            return None
        new = Webhook(hook.id, hook.owner, hook.product, fields, hook.created_at, Compiled(fields))
        self._put(new)
        self.runner.changed(new)
        return new

    async def delete(self, hook: Webhook) -> None:
        """Delete a hook; what waits for it is forgotten."""
        await self._db.execute("DELETE FROM webhooks WHERE id = ?", hook.id)
        self._take(hook)
        self.runner.removed(hook.id)

    def trigger(self, event: Event) -> Trigger:
        """Return an event as hooks see it."""
        device, member = self._devices.get(event.core_id), None
        if device is not None:
            member = self._products.membership(device.id)
        product = member.product_id if member else None
        return Trigger(event, secrets.token_hex(12), device, product)

    def _put(self, hook: Webhook) -> None:
        self._hooks[hook.id] = hook
        self._index[hook.owner].setdefault(hook.fields["event"], {})[hook.id] = hook
        self._bus.listen(hook.owner, self._heard)

    def _take(self, hook: Webhook) -> None:
        self._hooks.pop(hook.id, None)
        # By its id: an edit that came between has put it under another prefix.
        prefixes = self._index[hook.owner]
        for prefix in [prefix for prefix, hooks in prefixes.items() if hook.id in hooks]:
            del prefixes[prefix][hook.id]
            if not prefixes[prefix]:
                del prefixes[prefix]
        if not prefixes:
            del self._index[hook.owner]
            self._bus.forget(hook.owner, self._heard)

    def _heard(self, event: Event) -> None:
        name, owner = event.name, event.owner
        if self.runner.publishing or owner is None or name.startswith(OWN_PREFIXES):
            return
        prefixes = self._index[owner]
        found: list[Webhook] = []
        for n in range(1, len(name) + 1):
            found += prefixes.get(name[:n], {}).values()
        if not found:
            return
        trigger = self.trigger(event)
        for hook in found:
            if not hook.wants(trigger):
                continue
            if self._stored(hook):
                self.runner.offer(hook, trigger)
            else:
                self._take(hook)
                self.runner.removed(hook.id)

    def _stored(self, hook: Webhook) -> bool:
        # The rows of an account go with it, and a later one may get its number.
        return self._db.one("SELECT 1 FROM webhooks WHERE id = ?", hook.id) is not None


def _webhook(row: sqlite3.Row) -> Webhook:
    fields = json.loads(row["fields"])
    return Webhook(
        row["id"], row["owner"], row["product"], fields, row["created_at"], Compiled(fields)
    )
