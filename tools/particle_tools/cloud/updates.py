"""Firmware for devices: a queue of uploads each, and what a device says about updates.

An upload waits until the device is there and takes updates; whoever transfers it takes it from
here and tells how it ended. The last upload counts: it replaces one that waits.
Sources: rest-api 5, 7.3; cloud-protocol 4.14.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database
from particle_tools.cloud.events import Bus, Event

if TYPE_CHECKING:
    from particle_tools.cloud.registry import Sessions
    from particle_tools.cloud.session import Session

MODULE, ASSET = "module", "asset"
ENABLED, FORCED = "particle/device/updates/enabled", "particle/device/updates/forced"
PENDING = "particle/device/updates/pending"
SENDING, FINISHING, APPLIED = "sending", "finishing", "applied"  # phases of what is started
LOST = "the device came back without what it was given"
GONE = "the device took the update and did not come back with it within a day"
_STATUS = "spark/flash/status"
_TRIAL_S = 86_400.0  # after its success, in which a device may give an application up
_REASON = 120  # characters of what it says about that
_KEPT = 20  # updates of a device that are over, without their files
_TEXT = {True: b"true", False: b"false"}


@dataclass(frozen=True)
class File:
    """One file of an update. kind: MODULE or ASSET."""

    name: str
    kind: str
    data: bytes


@dataclass(frozen=True)
class Update:
    """One upload for one device; state as in the table.

    phase: of the file at `position`: on its way, its last byte acknowledged, accepted. attempts:
    to send it since the device had more of it than ever, which is `stored` bytes. changed_at:
    when the phase began.
    """

    id: int
    device_id: str
    state: str
    queued_at: float
    ended_at: float | None
    error: str | None
    phase: str
    position: int
    attempts: int
    stored: int
    changed_at: float
    firmware_id: int | None  # the version of a product's firmware, None for an upload
    files: tuple[tuple[str, str, int], ...]  # name, kind, size

    def to_json(self) -> dict:
        """Return the REST form."""
        return {
            "id": self.id,
            "state": self.state,
            "queued_at": iso(self.queued_at),
            "ended_at": iso(self.ended_at),
            "error": self.error,
            "phase": self.phase if self.state == "started" else None,
            "position": self.position,
            "attempts": self.attempts,
            "stored": self.stored,
            "files": [{"name": n, "kind": kind, "size": size} for n, kind, size in self.files],
        }


class Taken(Exception):
    """The device has all of an update: whether it runs it is decided there."""


class Updates:
    """The queues of all devices.

    deliver: called with the id of a device that is online, takes updates and has one to get;
    None as long as nobody transfers any. stop: called when what is being sent shall not be.
    """

    def __init__(self, db: Database, clock: Clock, bus: Bus, sessions: Sessions) -> None:
        self._db = db
        self._clock = clock
        self._bus = bus
        self._sessions = sessions
        self.deliver: Callable[[str], None] | None = None
        self.stop: Callable[[str], None] = lambda device_id: None
        # Queues what a device that is there again shall have; firmwares.py knows.
        self.before_offer: Callable[[str], Awaitable[None]] | None = None

    # The queue.

    async def queue(
        self, device_id: str, files: list[File], firmware_id: int | None = None
    ) -> None:
        """Store files for a device, in place of what waits for it; it is told if it must allow.

        firmware_id: the files are stored there, and not once more for each device.
        """
        now = self._clock.time()
        digests = [hashlib.sha256(file.data).digest() for file in files]

        def job(db: sqlite3.Connection) -> None:
            _end_waiting(db, device_id, "replaced", now)
            update_id = db.execute(
                "INSERT INTO updates (device_id, state, queued_at, firmware_id)"
                " VALUES (?, 'waiting', ?, ?)",
                (device_id, now, firmware_id),
            ).lastrowid
            db.executemany(
                "INSERT INTO update_files VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(update_id, n, file.name, file.kind, len(file.data), digest),
                        file.data if firmware_id is None else None,
                    )
                    for n, (file, digest) in enumerate(zip(files, digests, strict=True))
                ],
            )

        await self._db.write(job)
        session = self._sessions.get(device_id)
        if session is not None:
            self._offer(session)

    async def cancel(self, device_id: str) -> bool:
        """Drop what waits for a device and what is on its way; False if nothing is.

        Raises Taken if there is nothing but what the device has all of: that goes on.
        """
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> tuple[bool, bool, bool]:
            waited = _end_waiting(db, device_id, "canceled", now)
            taken = db.execute(
                "SELECT 1 FROM updates WHERE device_id = ? AND state = 'started' AND phase != ?",
                (device_id, SENDING),
            ).fetchone()
            if taken is not None:
                return waited, False, True
            return waited, _end_started(db, device_id, "canceled", now), False

        waited, started, taken = await self._db.write(job)
        if taken and not waited:
            raise Taken
        if started:
            self.stop(device_id)
        if not waited:
            return started
        session = self._sessions.get(device_id)
        if session is not None and not self.allowed(device_id):
            session.send_event(PENDING, _TEXT[False])
        return True

    def of(self, device_id: str) -> list[Update]:
        """Return the updates of a device, the last one first."""
        rows = self._db.all(
            "SELECT * FROM updates WHERE device_id = ? ORDER BY id DESC", device_id
        )
        return [self._update(row) for row in rows]

    def open(self, device_id: str) -> bool:
        """Tell whether something waits for a device, or is on its way."""
        found = self._db.one(
            "SELECT 1 FROM updates WHERE device_id = ? AND state IN ('waiting', 'started')",
            device_id,
        )
        return found is not None

    def waits(self, device_id: str) -> bool:
        """Tell whether something waits that has not begun."""
        found = self._db.one(
            "SELECT 1 FROM updates WHERE device_id = ? AND state = 'waiting'", device_id
        )
        return found is not None

    async def take(self, device_id: str) -> Update | None:
        """Begin what waits for a device, or go on with what was begun; None if it may not."""
        if not self.allowed(device_id):
            return None
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> tuple[int, bool] | None:
            row = db.execute(
                "SELECT id, state FROM updates WHERE device_id = ? AND state IN"
                " ('waiting', 'started') ORDER BY id DESC LIMIT 1",
                (device_id,),
            ).fetchone()
            if row is None:
                return None
            new = row["state"] == "waiting"
            if new:
                _end_started(db, device_id, "replaced", now)
                db.execute("UPDATE updates SET state = 'started' WHERE id = ?", (row["id"],))
            return row["id"], new

        found = await self._db.write(job)
        if found is None:
            return None
        update_id, new = found
        if new:
            self._publish(device_id, _STATUS, b"started")
        return self._update(self._db.one("SELECT * FROM updates WHERE id = ?", update_id))

    def data(self, update: Update, position: int) -> bytes:
        """Return a file of an update; nothing if that is over."""
        row = self._db.one(
            "SELECT data FROM firmware_files WHERE firmware_id = ? AND position = ?"
            if update.firmware_id is not None
            else "SELECT data FROM update_files WHERE update_id = ? AND position = ?",
            update.id if update.firmware_id is None else update.firmware_id,
            position,
        )
        return b"" if row is None or row["data"] is None else row["data"]

    async def note(self, update: Update, **values: object) -> None:
        """Change what is known of an update: the fields of Update."""
        assert set(values) <= set(Update.__dataclass_fields__)
        columns = "".join(f"{name} = ?, " for name in values)
        await self._db.execute(
            f"UPDATE updates SET {columns} changed_at = CASE phase WHEN ifnull(?, phase)"
            " THEN changed_at ELSE ? END WHERE id = ? AND ended_at IS NULL",
            *values.values(),
            values.get("phase"),
            self._clock.time(),
            update.id,
        )

    async def postpone(self, update: Update) -> None:
        """Put an update back into the queue: the device says that it takes none."""

        def job(db: sqlite3.Connection) -> None:
            db.execute("UPDATE devices SET updates_enabled = 0 WHERE id = ?", (update.device_id,))
            if _waits(db, update.device_id) is not None:
                _end(db, update.device_id, update.id, "replaced", self._clock.time(), None)
                return
            db.execute(
                "UPDATE updates SET state = 'waiting', attempts = 0"
                " WHERE id = ? AND ended_at IS NULL",
                (update.id,),
            )

        await self._db.write(job)
        session = self._sessions.get(update.device_id)
        if session is not None:
            self._offer(session)

    async def finish(self, update: Update, error: str | None = None) -> None:
        """Note how a transfer ended; the files go, the account is told. Once for each."""
        now, state = self._clock.time(), "failed" if error else "success"
        if await self._db.write(
            lambda db: _end(db, update.device_id, update.id, state, now, error)
        ):
            self._publish(update.device_id, _STATUS, state.encode())

    async def rolled_back(self, device_id: str, said: str, but: int | None = None) -> None:
        """Let the update fail whose application the device gave up: `said` is what it says of it.

        One that failed because it was not seen again fails for this reason. but: not the one with
        this id, which the device has taken since it restarted.
        """
        now, error = self._clock.time(), _printable(said)

        def job(db: sqlite3.Connection) -> str | None:
            row = db.execute(
                "SELECT id, state, error, ended_at FROM updates"
                " WHERE device_id = ? AND id IS NOT ? AND (state IN ('success', 'failed')"
                " OR state = 'started' AND (position > 0 OR phase = ?))"
                " ORDER BY id DESC LIMIT 1",
                (device_id, but, APPLIED),
            ).fetchone()
            if row is None:
                return None
            if row["state"] == "started":  # it was not asked yet, or its assets are on their way
                _end(db, device_id, row["id"], "failed", now, error)
                return "started"
            unseen = row["state"] == "failed" and (row["error"] or "").startswith((LOST, GONE))
            if now - row["ended_at"] >= _TRIAL_S or row["state"] != "success" and not unseen:
                return None
            db.execute(
                "UPDATE updates SET state = 'failed', error = ? WHERE id = ?", (error, row["id"])
            )
            return row["state"]

        was = await self._db.write(job)
        if was == "started":
            self.stop(device_id)
        if was in ("started", "success"):  # that it failed is told once
            self._publish(device_id, _STATUS, b"failed")

    async def not_started(self, device_id: str, said: str) -> None:
        """Let the update fail that the device has all of and cannot start: `said` is why."""
        now, error = self._clock.time(), _printable(said)

        def job(db: sqlite3.Connection) -> bool:
            row = db.execute(
                "SELECT id FROM updates WHERE device_id = ? AND state = 'started' AND phase != ?",
                (device_id, SENDING),
            ).fetchone()
            return row is not None and _end(db, device_id, row["id"], "failed", now, error)

        if await self._db.write(job):
            self.stop(device_id)
            self._publish(device_id, _STATUS, b"failed")

    def unreturned(self, since: float) -> list[Update]:
        """Return the updates whose devices took them before `since` and were not seen again."""
        rows = self._db.all(
            "SELECT * FROM updates WHERE state = 'started' AND phase = ? AND changed_at < ?",
            APPLIED,
            since,
        )
        return [self._update(row) for row in rows]

    # What device and user say about updates.

    def allowed(self, device_id: str) -> bool:
        """Tell whether a device takes updates: enabled, or forced by the user."""
        enabled, forced = self.control(device_id)
        return enabled or forced

    def control(self, device_id: str) -> tuple[bool, bool]:
        """Return (the device allows updates, the user forces them)."""
        row = self._db.one(
            "SELECT updates_enabled, updates_forced FROM devices WHERE id = ?", device_id
        )
        return (bool(row[0]), bool(row[1])) if row else (True, False)

    async def force(self, device_id: str, forced: bool) -> None:
        """Let updates pass although the device disables them, or not any more."""
        await self._db.execute(
            "UPDATE devices SET updates_forced = ? WHERE id = ?", int(forced), device_id
        )
        session = self._sessions.get(device_id)
        if session is not None:
            session.send_event(FORCED, _TEXT[forced])
            self._offer(session)

    async def reported(self, session: Session, name: str, value: bytes) -> None:
        """Take the device's own events about updates; any beginning of "true" is true (4.14)."""
        on = value[:1] == b"t"
        if name == ENABLED:
            await self._db.execute(
                "UPDATE devices SET updates_enabled = ? WHERE id = ?", int(on), session.device_id
            )
            self._offer(session)
        elif name == FORCED:
            wanted = self.control(session.device_id)[1]
            if wanted != on:  # it was reset since it was told
                session.send_event(FORCED, _TEXT[wanted])

    def connected(self, session: Session, *, resumed: bool) -> None:
        """Tell a device that is there again what it may have missed."""
        if not resumed and self.control(session.device_id)[1]:
            session.send_event(FORCED, _TEXT[True])
        if self.before_offer is not None:
            session.spawn(self.before_offer(session.device_id))
        self._offer(session)

    def _offer(self, session: Session) -> None:
        if not self.open(session.device_id):
            return
        if not self.allowed(session.device_id):
            session.send_event(PENDING, _TEXT[True])
        elif self.deliver is not None:
            self.deliver(session.device_id)

    def _publish(self, device_id: str, name: str, data: bytes) -> None:
        row = self._db.one("SELECT owner FROM devices WHERE id = ?", device_id)
        owner = row["owner"] if row else None
        self._bus.publish(Event(name, data, device_id, owner, self._clock.time()))

    def _update(self, row: sqlite3.Row | None) -> Update:
        assert row is not None
        files = self._db.all(
            "SELECT name, kind, size FROM update_files WHERE update_id = ? ORDER BY position",
            row["id"],
        )
        return Update(**dict(row), files=tuple((f["name"], f["kind"], f["size"]) for f in files))


def _printable(said: str) -> str:
    return "".join(c for c in said[:_REASON] if c.isprintable())


def _waits(db: sqlite3.Connection, device_id: str) -> int | None:
    row = db.execute(
        "SELECT id FROM updates WHERE device_id = ? AND state = 'waiting'", (device_id,)
    ).fetchone()
    return None if row is None else row["id"]


def _end_waiting(db: sqlite3.Connection, device_id: str, state: str, now: float) -> bool:
    waits = _waits(db, device_id)
    return waits is not None and _end(db, device_id, waits, state, now, None)


def _end_started(db: sqlite3.Connection, device_id: str, state: str, now: float) -> bool:
    rows = db.execute(
        "SELECT id FROM updates WHERE device_id = ? AND state = 'started'", (device_id,)
    ).fetchall()
    for row in rows:
        _end(db, device_id, row["id"], state, now, None)
    return bool(rows)


def _end(
    db: sqlite3.Connection,
    device_id: str,
    update_id: int,
    state: str,
    now: float,
    error: str | None,
) -> bool:
    changed = db.execute(
        "UPDATE updates SET state = ?, ended_at = ?, error = ? WHERE id = ? AND ended_at IS NULL",
        (state, now, error, update_id),
    ).rowcount
    if not changed:
        return False
    db.execute("UPDATE update_files SET data = NULL WHERE update_id = ?", (update_id,))
    db.execute(
        "DELETE FROM updates WHERE device_id = ?1 AND ended_at IS NOT NULL AND id <= (SELECT id"
        " FROM updates WHERE device_id = ?1 AND ended_at IS NOT NULL"
        " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (device_id, _KEPT),
    )
    return True
