"""What is stored about devices: owner, keys, last Describe."""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass, field

from particle_tools.cloud.accounts import User
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database
from particle_tools.cloud.hello import Hello

_CODE_CHARACTERS = 63  # cloud-protocol 8


@dataclass(frozen=True)
class Device:
    """One row of the device table; times are Unix seconds."""

    id: str
    owner: int | None
    name: str | None
    notes: str | None
    product_id: int | None
    product_version: int | None
    platform_id: int | None
    system_version: int | None
    last_ip: str | None
    last_heard: float | None
    last_handshake: float | None
    safe_mode: int = 0  # 1: the device has said so, and nothing else since
    serial_number: str | None = None
    mobile_secret: str | None = None


@dataclass(frozen=True)
class Description:
    """The last Describe of a device: function names, variable names with their type number."""

    functions: list[str] = field(default_factory=list)
    variables: dict[str, int] = field(default_factory=dict)
    known: bool = False


class Devices:
    """Store of devices. Device ids are 24 lower-case hex digits throughout."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def get(self, device_id: str) -> Device | None:
        """Return a device by id."""
        row = self._db.one("SELECT * FROM devices WHERE id = ?", device_id)
        return _device(row) if row else None

    def of(self, user: User) -> list[Device]:
        """Return a user's devices, the last handshake first (rest-api 3)."""
        rows = self._db.all(
            "SELECT * FROM devices WHERE owner = ? ORDER BY last_handshake DESC, id", user.id
        )
        return [_device(row) for row in rows]

    def find(self, user: User, reference: str) -> Device | None:
        """Return a user's device by id (any case) or by name (any case)."""
        row = self._db.one(
            "SELECT * FROM devices WHERE owner = ? AND (id = ? OR name = ? COLLATE NOCASE)"
            " ORDER BY id = ? DESC LIMIT 1",
            user.id,
            reference.lower(),
            reference,
            reference.lower(),
        )
        return _device(row) if row else None

    def key(self, device_id: str, algorithm: str) -> bytes | None:
        """Return the registered public key (SubjectPublicKeyInfo DER) for "rsa" or "ec"."""
        row = self._db.one(
            "SELECT spki FROM device_keys WHERE device_id = ? AND algorithm = ?",
            device_id,
            algorithm,
        )
        return row["spki"] if row else None

    async def register(self, user: User, device_id: str, algorithm: str, spki: bytes) -> bool:
        """Store a key, creating or claiming the device; False if it belongs to someone else."""
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT owner FROM devices WHERE id = ?", (device_id,)).fetchone()
            if row and row["owner"] not in (None, user.id):
                return False
            if row is None:
                db.execute("INSERT INTO devices (id, created_at) VALUES (?, ?)", (device_id, now))
            _own(db, user.id, device_id)
            if algorithm == "ec":
                # In one transaction, so that no session of a revoked key can come back.
                db.execute(
                    "DELETE FROM udp_sessions WHERE device_id = ?1 AND EXISTS (SELECT 1 FROM"
                    " device_keys WHERE device_id = ?1 AND algorithm = 'ec' AND spki != ?2)",
                    (device_id, spki),
                )
            db.execute(
                "INSERT INTO device_keys VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET spki = excluded.spki, registered_at = excluded.registered_at",
                (device_id, algorithm, spki, now),
            )
            return True

        return await self._db.write(job)

    async def create(self, user: User, device_id: str, platform_id: int | None) -> None:
        """Make a device of the user's that has no key yet."""

        def job(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO devices (id, platform_id, created_at) VALUES (?, ?, ?)",
                (device_id, platform_id, self._clock.time()),
            )
            _own(db, user.id, device_id)

        await self._db.write(job)

    async def claim(self, user: User, device_id: str) -> str:
        """Make a known, unowned device the user's; return "ok", "unknown" or "foreign"."""

        def job(db: sqlite3.Connection) -> str:
            row = db.execute("SELECT owner FROM devices WHERE id = ?", (device_id,)).fetchone()
            if row is None:
                return "unknown"
            if row["owner"] not in (None, user.id):
                return "foreign"
            _own(db, user.id, device_id)
            return "ok"

        return await self._db.write(job)

    async def unclaim(self, device: Device) -> None:
        """Take a device from its owner; its key stays."""
        await self._db.execute(
            "UPDATE devices SET owner = NULL, name = NULL, notes = NULL WHERE id = ?", device.id
        )

    async def rename(self, device: Device, name: str) -> bool:
        """Set the name; False if the owner has another device of that name."""

        def job(db: sqlite3.Connection) -> bool:
            taken = db.execute(
                "SELECT 1 FROM devices WHERE owner = ? AND id != ? AND name = ? COLLATE NOCASE",
                (device.owner, device.id, name),
            ).fetchone()
            if taken:
                return False
            db.execute("UPDATE devices SET name = ? WHERE id = ?", (name, device.id))
            return True

        return await self._db.write(job)

    def by_serial_number(self, serial_number: str) -> Device | None:
        """Return the device of a serial number."""
        row = self._db.one("SELECT * FROM devices WHERE serial_number = ?", serial_number)
        return _device(row) if row else None

    async def label(self, device_id: str, serial_number: str | None, secret: str | None) -> None:
        """Note what is printed on a device; None changes nothing.

        Raises ValueError if another device has the serial number.
        """
        try:
            await self._db.execute(
                "UPDATE devices SET serial_number = coalesce(?, serial_number),"
                " mobile_secret = coalesce(?, mobile_secret) WHERE id = ?",
                serial_number,
                secret,
                device_id,
            )
        except sqlite3.IntegrityError as error:
            raise ValueError("another device has this serial number") from error

    async def annotate(self, device: Device, notes: str) -> None:
        """Set the notes."""
        await self._db.execute("UPDATE devices SET notes = ? WHERE id = ?", notes, device.id)

    async def greeted(self, device_id: str, ip: str, hello: Hello) -> None:
        """Note what a Hello said, and the time as last handshake and last heard."""
        now = self._clock.time()
        await self._db.execute(
            "UPDATE devices SET product_id = ?, product_version = ?, platform_id = ?,"
            " system_version = ?, last_ip = ?, last_heard = ?, last_handshake = ?, safe_mode = 0,"
            " updates_enabled = 1 WHERE id = ?",  # a device says so when they are not
            hello.product_id,
            hello.product_version,
            hello.platform_id,
            hello.system_version,
            ip,
            now,
            now,
            device_id,
        )

    async def in_safe_mode(self, device_id: str) -> None:
        """Note that a device does not run its application, until its next Hello."""
        await self._db.execute("UPDATE devices SET safe_mode = 1 WHERE id = ?", device_id)

    async def out_of_safe_mode(self, device_id: str) -> None:
        """Note that a device runs its application again."""
        await self._db.execute("UPDATE devices SET safe_mode = 0 WHERE id = ?", device_id)

    def system(self, device_id: str) -> tuple[bytes, int] | None:
        """Return the system part of the last Describe and its content format."""
        row = self._db.one(
            "SELECT system, system_format FROM describes WHERE device_id = ?", device_id
        )
        return None if row is None or row["system"] is None else tuple(row)

    async def heard(self, device_id: str, when: float) -> None:
        """Note when a device was heard last (written once, when its session ends)."""
        await self._db.execute("UPDATE devices SET last_heard = ? WHERE id = ?", when, device_id)

    def description(self, device_id: str) -> Description:
        """Return the last Describe; `known` is False if the device never sent one."""
        row = self._db.one(
            "SELECT functions, variables FROM describes WHERE device_id = ?", device_id
        )
        if row is None or row["functions"] is None:
            return Description()
        return Description(json.loads(row["functions"]), json.loads(row["variables"]), True)

    async def describe(
        self, device_id: str, functions: list[str], variables: dict[str, int]
    ) -> None:
        """Store the application part of a Describe."""
        await self._db.execute(
            "INSERT INTO describes (device_id, functions, variables, updated_at)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET functions = excluded.functions,"
            " variables = excluded.variables, updated_at = excluded.updated_at",
            device_id,
            json.dumps(functions),
            json.dumps(variables),
            self._clock.time(),
        )

    async def describe_system(self, device_id: str, body: bytes, content_format: int) -> None:
        """Store the system part of a Describe as it came."""
        await self._db.execute(
            "INSERT INTO describes (device_id, system, system_format, updated_at)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET system = excluded.system,"
            " system_format = excluded.system_format, updated_at = excluded.updated_at",
            device_id,
            body,
            content_format,
            self._clock.time(),
        )

    async def new_claim_code(self, user: User) -> str:
        """Make a claim code of 63 characters for a user."""
        code = secrets.token_urlsafe(48)[:_CODE_CHARACTERS]
        await self._db.execute(
            "INSERT INTO claim_codes VALUES (?, ?, ?)", code, user.id, self._clock.time()
        )
        return code

    async def use_claim_code(self, device_id: str, code: str) -> bool:
        """Give an unowned device to the user who made the code; a code works once."""

        def job(db: sqlite3.Connection) -> bool:
            row = db.execute(
                "SELECT c.user_id FROM claim_codes c JOIN devices d ON d.id = ?"
                " WHERE c.code = ? AND (d.owner IS NULL OR d.owner = c.user_id)",
                (device_id, code),
            ).fetchone()
            if row is None:
                return False
            db.execute("DELETE FROM claim_codes WHERE code = ?", (code,))
            _own(db, row["user_id"], device_id)
            return True

        return await self._db.write(job)


def _own(db: sqlite3.Connection, user_id: int, device_id: str) -> None:
    # A device without a name could not be addressed by one: give it a name that is free.
    name = f"board-{device_id[-6:]}"
    if db.execute(
        "SELECT 1 FROM devices WHERE owner = ? AND id != ? AND name = ? COLLATE NOCASE",
        (user_id, device_id, name),
    ).fetchone():
        name = f"board-{device_id}"
    db.execute(
        "UPDATE devices SET owner = ?, name = coalesce(name, ?) WHERE id = ?",
        (user_id, name, device_id),
    )


def _device(row: sqlite3.Row) -> Device:
    return Device(**{name: row[name] for name in Device.__dataclass_fields__})
