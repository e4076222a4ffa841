"""Ledgers of the cloud's side: definitions, instances by scope, their versions (rest-api 10).

No device is synchronised with them: it is told that there are none.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from particle_tools.cloud import strict_json
from particle_tools.cloud.accounts import User
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database

NAME = re.compile(r"[a-z0-9-]{1,32}")
LARGEST = 16 * 1024
SCOPES = ("Owner", "Product", "Device")
DIRECTIONS = ("Upstream", "Downstream")
_VERSIONS = 100  # kept of one instance


class TooLarge(ValueError):
    """The data of an instance is larger than a ledger takes."""


class Ledgers:
    """Their tables. A definition or a version is a row of them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def of(self, owner: User, *, archived: bool = False) -> list[sqlite3.Row]:
        """Return the definitions of an account, by name."""
        return self._db.all(
            "SELECT * FROM ledgers WHERE owner = ? AND (archived_at IS NOT NULL) = ?"
            " ORDER BY name",
            owner.id,
            archived,
        )

    def find(self, owner: User, name: str) -> sqlite3.Row | None:
        """Return a definition that is not archived."""
        return self._db.one(
            "SELECT * FROM ledgers WHERE owner = ? AND name = ? AND archived_at IS NULL",
            owner.id,
            name,
        )

    async def create(
        self, owner: User, name: str, scope: str, direction: str | None, description: str
    ) -> sqlite3.Row:
        """Define a ledger. Raises ValueError if the name is taken, also by an archived one."""
        now = self._clock.time()
        try:
            await self._db.execute(
                "INSERT INTO ledgers (owner, name, scope, direction, description, created_at,"
                " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                owner.id,
                name,
                scope,
                direction,
                description,
                now,
                now,
            )
        except sqlite3.IntegrityError as error:
            raise ValueError("a ledger of that name exists") from error
        found = self.find(owner, name)
        assert found is not None
        return found

    async def change(self, ledger: sqlite3.Row, direction: str | None, description: str) -> None:
        """Set direction and description."""
        await self._db.execute(
            "UPDATE ledgers SET direction = ?, description = ?, updated_at = ? WHERE id = ?",
            direction,
            description,
            self._clock.time(),
            ledger["id"],
        )

    async def archive(self, ledger: sqlite3.Row) -> None:
        """Put a ledger away; its name stays taken."""
        await self._db.execute(
            "UPDATE ledgers SET archived_at = ? WHERE id = ?", self._clock.time(), ledger["id"]
        )

    def instances(self, ledger: sqlite3.Row) -> list[sqlite3.Row]:
        """Return the current version of every instance."""
        return self._db.all(
            "SELECT * FROM ledger_versions WHERE ledger_id = ? AND replaced_at IS NULL"
            " AND data IS NOT NULL ORDER BY scope_value",
            ledger["id"],
        )

    def instance(self, ledger: sqlite3.Row, scope_value: str) -> sqlite3.Row | None:
        """Return the current version of an instance."""
        return self._db.one(
            "SELECT * FROM ledger_versions WHERE ledger_id = ? AND scope_value = ?"
            " AND replaced_at IS NULL AND data IS NOT NULL",
            ledger["id"],
            scope_value,
        )

    def versions(self, ledger: sqlite3.Row, scope_value: str) -> list[sqlite3.Row]:
        """Return the versions of an instance that are kept, the last one first."""
        return self._db.all(
            "SELECT * FROM ledger_versions WHERE ledger_id = ? AND scope_value = ?"
            " AND data IS NOT NULL ORDER BY id DESC",
            ledger["id"],
            scope_value,
        )

    async def set(
        self, ledger: sqlite3.Row, scope_value: str, data: dict[str, Any] | None, *, merge: bool
    ) -> None:
        """Store another version of an instance; None ends it. Raises TooLarge."""
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> None:
            row = db.execute(
                "SELECT * FROM ledger_versions WHERE ledger_id = ? AND scope_value = ?"
                " AND replaced_at IS NULL",
                (ledger["id"], scope_value),
            ).fetchone()
            old = json.loads(row["data"]) if row is not None and row["data"] and merge else {}
            text = None
            if data is not None:
                text = strict_json.dumps({**old, **data}, separators=(",", ":"))
            size = len((text or "").encode())
            if size > LARGEST:
                raise TooLarge
            if row is not None:
                db.execute(
                    "UPDATE ledger_versions SET replaced_at = ? WHERE id = ?", (now, row["id"])
                )
            db.execute(
                "INSERT INTO ledger_versions (ledger_id, scope_value, data, size, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (ledger["id"], scope_value, text, size, now),
            )
            db.execute(
                "DELETE FROM ledger_versions WHERE ledger_id = ?1 AND scope_value = ?2 AND id <="
                " (SELECT id FROM ledger_versions WHERE ledger_id = ?1 AND scope_value = ?2"
                " ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                (ledger["id"], scope_value, _VERSIONS),
            )

        await self._db.write(job)


def definition_json(ledger: sqlite3.Row) -> dict[str, Any]:
    """Return the REST form of a definition."""
    return {
        "scope": ledger["scope"],
        "name": ledger["name"],
        "description": ledger["description"],
        "direction": ledger["direction"],
        "created_at": iso(ledger["created_at"]),
        "updated_at": iso(ledger["updated_at"]),
        "archived_at": iso(ledger["archived_at"]),
    }


def instance_json(ledger: sqlite3.Row, version: sqlite3.Row) -> dict[str, Any]:
    """Return the REST form of a version of an instance."""
    value = version["scope_value"]
    return {
        "name": ledger["name"],
        "scope": {"type": ledger["scope"], "value": value, "name": value},
        "size_bytes": version["size"],
        "data": json.loads(version["data"]),
        "version": str(version["id"]),
        "created_at": iso(version["created_at"]),
        "updated_at": iso(version["created_at"]),
        "replaced_at": iso(version["replaced_at"]),
    }
