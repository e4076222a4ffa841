"""Requests for a device of somebody else; its owner says yes or no (rest-api 3).

The real cloud asks by e-mail, this one shows the request to the owner.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from particle_tools.cloud.accounts import User
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database


@dataclass(frozen=True)
class Transfer:
    """One request."""

    id: int
    device_id: str
    user_id: int
    username: str
    requested_at: float

    def to_json(self) -> dict[str, Any]:
        """Return the REST form."""
        return {
            "id": str(self.id),
            "device_id": self.device_id,
            "requested_by": self.username,
            "requested_at": iso(self.requested_at),
        }


class Transfers:
    """Their table."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def request(self, user: User, device_id: str) -> int:
        """Ask for a device; asking again is the same request."""
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> int:
            db.execute(
                "INSERT INTO transfers (device_id, user_id, requested_at) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (device_id, user.id, now),
            )
            row = db.execute(
                "SELECT id FROM transfers WHERE device_id = ? AND user_id = ?",
                (device_id, user.id),
            ).fetchone()
            return row["id"]

        return await self._db.write(job)

    def of(self, owner: User) -> list[Transfer]:
        """Return the requests for an owner's devices, oldest first."""
        rows = self._db.all(
            "SELECT t.*, u.username FROM transfers t JOIN devices d ON d.id = t.device_id"
            " JOIN users u ON u.id = t.user_id WHERE d.owner = ? ORDER BY t.id",
            owner.id,
        )
        return [Transfer(**dict(row)) for row in rows]

    async def end(self, owner: User, transfer: Transfer, *, accept: bool) -> bool:
        """Give the device away, or not; False if it is not the owner's any more."""

        def job(db: sqlite3.Connection) -> bool:
            if accept:
                moved = db.execute(
                    "UPDATE devices SET owner = ?, name = NULL, notes = NULL"
                    " WHERE id = ? AND owner = ?",
                    (transfer.user_id, transfer.device_id, owner.id),
                ).rowcount
                if not moved:
                    return False
                db.execute("DELETE FROM transfers WHERE device_id = ?", (transfer.device_id,))
            else:
                db.execute("DELETE FROM transfers WHERE id = ?", (transfer.id,))
            return True

        return await self._db.write(job)
