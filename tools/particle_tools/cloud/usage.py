"""Counters per device and month: bytes at CoAP, segment and datagram level, handshakes, pings.

The base of the metering of rest-api 15.2. Kept in memory, flushed to SQLite now and then.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass

from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database

_DATAGRAM_OVERHEAD = 28  # IPv4 + UDP headers
_PERIOD_S = 1.0  # a month begins that much late at most
_TCP_SEGMENT_OVERHEAD = 40  # IPv4 + TCP headers; TCP's own acknowledgements are not counted


@dataclass
class Counters:
    """Counts of one device in one period. "up" is from the device."""

    coap_up: int = 0
    coap_down: int = 0
    segment_up: int = 0  # bytes of the stream: handshake, frame lengths and padding included
    segment_down: int = 0
    segments_up: int = 0  # reads and writes; the kernel may join or split them on the way
    segments_down: int = 0
    datagram_up: int = 0  # bytes of UDP payload
    datagram_down: int = 0
    datagrams_up: int = 0
    datagrams_down: int = 0
    messages_up: int = 0
    messages_down: int = 0
    handshakes: int = 0
    resumes: int = 0
    pings: int = 0
    events_up: int = 0
    events_down: int = 0
    calls: int = 0
    reads: int = 0

    def count_datagrams(self, up: int, ups: int, down: int, downs: int) -> None:
        """Count UDP payload bytes and datagrams from and to the device."""
        self.datagram_up += up
        self.datagrams_up += ups
        self.datagram_down += down
        self.datagrams_down += downs

    def to_json(self) -> dict:
        """Return the REST form, with the estimated bytes on the network."""
        fields = asdict(self)
        segments = self.segments_up + self.segments_down
        datagrams = self.datagrams_up + self.datagrams_down
        fields["network_estimate"] = (
            self.segment_up
            + self.segment_down
            + segments * _TCP_SEGMENT_OVERHEAD
            + self.datagram_up
            + self.datagram_down
            + datagrams * _DATAGRAM_OVERHEAD
        )
        return fields


class Usage:
    """The counters of every device for the running month."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._counters: dict[tuple[str, str], Counters] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._period, self._stale = "", 0.0  # asked for with every message

    def period(self) -> str:
        """Return the running month as YYYY-MM (UTC)."""
        now = self._clock.time()
        if now >= self._stale:
            text = iso(now)
            assert text is not None
            self._period, self._stale = text[:7], now + _PERIOD_S
        return self._period

    def of(self, device_id: str) -> Counters:
        """Return the counters of a device to be read or changed now; do not keep them."""
        key = (device_id, self.period())
        counters = self._counters.get(key)
        if counters is None:
            row = self._db.one(
                "SELECT counters FROM usage WHERE device_id = ? AND period = ?", *key
            )
            counters = Counters(**json.loads(row["counters"])) if row else Counters()
            self._counters[key] = counters
        self._dirty.add(key)
        return counters

    async def reset(self, device_ids: list[str]) -> None:
        """Set the running month of these devices to zero."""
        for device_id in device_ids:
            self.of(device_id)
            self._counters[device_id, self.period()] = Counters()
        await self.flush()

    async def flush(self) -> None:
        """Write what changed since the last flush."""
        dirty, self._dirty = self._dirty, set()
        rows = [
            (device_id, period, json.dumps(asdict(self._counters[device_id, period])))
            for device_id, period in dirty
        ]
        period = self.period()
        for key in [key for key in self._counters if key[1] != period]:
            del self._counters[key]
        if not rows:
            return

        def job(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO usage VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                " SET counters = excluded.counters",
                rows,
            )

        await self._db.write(job)


class Meter:
    """Counts the datagrams of a device, also before it is known which device it is."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._device_id = ""
        self._early = Counters()

    def belongs(self, device_id: str) -> None:
        """Count for this device, what came before too."""
        self._device_id = device_id
        early = self._early
        self._counters().count_datagrams(
            early.datagram_up, early.datagrams_up, early.datagram_down, early.datagrams_down
        )

    def up(self, n: int) -> None:
        """Count a datagram of the device."""
        self._counters().count_datagrams(n, 1, 0, 0)

    def down(self, n: int) -> None:
        """Count a datagram to the device."""
        self._counters().count_datagrams(0, 0, n, 1)

    def _counters(self) -> Counters:
        return self._usage.of(self._device_id) if self._device_id else self._early
