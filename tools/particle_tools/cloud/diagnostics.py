"""The vitals that devices have sent, kept for thirty days, the last ones (rest-api 9)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from particle_tools.cloud import strict_json
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database

_KEPT_S = 30 * 86_400
_KEPT = 10_000  # of one device: one in four minutes; one that floods loses its own
_MOST = 1000  # in one answer


class Diagnostics:
    """Their table."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def add(self, device_id: str, payload: dict[str, Any]) -> None:
        """Store vitals as the API shows them; what is too old goes."""
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO diagnostics (device_id, taken_at, payload) VALUES (?, ?, ?)",
                (device_id, now, strict_json.dumps(payload)),
            )
            db.execute(
                "DELETE FROM diagnostics WHERE device_id = ? AND taken_at < ?",
                (device_id, now - _KEPT_S),
            )
            db.execute(
                "DELETE FROM diagnostics WHERE device_id = ?1 AND taken_at <= (SELECT taken_at"
                " FROM diagnostics WHERE device_id = ?1 ORDER BY taken_at DESC LIMIT 1 OFFSET ?2)",
                (device_id, _KEPT),
            )

        await self._db.write(job)

    def last(self, device_id: str) -> dict[str, Any] | None:
        """Return the last vitals of a device."""
        row = self._db.one(
            "SELECT * FROM diagnostics WHERE device_id = ? ORDER BY id DESC LIMIT 1", device_id
        )
        return _shown(row) if row else None

    def between(self, device_id: str, start: float, end: float) -> list[dict[str, Any]]:
        """Return the vitals of a time (Unix seconds), the last ones first."""
        rows = self._db.all(
            "SELECT * FROM diagnostics WHERE device_id = ? AND taken_at BETWEEN ? AND ?"
            " AND taken_at >= ? ORDER BY id DESC LIMIT ?",
            device_id,
            start,
            end,
            self._clock.time() - _KEPT_S,
            _MOST,
        )
        return [_shown(row) for row in rows]


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "updated_at": iso(row["taken_at"]),
        "deviceID": row["device_id"],
        "payload": json.loads(row["payload"]),
    }
