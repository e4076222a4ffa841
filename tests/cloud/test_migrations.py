"""The database of every earlier version is taken over, also when that is cut off anywhere."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from particle_tools.cloud import database
from particle_tools.cloud.database import Database
from particle_tools.cloud.schema import MIGRATIONS
from particle_tools.errors import UserError

_ID = "0123456789abcdef01234567"
# A row of each table, in the columns of the migration that made it.
_ROWS = {
    "users": (1, "ann@example.com", b"salt", b"hash", '{"first_name":"Ann"}', 1.5),
    "tokens": (b"t" * 32, "access", 1, "cli", "abcd1234", 2.5, None),
    "devices": (_ID, 1, "lamp", "by the door", 3, 1, 6, 0, "192.0.2.1", 3.5, 4.5, 0.5),
    "device_keys": (_ID, "ec", b"spki", 5.5),
    "describes": (_ID, '["f"]', '{"v":2}', b"sys", 0, 6.5),
    "claim_codes": ("c" * 63, 1, 7.5),
    "usage": (_ID, "2026-01", "{}"),
    "udp_sessions": (
        *(_ID, b"cid", b"peer", 0, b"keys", b"hello", "[]", "192.0.2.1 5684"),
        *(7, b"w" * 8, 256, 64, 8.5, 25.0),
    ),
    "persisted_events": (1, _ID, 5, "e", b"data", 0, 9.5),
    "transfers": (1, _ID, 1, 10.5),
    "updates": (1, _ID, "waiting", 11.5, None, None),
    "update_files": (1, 0, "a.bin", "module", 3, b"h" * 32, b"abc"),
    "diagnostics": (1, _ID, 12.5, "{}"),
    "products": (1000, 1, "lamps", "Lamps", "", 3, 13.5),
    "product_devices": (_ID, 1000, "[]", None, 0, 0, 0),
    "ledgers": (1, 1, "l", "Owner", None, "", 14.5, 14.5, None),
    "ledger_versions": (1, 1, "me", "{}", 2, 15.5, None),
}


def make(path, version, *, full=True):
    """Write a database as it was after so many migrations."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for number, script in enumerate(MIGRATIONS[:version], 1):
            db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
            for table, row in _ROWS.items():
                if (
                    table in tables
                    and not db.execute(f"SELECT 1 FROM {table}").fetchone()
                    and full
                ):
                    db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
            db.commit()


def shape(path):
    """Return version and schema."""
    with closing(sqlite3.connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return version, sorted(rows)


def rows(path):
    """Return the row of each table that is in _ROWS, in the columns it was written with."""
    found = {}
    with closing(sqlite3.connect(path)) as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        for table, row in _ROWS.items():
            if table in tables:
                for content in db.execute(f"SELECT * FROM {table}"):
                    found[table] = content[: len(row)]
    return found


def upgrade(path):
    async def work():
        Database(path).close()

    asyncio.run(work())


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_every_earlier_version_is_taken_over_with_its_data(tmp_path, version):
    make(tmp_path / "new.db", len(MIGRATIONS), full=False)
    path = tmp_path / "cloud.db"
    make(path, version)
    before = rows(path)
    assert before and all(before[table] == _ROWS[table] for table in before)
    upgrade(path)
    assert rows(path) | before == rows(path)
    assert shape(path) == shape(tmp_path / "new.db")


def test_a_newer_version_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "cloud.db"
    make(path, len(MIGRATIONS))
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = rows(path)
    with pytest.raises(UserError, match="newer version of particle-mp: install that version, or"):
        upgrade(path)
    assert rows(path) == before and shape(path)[0] == len(MIGRATIONS) + 1


def test_an_upgrade_that_is_interrupted_anywhere_goes_on_later(tmp_path, monkeypatch):
    shapes = {}
    for version in range(len(MIGRATIONS) + 1):
        make(tmp_path / f"{version}.db", version, full=False)
        shapes[version] = shape(tmp_path / f"{version}.db")
    connect, steps = database._connect, 0

    def interrupted(path, **more):
        db = connect(path, **more)
        left = steps

        def tick():
            nonlocal left
            left -= 1
            return left < 0

        db.set_progress_handler(tick, 40)
        return db

    seen = set()
    while True:
        path = tmp_path / f"cut{steps}.db"
        make(path, 1)
        monkeypatch.setattr(database, "_connect", interrupted)
        try:
            upgrade(path)
            whole = True
        except UserError as error:
            assert "interrupted" in str(error)
            whole = False
        monkeypatch.undo()
        version, tables = shape(path)
        assert (version, tables) == shapes[version]  # one that there was, nothing between
        assert rows(path)["devices"] == _ROWS["devices"]
        seen.add(version)
        upgrade(path)
        assert shape(path) == shapes[len(MIGRATIONS)]
        if whole:
            break
        steps += max(1, steps // 3)
    assert seen >= {1, len(MIGRATIONS)} and steps > 5


def test_an_upgrade_that_is_killed_goes_on_later(tmp_path):
    path = tmp_path / "cloud.db"
    make(path, 1)
    program = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "from particle_tools.cloud.schema import MIGRATIONS\n"
        "script = MIGRATIONS[1].rstrip()\n"
        "db.execute('PRAGMA cache_size = 1')\n"
        "db.executescript('BEGIN IMMEDIATE; ' + script + ' PRAGMA user_version = 2;')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert os.path.exists(f"{path}-wal") and shape(path)[0] == 1
    upgrade(path)
    assert shape(path)[0] == len(MIGRATIONS) and rows(path)["users"] == _ROWS["users"]
