"""Products: a name and number for devices of one kind, and what is noted of each (rest-api 11)."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass, field

from particle_tools.cloud.accounts import User
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database
from particle_tools.cloud.devices import Device, Devices

LOWEST, HIGHEST = 256, 65_534  # below: platforms; 65535: no product
_FIRST = 1000
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Product:
    """One row of the table."""

    id: int
    owner: int
    slug: str
    name: str
    description: str
    platform_id: int
    created_at: float


@dataclass(frozen=True)
class Membership:
    """What is noted of a device in a product."""

    product_id: int
    groups: list[str] = field(default_factory=list)
    desired_version: int | None = None
    development: bool = False
    quarantined: bool = False
    denied: bool = False
    locked_at: float = 0.0  # since when it shall have the desired version


@dataclass
class Import:
    """What became of devices that were to be added."""

    added: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    nonmember: list[str] = field(default_factory=list)


class Products:
    """Store of products and of the devices in them; a device is in one product at most."""

    def __init__(self, db: Database, clock: Clock, devices: Devices) -> None:
        self._db = db
        self._clock = clock
        self._devices = devices

    async def create(
        self, user: User, name: str, platform_id: int, description: str, number: int | None
    ) -> Product:
        """Make a product. Raises ValueError if its number or name is taken."""
        slug = _NOT_SLUG.sub("-", name.lower()).strip("-") or "product"
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> int | None:
            row = db.execute("SELECT max(id) AS top FROM products").fetchone()
            id_ = number or max(_FIRST, (row["top"] or 0) + 1)
            if id_ > HIGHEST:
                raise ValueError("no product number is left")
            db.execute(
                "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id_, user.id, slug, name, description, platform_id, now),
            )
            return id_

        try:
            id_ = await self._db.write(job)
        except sqlite3.IntegrityError as error:
            raise ValueError("a product of that number or name exists") from error
        found = self.find(user, str(id_))
        assert found is not None
        return found

    async def delete(self, product: Product) -> None:
        """Remove a product; its devices stay with their owners."""
        await self._db.execute("DELETE FROM products WHERE id = ?", product.id)

    def of(self, user: User) -> list[Product]:
        """Return a user's products."""
        rows = self._db.all("SELECT * FROM products WHERE owner = ? ORDER BY id", user.id)
        return [Product(**dict(row)) for row in rows]

    def find(self, user: User, reference: str) -> Product | None:
        """Return a user's product by number or slug."""
        row = self._db.one(
            "SELECT * FROM products WHERE owner = ? AND (slug = ? OR CAST(id AS TEXT) = ?)",
            user.id,
            reference.lower(),
            reference,
        )
        return Product(**dict(row)) if row else None

    def devices(self, product: Product) -> list[Device]:
        """Return the devices of a product, the last handshake first."""
        rows = self._db.all(
            "SELECT d.id FROM devices d JOIN product_devices p ON p.device_id = d.id"
            " WHERE p.product_id = ? ORDER BY d.last_handshake DESC, d.id",
            product.id,
        )
        found = (self._devices.get(row["id"]) for row in rows)
        return [device for device in found if device is not None]

    def device(self, product: Product, reference: str) -> Device | None:
        """Return a device of a product by id or name (any case)."""
        row = self._db.one(
            "SELECT d.id FROM devices d JOIN product_devices p ON p.device_id = d.id"
            " WHERE p.product_id = ?1 AND (d.id = lower(?2) OR d.name = ?2 COLLATE NOCASE)"
            " ORDER BY d.id = lower(?2) DESC LIMIT 1",
            product.id,
            reference,
        )
        return self._devices.get(row["id"]) if row else None

    def membership(self, device_id: str) -> Membership | None:
        """Return what is noted of a device, None if it is in no product."""
        row = self._db.one("SELECT * FROM product_devices WHERE device_id = ?", device_id)
        if row is None:
            return None
        return Membership(
            row["product_id"],
            json.loads(row["groups"]),
            row["desired_version"],
            bool(row["development"]),
            bool(row["quarantined"]),
            bool(row["denied"]),
            row["locked_at"],
        )

    async def add(self, product: Product, references: list[str]) -> Import:
        """Add devices by id or serial number: the owner's own, and such without an owner."""

        def job(db: sqlite3.Connection) -> Import:
            found = Import()
            for reference in references:
                row = db.execute(
                    "SELECT d.id, d.owner, p.product_id FROM devices d LEFT JOIN product_devices p"
                    " ON p.device_id = d.id WHERE d.id = lower(?1) OR d.serial_number = ?1",
                    (reference,),
                ).fetchone()
                if row is None:
                    found.invalid.append(reference)
                elif row["owner"] not in (None, product.owner) or row["product_id"] not in (
                    None,
                    product.id,
                ):
                    found.nonmember.append(reference)
                else:
                    db.execute(
                        "INSERT INTO product_devices (device_id, product_id) VALUES (?, ?)"
                        " ON CONFLICT DO NOTHING",
                        (row["id"], product.id),
                    )
                    found.added.append(row["id"])
            return found

        return await self._db.write(job)

    async def remove(self, device: Device) -> None:
        """Take a device out of its product."""
        await self._db.execute("DELETE FROM product_devices WHERE device_id = ?", device.id)

    async def note(self, device: Device, **values: object) -> None:
        """Change what is noted of a device: the fields of Membership."""
        if "desired_version" in values:
            values["locked_at"] = self._clock.time()
        for column, value in values.items():
            assert column in Membership.__dataclass_fields__
            stored = json.dumps(value) if column == "groups" else value
            await self._db.execute(
                f"UPDATE product_devices SET {column} = ? WHERE device_id = ?", stored, device.id
            )

    def groups(self, product: Product) -> set[str]:
        """Return the groups that devices of a product are in."""
        rows = self._db.all("SELECT groups FROM product_devices WHERE product_id = ?", product.id)
        return {name for row in rows for name in json.loads(row["groups"])}

    def to_json(self, product: Product) -> dict:
        """Return the REST form."""
        count = self._db.one(
            "SELECT count(*) AS n FROM product_devices WHERE product_id = ?", product.id
        )
        return {
            "id": product.id,
            "platform_id": product.platform_id,
            "name": product.name,
            "slug": product.slug,
            "description": product.description,
            "device_count": count["n"] if count else 0,
            "groups": sorted(self.groups(product)),
            "settings": {},
            "created_at": iso(product.created_at),
        }
