"""The store under fire: grouped writes, jobs that fail, a locked and a full disk."""

import asyncio
import json
import sqlite3

import pytest

from particle_tools.cloud import schema
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.database import Database
from particle_tools.cloud.usage import Usage


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cloud.db"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def insert(number):
    return lambda db: db.execute("INSERT INTO usage VALUES (?, 'p', '{}')", (str(number),))


def fail(db):
    db.execute("INSERT INTO usage VALUES ('half', 'p', '{}')")
    raise ValueError("no")


def test_a_failing_job_takes_nobody_with_it(path):
    async def work():
        db = Database(path)
        jobs = [db.write(insert(i)) for i in range(50)]
        jobs[10:10] = [db.write(fail), db.write(insert(3))]  # the second repeats a key
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        rows = db.all("SELECT device_id FROM usage")
        db.close()
        return outcomes, {row["device_id"] for row in rows}

    outcomes, rows = run(work())
    failed = [o for o in outcomes if isinstance(o, Exception)]
    assert sorted(type(f).__name__ for f in failed) == ["IntegrityError", "ValueError"]
    assert rows == {str(i) for i in range(50)}


def test_acknowledged_writes_are_in_the_file(path):
    async def work():
        db = Database(path)
        for i in range(20):
            await db.write(insert(i))
            other = sqlite3.connect(path)
            assert other.execute("SELECT count(*) FROM usage").fetchone()[0] == i + 1
            other.close()
        db.close()

    run(work())


def test_a_locked_database_is_an_error_not_a_hang(path, monkeypatch):
    from particle_tools.cloud import database

    monkeypatch.setattr(database, "_BUSY_MS", 100)

    async def work():
        db = Database(path)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await db.write(insert(1))
        other.execute("ROLLBACK")
        other.close()
        await db.write(insert(2))
        count = db.one("SELECT count(*) AS n FROM usage")["n"]
        db.close()
        return count

    assert run(work()) == 1


def test_a_full_disk_is_an_error_and_keeps_what_was_there(path):
    async def work():
        db = Database(path)
        await db.write(insert(1))
        pages = db.one("PRAGMA page_count")[0]
        await db.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        big = "x" * 100_000
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await db.execute("INSERT INTO usage VALUES ('big', 'p', ?)", big)
        rows = [row["device_id"] for row in db.all("SELECT device_id FROM usage")]
        db.close()
        return rows

    assert run(work()) == ["1"]


def test_migrations_apply_once_and_in_order(path, monkeypatch):
    async def opened():
        db = Database(path)
        version = db.one("PRAGMA user_version")[0]
        tables = {row["name"] for row in db.all("SELECT name FROM sqlite_master")}
        db.close()
        return version, tables

    first, _ = run(opened())
    assert first == len(schema.MIGRATIONS)
    monkeypatch.setattr(
        "particle_tools.cloud.database.MIGRATIONS",
        [*schema.MIGRATIONS, "CREATE TABLE later (x);"],
    )
    assert run(opened())[0] == first + 1
    version, tables = run(opened())
    assert version == first + 1 and "later" in tables


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    from particle_tools.errors import UserError

    run(_open_and_close(path))
    broken = [*schema.MIGRATIONS, "CREATE TABLE later (x); CREATE TABLE users (x);"]
    monkeypatch.setattr("particle_tools.cloud.database.MIGRATIONS", broken)
    with pytest.raises(UserError, match="cannot open the database"):
        run(_open_and_close(path))
    monkeypatch.undo()
    run(_open_and_close(path))
    db = sqlite3.connect(path)
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    db.close()
    assert "later" not in tables


async def _open_and_close(path):
    Database(path).close()


def test_usage_is_kept_per_month(path):
    clock = Clock()
    clock._epoch = 1_769_903_999.0  # 2026-01-31 23:59:59

    async def work():
        db = Database(path)
        usage = Usage(db, clock)
        usage.of("a").reads += 2
        await usage.flush()
        usage.of("a").reads += 1
        assert usage.period() == "2026-01"
        clock._epoch += 10
        assert usage.period() == "2026-02" and usage.of("a").reads == 0
        usage.of("a").reads += 5
        await usage.flush()
        again = Usage(db, clock)
        assert again.of("a").reads == 5
        rows = {
            row["period"]: json.loads(row["counters"])["reads"]
            for row in db.all("SELECT * FROM usage")
        }
        db.close()
        return rows

    assert run(work()) == {"2026-01": 3, "2026-02": 5}


def test_clock_scale_and_iso():
    clock = Clock(1000.0)
    first = clock.time()

    async def wait():
        await clock.sleep(20)
        with pytest.raises(asyncio.TimeoutError):
            await clock.wait_for(asyncio.Event().wait(), 10)

    run(wait())
    assert 30 <= clock.time() - first < 1000
    assert iso(0.0015) == "1970-01-01T00:00:00.001Z" and iso(None) is None
    with pytest.raises(ValueError):
        Clock(0)
