"""What an account may use in a month: warnings, grace, pause (rest-api 15.1).

At 100 % of the free plan a grace period begins, and after it the account is paused for the rest of
the month: devices stay registered and connected, but nothing that is a data operation passes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from particle_tools.cloud import strict_json
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database
from particle_tools.cloud.events import Bus, Event
from particle_tools.cloud.settings import Plan
from particle_tools.cloud.usage import Account, Usage

_LOG = logging.getLogger("particle.cloud")
_LEVELS = (70, 90, 100)
_FULL = 100
_DAY_S = 86400.0
_INTERNAL = "particle-internal"  # coreid of what the cloud publishes (rest-api 7.1)
_WARNING, _PAUSED, _RESUMED = (
    f"particle/plan/{what}" for what in ("warning", "paused", "resumed")
)
_MODEMS = (10, 13, 23, 25, 26)  # platform ids of boards with a modem (rest-api 3)

FREE, GROWTH, OFF = "free", "growth", "off"
NAMES = (OFF, FREE, GROWTH)


@dataclass(frozen=True)
class Allowance:
    """What a plan has for one month."""

    devices: int
    operations: int
    cellular_bytes: int


_ALLOWANCES = {
    FREE: Allowance(100, 100_000, 45_000_000),
    GROWTH: Allowance(100, 720_000, 540_000_000),
}


class Plans:
    """The plan every account of this cloud has."""

    def __init__(self, plan: Plan, clock: Clock, db: Database, bus: Bus, usage: Usage) -> None:
        self._plan = plan
        self._clock = clock
        self._db = db
        self._bus = bus
        self._usage = usage
        self.allowance = allowance(plan)
        self._told = {
            row["user_id"] for row in db.all("SELECT user_id FROM account_usage WHERE paused")
        }
        if self.allowance is not None:
            usage.reached = self._reached
            usage.pays = self._owner_of_modem

    def wait(self, owner: int | None) -> float | None:
        """Return for how many seconds an account is paused; None: it is not."""
        if self.allowance is None or owner is None:
            return None
        at = self._pauses_at(self._usage.account(owner))
        now = self._clock.time()
        return None if at is None or now < at else self._usage.ends() - now

    async def tick(self) -> None:
        """Tell the users of accounts whose pause began or ended. Called about once a second."""
        for owner in self._usage.owners():
            if owner not in self._told and self.wait(owner) is not None:
                self._told.add(owner)
                self._usage.account(owner).paused = True
                self._usage.changed(owner)
                self._tell(owner, _PAUSED, {"resumes_at": iso(self._usage.ends())})
        for owner in list(self._told):
            if self.wait(owner) is None:
                self._told.discard(owner)
                self._usage.account(owner).paused = False
                await self._db.execute(
                    "UPDATE account_usage SET paused = 0 WHERE user_id = ?", owner
                )
                self._tell(owner, _RESUMED, {})

    def to_json(self, owner: int, devices: int) -> dict[str, Any]:
        """Return the state of an account with so many devices."""
        account, usage = self._usage.account(owner), self._usage
        used = {
            "devices": devices,
            "operations": account.operations,
            "cellular_bytes": account.cellular_bytes,
        }
        allowed = vars(self.allowance) if self.allowance is not None else {}
        paused = self.wait(owner) is not None
        return {
            "plan": self._plan.name,
            "period": usage.period(),
            "period_ends": iso(usage.ends()),
            "resources": {
                name: {
                    "used": count,
                    "limit": allowed.get(name),
                    "percent": _percent(count, allowed[name]) if allowed else None,
                }
                for name, count in used.items()
            },
            "warned": dict(account.warned),
            "paused": paused,
            "pauses_at": iso(self._pauses_at(account)),
            "resumes_at": iso(usage.ends()) if paused else None,
        }

    def _pauses_at(self, account: Account) -> float | None:
        if account.full_at is None or self._plan.name != FREE:
            return None
        return account.full_at + self._plan.grace_days * _DAY_S

    def _reached(self, owner: int, account: Account) -> None:
        # Warns once of each level; a level that lies ahead again, after a reset or with a larger
        # allowance, is warned of again.
        assert self.allowance is not None
        full = False
        for name in ("operations", "cellular_bytes"):
            used, limit = getattr(account, name), getattr(self.allowance, name)
            percent = _percent(used, limit)
            full = full or percent >= _FULL
            before = account.warned.pop(name, 0)
            passed = [level for level in _LEVELS if level <= percent]
            if passed:
                account.warned[name] = passed[-1]
            if full and account.full_at is None:
                account.full_at = self._clock.time()
            for level in passed:
                if level > before:
                    self._warn(owner, account, name, level)
        if not full:
            account.full_at = None
        ahead = [
            -(-self.allowance.operations * level // 100)
            for level in _LEVELS
            if level > account.warned.get("operations", 0)
        ]
        account.next = min(ahead, default=float("inf"))

    def _warn(self, owner: int, account: Account, name: str, level: int) -> None:
        body: dict[str, Any] = {
            "resource": name,
            "percent": level,
            "used": getattr(account, name),
            "limit": getattr(self.allowance, name),
        }
        if level == _FULL and self._plan.name == FREE:
            body["pauses_at"] = iso(self._pauses_at(account))
        self._usage.changed(owner)
        self._tell(owner, _WARNING, body)

    def _tell(self, owner: int, name: str, body: dict[str, Any]) -> None:
        body = {"plan": self._plan.name, "period": self._usage.period(), **body}
        _LOG.info("%s: account %d, %s", name, owner, body)
        data = strict_json.dumps(body, separators=(",", ":")).encode()
        self._bus.publish(Event(name, data, _INTERNAL, owner, self._clock.time()))

    def _owner_of_modem(self, device_id: str) -> int | None:
        row = self._db.one("SELECT owner, platform_id FROM devices WHERE id = ?", device_id)
        return row["owner"] if row is not None and row["platform_id"] in _MODEMS else None


def allowance(plan: Plan) -> Allowance | None:
    """Return what a plan has; None: no limits."""
    found = _ALLOWANCES.get(plan.name)
    if found is None:
        return None
    blocks = plan.blocks if plan.name == GROWTH else 1
    return Allowance(
        found.devices * blocks,
        plan.operations or found.operations * blocks,
        plan.cellular_bytes or found.cellular_bytes * blocks,
    )


def _percent(used: int, limit: int) -> int:
    return used * _FULL // limit
