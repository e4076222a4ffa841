"""Counters per device, account and month: data operations and bytes (rest-api 15).

Kept in memory and written to SQLite every second or so, a device and its account in one
transaction: what a killed cloud has not written is lost, nothing is ever counted twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database
from particle_tools.cloud.metering import OTHER, PING, UPDATE

_DATAGRAM_OVERHEAD = 28  # IPv4 + UDP headers
_TCP_SEGMENT_OVERHEAD = 40 + 40  # IPv4 + TCP headers; the same of its acknowledgement (15.2)
_DECEMBER = 12
_PING_BYTES = 4


@dataclass
class Counters:
    """Counts of one device in one period. "up" is from the device."""

    segment_up: int = 0  # bytes of the stream: handshake, frame lengths and padding included
    segment_down: int = 0
    segments_up: int = 0  # reads and writes; the kernel may join or split them on the way
    segments_down: int = 0
    datagram_up: int = 0  # bytes of UDP payload
    datagram_down: int = 0
    datagrams_up: int = 0
    datagrams_down: int = 0
    handshakes: int = 0
    resumes: int = 0
    events_up: int = 0
    events_down: int = 0
    calls: int = 0
    reads: int = 0
    ops_out: int = 0  # data operations the device began: what it published
    ops_in: int = 0  # those that came to it: deliveries, calls, reads
    billed: int = 0  # bytes on the network that its account was told of
    # kind: messages up, bytes up, messages down, bytes down; bytes of CoAP
    kinds: dict[str, list[int]] = field(default_factory=dict)

    def up(self, kind: str, size: int) -> None:
        """Count a CoAP message of the device."""
        row = self.kinds.get(kind)
        if row is None:
            row = self.kinds[kind] = [0, 0, 0, 0]
        row[0] += 1
        row[1] += size

    def down(self, kind: str, size: int) -> None:
        """Count a CoAP message to the device."""
        row = self.kinds.get(kind)
        if row is None:
            row = self.kinds[kind] = [0, 0, 0, 0]
        row[2] += 1
        row[3] += size

    @property
    def network(self) -> int:
        """The estimated bytes on the network, with the headers of IP and UDP or TCP."""
        segments = self.segments_up + self.segments_down
        datagrams = self.datagrams_up + self.datagrams_down
        return (
            self.segment_up
            + self.segment_down
            + segments * _TCP_SEGMENT_OVERHEAD
            + self.datagram_up
            + self.datagram_down
            + datagrams * _DATAGRAM_OVERHEAD
        )

    def to_json(self) -> dict[str, Any]:
        """Return the REST form, with what follows from the counts."""
        body = asdict(self)
        del body["billed"]
        body["operations"] = self.ops_out + self.ops_in
        for at, name in enumerate(("messages_up", "coap_up", "messages_down", "coap_down")):
            body[name] = sum(row[at] for row in self.kinds.values())
        body["pings"] = self.kinds.get(PING, [0])[0]
        body["ota_bytes"] = sum(self.kinds.get(UPDATE, [])[1::2])
        body["kinds"] = {
            kind: {
                "messages_up": row[0],
                "bytes_up": row[1],
                "messages_down": row[2],
                "bytes_down": row[3],
            }
            for kind, row in sorted(self.kinds.items())
        }
        body["network_estimate"] = self.network
        return body


_NAMES = {f.name for f in fields(Counters)}


@dataclass
class Account:
    """What the devices of a user have used in one period while they were his."""

    ops_out: int = 0
    ops_in: int = 0
    cellular_bytes: int = 0
    full_at: float | None = None  # when a free plan was used up
    paused: bool = False  # and its user was told
    warned: dict[str, int] = field(default_factory=dict)  # resource: percent
    # the operations at which there is something to say; plans.py knows
    next: float = field(default=float("inf"), compare=False)

    @property
    def operations(self) -> int:
        """All operations."""
        return self.ops_out + self.ops_in


def month(now: float) -> tuple[str, float, float]:
    """Return the month of a Unix time as YYYY-MM (UTC), its begin and its end."""
    moment = datetime.fromtimestamp(now, timezone.utc)
    begin = datetime(moment.year, moment.month, 1, tzinfo=timezone.utc)
    over, following = divmod(moment.month, _DECEMBER)
    end = datetime(moment.year + over, following + 1, 1, tzinfo=timezone.utc)
    return f"{moment.year:04d}-{moment.month:02d}", begin.timestamp(), end.timestamp()


class Usage:
    """The counters of every device and account for the running month."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._counters: dict[tuple[str, str], Counters] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._accounts: dict[tuple[int, str], Account] = {}
        self._changed: set[tuple[int, str]] = set()
        self._period, self._begin, self._end = "", 0.0, 0.0  # asked for with every message
        self.total = Counters()  # of all devices since the cloud started
        # Called when an account has reached its `next`; and with an account that is read first.
        self.reached: Callable[[int, Account], None] = lambda owner, account: None
        # Tells whose bytes are pooled: the owner of a device with a modem.
        self.pays: Callable[[str], int | None] = lambda device_id: None

    def period(self) -> str:
        """Return the running month as YYYY-MM (UTC)."""
        now = self._clock.time()
        if not self._begin <= now < self._end:
            self._period, self._begin, self._end = month(now)
        return self._period

    def ends(self) -> float:
        """Return when the running month ends."""
        self.period()
        return self._end

    def of(self, device_id: str) -> Counters:
        """Return the counters of a device to be read or changed now; do not keep them."""
        if not self._begin <= self._clock.time() < self._end:
            self.period()
        key = (device_id, self._period)
        counters = self._counters.get(key)
        if counters is None:
            counters = self._counters[key] = self.earlier(*key)
        self._dirty.add(key)
        return counters

    def earlier(self, device_id: str, period: str) -> Counters:
        """Return what is on storage of a device and month."""
        row = self._db.one(
            "SELECT counters FROM usage WHERE device_id = ? AND period = ?", device_id, period
        )
        return _counters(json.loads(row["counters"])) if row else Counters()

    def account(self, owner: int) -> Account:
        """Return what an account has used this month."""
        key = (owner, self.period())
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = self.account_in(*key)
            self.reached(owner, account)
        return account

    def account_in(self, owner: int, period: str) -> Account:
        """Return what is on storage of an account and month."""
        row = self._db.one(
            "SELECT * FROM account_usage WHERE user_id = ? AND period = ?", owner, period
        )
        if row is None:
            return Account()
        return Account(
            row["ops_out"],
            row["ops_in"],
            row["cellular_bytes"],
            row["full_at"],
            bool(row["paused"]),
            json.loads(row["warned"]),
        )

    def owners(self) -> list[int]:
        """Return the accounts that were asked for this month."""
        period = self.period()
        return [owner for owner, of in self._accounts if of == period]

    def changed(self, owner: int) -> None:
        """Have an account written."""
        self._changed.add((owner, self.period()))

    def up(self, device_id: str, kind: str, size: int) -> None:
        """Count a CoAP message of a device."""
        self.of(device_id).up(kind, size)
        self.total.up(kind, size)

    def down(self, device_id: str, kind: str, size: int) -> None:
        """Count a CoAP message to a device."""
        self.of(device_id).down(kind, size)
        self.total.down(kind, size)

    def operations(self, device_id: str, owner: int | None, out: int, in_: int) -> None:
        """Count data operations a device began and such that came to it."""
        counters, total = self.of(device_id), self.total
        counters.ops_out += out
        counters.ops_in += in_
        total.ops_out += out
        total.ops_in += in_
        if owner is None:
            return
        key = (owner, self._period)
        account = self._accounts.get(key) or self.account(owner)
        account.ops_out += out
        account.ops_in += in_
        self._changed.add(key)
        if account.operations >= account.next:
            self.reached(owner, account)

    async def reset(self, owner: int, device_ids: list[str]) -> None:
        """Set the running month of an account and its devices to zero."""
        for device_id in device_ids:
            self.of(device_id)
            self._counters[device_id, self.period()] = Counters()
        paused = self.account(owner).paused
        # Whoever was told of a pause is told of its end (plans.py).
        account = self._accounts[owner, self.period()] = Account(paused=paused)
        self.changed(owner)
        self.reached(owner, account)
        await self.flush()

    def forget(self, owner: int) -> None:
        """Forget an account that was deleted; its number may be another's."""
        for key in [key for key in self._accounts if key[0] == owner]:
            del self._accounts[key]
            self._changed.discard(key)

    async def flush(self) -> None:
        """Write what changed since the last flush. Raises sqlite3.Error; nothing is lost then."""
        self._bill()
        dirty, self._dirty = self._dirty, set()
        changed, self._changed = self._changed, set()
        rows = [(*key, json.dumps(vars(self._counters[key]))) for key in dirty]
        accounts = [_row(key, self._accounts[key]) for key in changed]
        if rows or accounts:
            try:
                await self._db.write(lambda db: _store(db, rows, accounts))
            except BaseException:
                self._dirty |= {key for key in dirty if key in self._counters}
                self._changed |= {key for key in changed if key in self._accounts}
                raise
        period = self.period()
        _drop(self._counters, period, self._dirty)
        _drop(self._accounts, period, self._changed)

    def _bill(self) -> None:
        # The bytes of a device belong to whoever owns it when they are written.
        for key in self._dirty:
            device_id, period = key
            owner = self.pays(device_id)
            if owner is None or period != self.period():
                continue
            counters = self._counters[key]
            used = counters.network
            if used > counters.billed:
                account = self.account(owner)
                account.cellular_bytes += used - counters.billed
                counters.billed = used
                self.changed(owner)
                self.reached(owner, account)


def _counters(known: dict[str, Any]) -> Counters:
    found = Counters(**{name: value for name, value in known.items() if name in _NAMES})
    if "kinds" not in known and "messages_up" in known:
        # Of a cloud that did not tell the kinds apart, but pings.
        pings = known["pings"]
        rest = known["messages_up"] - pings, known["coap_up"] - pings * _PING_BYTES
        found.kinds[PING] = [pings, pings * _PING_BYTES, 0, 0]
        found.kinds[OTHER] = [*rest, known["messages_down"], known["coap_down"]]
    return found


def _row(key: tuple[int, str], account: Account) -> tuple:
    return (
        *key,
        account.ops_out,
        account.ops_in,
        account.cellular_bytes,
        account.full_at,
        account.paused,
        json.dumps(account.warned),
        key[0],
    )


def _store(db: sqlite3.Connection, rows: Iterable[tuple], accounts: Iterable[tuple]) -> None:
    db.executemany(
        "INSERT INTO usage VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET counters = excluded.counters",
        rows,
    )
    # An account that was deleted meanwhile has no row any more.
    db.executemany(
        "INSERT OR REPLACE INTO account_usage (user_id, period, ops_out, ops_in, cellular_bytes,"
        " full_at, paused, warned) SELECT ?, ?, ?, ?, ?, ?, ?, ?"
        " WHERE EXISTS (SELECT 1 FROM users WHERE id = ?)",
        accounts,
    )


def _drop(table: dict, period: str, unwritten: set) -> None:
    for key in [key for key in table if key[1] != period and key not in unwritten]:
        del table[key]


class Meter:
    """Counts the datagrams of a device, also before it is known which device it is."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._device_id = ""
        self._early = Counters()

    def belongs(self, device_id: str) -> None:
        """Count for this device, what came before too."""
        self._device_id = device_id
        early, self._early = self._early, Counters()
        counters = self._counters()
        counters.datagram_up += early.datagram_up
        counters.datagrams_up += early.datagrams_up
        counters.datagram_down += early.datagram_down
        counters.datagrams_down += early.datagrams_down

    def up(self, n: int) -> None:
        """Count a datagram of the device."""
        counters = self._counters()
        counters.datagram_up += n
        counters.datagrams_up += 1
        self._usage.total.datagram_up += n

    def down(self, n: int) -> None:
        """Count a datagram to the device."""
        counters = self._counters()
        counters.datagram_down += n
        counters.datagrams_down += 1
        self._usage.total.datagram_down += n

    def _counters(self) -> Counters:
        return self._usage.of(self._device_id) if self._device_id else self._early
