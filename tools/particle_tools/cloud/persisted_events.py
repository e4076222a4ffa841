"""Persisted events: the last numbers of each device, committed before they are acknowledged.

A number that is known is not taken again (DESIGN decision 7); a reader that was away asks for what
came after the last id it saw.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from particle_tools.cloud.database import Database
from particle_tools.cloud.events import Event

_KEPT = 512  # per device


class PersistedEvents:
    """Their table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def commit(self, device_id: str, number: int, event: Event) -> Event | None:
        """Commit an event under its number; return it with its id, None if the number is known."""
        values = (event.name, event.data, event.content_format, event.published_at)

        def job(db: sqlite3.Connection) -> int | None:
            if db.execute(
                "SELECT 1 FROM persisted_events WHERE device_id = ? AND number = ?",
                (device_id, number),
            ).fetchone():
                return None
            added = db.execute(
                "INSERT INTO persisted_events (device_id, number, name, data, content_format,"
                " published_at) VALUES (?, ?, ?, ?, ?, ?)",
                (device_id, number, *values),
            )
            db.execute(
                "DELETE FROM persisted_events WHERE device_id = ?1 AND id <= (SELECT id FROM"
                " persisted_events WHERE device_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                (device_id, _KEPT),
            )
            return added.lastrowid

        id_ = await self._db.write(job)
        return None if id_ is None else replace(event, id=id_)

    def of(self, device_id: str) -> list[sqlite3.Row]:
        """Return the rows kept for a device, oldest first."""
        return self._db.all(
            "SELECT * FROM persisted_events WHERE device_id = ? ORDER BY id", device_id
        )

    def newest(self) -> int:
        """Return the id of the newest one."""
        row = self._db.one("SELECT max(id) AS id FROM persisted_events")
        return row["id"] or 0 if row else 0

    def after(self, owner: int, id_: int, limit: int) -> list[Event]:
        """Return those of an account's devices with an id above this one, in order."""
        rows = self._db.all(
            "SELECT e.* FROM persisted_events AS e JOIN devices AS d ON d.id = e.device_id"
            " WHERE d.owner = ? AND e.id > ? ORDER BY e.id LIMIT ?",
            owner,
            id_,
            limit,
        )
        return [
            Event(
                row["name"],
                row["data"],
                row["device_id"],
                owner,
                row["published_at"],
                content_format=row["content_format"],
                id=row["id"],
            )
            for row in rows
        ]
