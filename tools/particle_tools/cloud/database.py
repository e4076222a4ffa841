"""SQLite in WAL mode: reads in the caller's thread, writes grouped by one writer thread.

A write is acknowledged to its caller only after the transaction that holds it is committed and
synced, so a killed process loses nothing acknowledged; many writes share one transaction.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from particle_tools.cloud.schema import MIGRATIONS
from particle_tools.errors import UserError

_GROUP = 500  # writes in one transaction at most
_BUSY_MS = 5000
_LOG_PAGES = 4000  # 16 MB; a page that many devices share is copied to its place once in these

Job = Callable[[sqlite3.Connection], Any]


def _connect(path: Path, *, same_thread: bool = True) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=same_thread
    )
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db


class Database:
    """One database file. Raises UserError if it cannot be opened or is newer than this program."""

    def __init__(self, path: Path) -> None:
        try:
            # Made here, so that SQLite gives its own files beside it the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._writer = _connect(path, same_thread=False)
            self._prepare(path)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
        except (OSError, sqlite3.DatabaseError) as error:
            raise UserError(f"cannot open the database {path}: {error}") from error
        self.committed: Callable[[float], None] | None = None  # in the thread: seconds of each
        self._jobs: queue.SimpleQueue[tuple[Job, asyncio.Future] | None] = queue.SimpleQueue()
        self._finishing = False
        self._thread = threading.Thread(target=self._run, name="cloud-db", daemon=True)
        self._thread.start()

    def _prepare(self, path: Path) -> None:
        try:
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            # What a savepoint may have to take back needs no file for each of them.
            self._writer.execute("PRAGMA temp_store = MEMORY")
            self._migrate(path)
        except BaseException:
            self._writer.close()
            raise

    def _migrate(self, path: Path) -> None:
        done = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if done > len(MIGRATIONS):
            raise UserError(
                f"the database {path} was written by a newer version of particle-mp: install that"
                " version, or restore a backup that this one made"
            )
        for number, script in enumerate(MIGRATIONS[done:], done + 1):
            # executescript commits by itself, so the transaction is part of the script.
            self._writer.executescript(
                f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;"
            )

    @property
    def waiting(self) -> int:
        """How many writes nobody has begun yet."""
        return self._jobs.qsize()

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return every row of a query."""
        return self._reader.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        return self._reader.execute(sql, values).fetchone()

    async def write(self, job: Job) -> Any:
        """Run `job(connection)` in the writer thread; return its value once it is committed.

        Raises what the job raised; its changes are rolled back then, those of others are not.
        """
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    async def execute(self, sql: str, *values: object) -> int:
        """Run one statement, committed on return; return the number of rows changed."""
        return await self.write(lambda db: db.execute(sql, values).rowcount)

    def finish(self, timeout: float | None = None) -> bool:
        """Finish the writes already given, in any thread; False if that takes longer."""
        if not self._finishing:
            self._finishing = True
            self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Finish the writes already given, unless `finish` has given them up; close the file."""
        given_up = self._finishing and self._thread.is_alive()
        self._reader.close()
        if not given_up:
            self.finish()
            self._writer.close()

    def _run(self) -> None:
        while True:
            group = [self._jobs.get()]
            while len(group) < _GROUP and group[-1] is not None and not self._jobs.empty():
                group.append(self._jobs.get())
            last = group[-1] is None
            work = [item for item in group if item is not None]
            if work:
                self._commit(work)
            if last:
                return

    def _commit(self, work: list[tuple[Job, asyncio.Future]]) -> None:
        outcomes: list[tuple[asyncio.Future, Any, Exception | None]] = []
        began = time.perf_counter()
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for job, future in work:
                outcomes.append((future, *self._savepoint(job)))
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            outcomes = [(future, None, error) for _, future in work]
        if self.committed is not None:
            self.committed(time.perf_counter() - began)
        try:
            loop = work[0][1].get_loop()
            loop.call_soon_threadsafe(_settle, outcomes)
        except RuntimeError:
            pass  # the loop is gone: nobody waits for these any more

    def _savepoint(self, job: Job) -> tuple[Any, Exception | None]:
        self._writer.execute("SAVEPOINT job")
        try:
            value = job(self._writer)
        except Exception as error:  # noqa: BLE001 - handed to whoever gave the job
            if not self._writer.in_transaction:
                raise sqlite3.OperationalError(f"the transaction was lost: {error}") from error
            self._writer.execute("ROLLBACK TO job")
            self._writer.execute("RELEASE job")
            return None, error
        self._writer.execute("RELEASE job")
        return value, None


def _settle(outcomes: list[tuple[asyncio.Future, Any, Exception | None]]) -> None:
    for future, value, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
