"""Firmware of products: versions, what is released to whom, and which device gets it when.

A release is for all devices of a product or for a group, for a share of them, and may be paused.
A device that is locked to a version gets that one whatever is released; one that is marked for
development gets none.
Sources: rest-api 3, 5; ota-and-boot 1.4.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database
from particle_tools.cloud.devices import Devices
from particle_tools.cloud.products import Membership, Product, Products
from particle_tools.cloud.updates import File, Updates

_ALL = ""  # the group of a release to the whole product
_EVERY = 100  # per cent
_TRIES = 3  # to bring one device to a version, whatever became of them


@dataclass(frozen=True)
class Firmware:
    """One version."""

    id: int
    product_id: int
    version: int
    title: str
    description: str
    name: str
    size: int
    uploaded_at: float


@dataclass(frozen=True)
class Release:
    """What a product or a group of it shall have. percentage: of its devices."""

    product_id: int
    group_name: str
    firmware_id: int
    percentage: int
    paused: int
    released_at: float


@dataclass(frozen=True)
class Target:
    """What a device shall have, and since when."""

    firmware: Firmware
    since: float


class Firmwares:
    """Their tables, and what follows for devices."""

    def __init__(
        self, db: Database, clock: Clock, products: Products, devices: Devices, updates: Updates
    ) -> None:
        self._db = db
        self._clock = clock
        self._products = products
        self._devices = devices
        self._updates = updates
        updates.before_offer = self.offer

    # Versions.

    async def add(
        self, product: Product, version: int, texts: tuple[str, str, str], files: list[File]
    ) -> bool:
        """Store a version: title, description and name of the upload; False if it exists."""
        now, size = self._clock.time(), sum(len(file.data) for file in files)

        def job(db: sqlite3.Connection) -> bool:
            try:
                firmware_id = db.execute(
                    "INSERT INTO firmwares (product_id, version, title, description, name, size,"
                    " uploaded_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (product.id, version, *texts, size, now),
                ).lastrowid
            except sqlite3.IntegrityError:
                return False
            db.executemany(
                "INSERT INTO firmware_files VALUES (?, ?, ?, ?, ?)",
                [(firmware_id, n, f.name, f.kind, f.data) for n, f in enumerate(files)],
            )
            return True

        return await self._db.write(job)

    def of(self, product: Product) -> list[Firmware]:
        """Return the versions of a product, the highest first."""
        rows = self._db.all(
            "SELECT * FROM firmwares WHERE product_id = ? ORDER BY version DESC", product.id
        )
        return [Firmware(**dict(row)) for row in rows]

    def get(self, product_id: int, version: int) -> Firmware | None:
        """Return one version."""
        row = self._db.one(
            "SELECT * FROM firmwares WHERE product_id = ? AND version = ?", product_id, version
        )
        return Firmware(**dict(row)) if row else None

    def files(self, firmware: Firmware) -> list[File]:
        """Return what devices are given."""
        rows = self._db.all(
            "SELECT * FROM firmware_files WHERE firmware_id = ? ORDER BY position", firmware.id
        )
        return [File(row["name"], row["kind"], row["data"]) for row in rows]

    async def describe(self, firmware: Firmware, title: str, description: str) -> None:
        """Change the texts."""
        await self._db.execute(
            "UPDATE firmwares SET title = ?, description = ? WHERE id = ?",
            title,
            description,
            firmware.id,
        )

    async def remove(self, firmware: Firmware) -> bool:
        """Forget a version; False while it is released, or on its way to a device."""

        def job(db: sqlite3.Connection) -> bool:
            used = db.execute(
                "SELECT 1 FROM releases WHERE firmware_id = ?1 UNION SELECT 1 FROM updates"
                " WHERE firmware_id = ?1 AND ended_at IS NULL",
                (firmware.id,),
            ).fetchone()
            if used is None:
                db.execute("DELETE FROM firmwares WHERE id = ?", (firmware.id,))
            return used is None

        return await self._db.write(job)

    # Releases.

    async def release(
        self, firmware: Firmware, groups: list[str], percentage: int | None, *, paused: bool
    ) -> None:
        """Release a version to groups, to all without any. What is on its way is not touched.

        percentage: None = what it was released to before, all if it is new.
        """
        now = self._clock.time()

        def job(db: sqlite3.Connection) -> None:
            for group in groups or [_ALL]:
                old = db.execute(
                    "SELECT * FROM releases WHERE product_id = ? AND group_name = ?",
                    (firmware.product_id, group),
                ).fetchone()
                # Another share, or going on, is no reason to try again where it has failed.
                same = old is not None and old["firmware_id"] == firmware.id
                since = old["released_at"] if same else now
                share = percentage
                if share is None:  # a pause, and its end, change nobody's share
                    share = old["percentage"] if same else _EVERY
                db.execute(
                    "INSERT OR REPLACE INTO releases VALUES (?, ?, ?, ?, ?, ?)",
                    (firmware.product_id, group, firmware.id, share, int(paused), since),
                )

        await self._db.write(job)

    def releases(self, product_id: int) -> list[Release]:
        """Return the releases of a product, the last one first."""
        rows = self._db.all(
            "SELECT * FROM releases WHERE product_id = ? ORDER BY released_at DESC", product_id
        )
        return [Release(**dict(row)) for row in rows]

    def groups(self, product: Product) -> set[str]:
        """Return the groups that a release can be for: of some device, or released to before."""
        released = {release.group_name for release in self.releases(product.id)} - {_ALL}
        return released | self._products.groups(product)

    def target(self, device_id: str) -> Target | None:
        """Return what a device shall have; None if that is left to its user."""
        member = self._products.membership(device_id)
        if member is None or member.quarantined or member.denied:
            return None
        if member.desired_version is not None:
            firmware = self.get(member.product_id, member.desired_version)
            return Target(firmware, member.locked_at) if firmware else None
        release = None if member.development else self._release(device_id, member)
        if release is None:
            return None
        row = self._db.one("SELECT * FROM firmwares WHERE id = ?", release.firmware_id)
        return Target(Firmware(**dict(row)), release.released_at) if row else None

    def _release(self, device_id: str, member: Membership) -> Release | None:
        # The last one to a group of the device; without any, that to the product.
        found = self.releases(member.product_id)
        of_groups = [release for release in found if release.group_name in member.groups]
        for release in of_groups or [r for r in found if r.group_name == _ALL]:
            text = f"{release.firmware_id}/{device_id}".encode()
            # Always the same for a device, so that a growing share only adds devices.
            place = int.from_bytes(hashlib.sha256(text).digest()[:4], "big") % 100
            return None if release.paused or place >= release.percentage else release
        return None

    async def offer(self, device_id: str) -> None:
        """Queue what a device shall have, unless it has it or got it in vain."""
        target, device = self.target(device_id), self._devices.get(device_id)
        if target is None or device is None or self._updates.open(device_id):
            return
        if device.product_version == target.firmware.version:
            return
        row = self._db.one(
            "SELECT count(*) AS tries, coalesce(sum(state = 'success'), 0) AS done FROM updates"
            " WHERE device_id = ? AND firmware_id = ? AND queued_at >= ?",
            device_id,
            target.firmware.id,
            target.since,
        )
        if row is not None and row["tries"] < _TRIES and not row["done"]:
            await self._updates.queue(device_id, self.files(target.firmware), target.firmware.id)

    def to_json(self, firmware: Firmware) -> dict:
        """Return the REST form."""
        count = self._db.one(
            "SELECT count(*) AS n FROM product_devices p JOIN devices d ON d.id = p.device_id"
            " WHERE p.product_id = ? AND d.product_version = ?",
            firmware.product_id,
            firmware.version,
        )
        found = [r for r in self.releases(firmware.product_id) if r.firmware_id == firmware.id]
        return {
            "version": firmware.version,
            "title": firmware.title,
            "description": firmware.description,
            "name": firmware.name,
            "size": firmware.size,
            "device_count": count["n"] if count else 0,
            "current": any(release.group_name == _ALL for release in found),
            "groups": sorted(r.group_name for r in found if r.group_name != _ALL),
            "releases": [
                {
                    "group": release.group_name or None,
                    "percentage": release.percentage,
                    "paused": bool(release.paused),
                    "released_at": iso(release.released_at),
                }
                for release in found
            ],
            "uploaded_at": iso(firmware.uploaded_at),
        }
