"""Backup of a cloud's data folder as one file, also while the cloud runs, and the way back.

A backup is a tar of backup.json (what it is), the database as of one moment, and the other files
of the folder: first of all the server's keys, so whoever has it can pretend to be this cloud.

What must not come back is dropped. A DTLS session that went on after the backup has used record
numbers that the backup does not know: resumed, it would use them again (DESIGN decision 3). A
token may have been revoked since, a claim code may have been used. Devices do a full handshake,
people log in again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

from particle_tools import __version__
from particle_tools.cloud.clock import iso
from particle_tools.cloud.keys import ServerKeys
from particle_tools.cloud.schema import MIGRATIONS
from particle_tools.errors import UserError

_ABOUT = "backup.json"
_DATABASE = "cloud.db"
_PART = "part"
_VERSION = 1
_BUSY_S = 30.0
# Of the running process, of SQLite, or made again when needed.
_LEFT_OUT = ("lock", "cloud.db", "cloud.db-wal", "cloud.db-shm", "mip")
_KEYS = ("server.rsa.pem", "server.ec.pem")
_FORGOTTEN = ("udp_sessions", "tokens", "claim_codes")


def back_up(folder: Path, file: Path) -> dict[str, Any]:
    """Write a backup of a data folder to a new file (mode 0600); return what backup.json says.

    Raises UserError; there is no file then.
    """
    if not (folder / _DATABASE).is_file() or not all((folder / name).is_file() for name in _KEYS):
        raise UserError(f"{folder} is not the data folder of a cloud")
    if file.exists():
        raise UserError(f"{file} exists: a backup is written to a new file")
    try:
        # Beside the file: there must be the room for it, and it is renamed when it is whole.
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as scratch:
            about = _write(folder, Path(scratch))
            (Path(scratch) / _PART).rename(file)
        _sync(file.parent)
        return about
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"cannot back up {folder} to {file}: {error}") from error


def _write(folder: Path, scratch: Path) -> dict[str, Any]:
    copy = scratch / _DATABASE
    os.close(os.open(copy, os.O_CREAT | os.O_WRONLY, 0o600))
    # In one step: what is committed meanwhile is not in it.
    with (
        closing(sqlite3.connect(folder / _DATABASE, timeout=_BUSY_S)) as source,
        closing(sqlite3.connect(copy, isolation_level=None)) as target,
    ):
        source.backup(target)
        _forget(target)
        target.execute("PRAGMA journal_mode = DELETE")
        schema = target.execute("PRAGMA user_version").fetchone()[0]
    members = {_DATABASE: copy} | {
        str(PurePosixPath(path.relative_to(folder))): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.relative_to(folder).parts[0] not in _LEFT_OUT
        and path.suffix != ".new"
    }
    about = {
        "v": _VERSION,
        "program": __version__,
        "schema": schema,
        "made_at": iso(time.time()),
        "files": {},
    }
    with open(os.open(scratch / _PART, os.O_CREAT | os.O_RDWR, 0o600), "w+b") as out:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, path in members.items():
                about["files"][name] = _sum(path)
                _add(tar, name, path)
            text = scratch / _ABOUT
            text.write_text(json.dumps(about, indent=1) + "\n")
            _add(tar, _ABOUT, text)
        out.flush()
        os.fsync(out.fileno())
    return about


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = path.stat().st_size, 0o600, int(time.time())
    with path.open("rb") as data:
        tar.addfile(member, data)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(db: sqlite3.Connection) -> None:
    known = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.execute("PRAGMA secure_delete = ON")
    db.execute("BEGIN")
    for table in _FORGOTTEN:
        if table in known:
            db.execute(f"DELETE FROM {table}")
    if "persisted_events" in known:
        # Ids go up by the time: a reader who has seen ids that the backup does not know is not
        # behind them for ever, he gets the kept events again.
        db.execute("UPDATE persisted_events SET id = -id - ?", (int(time.time() * 1000),))
        db.execute("UPDATE persisted_events SET id = -id")
    db.execute("COMMIT")
    db.execute("VACUUM")  # nothing of what was forgotten is left in the file


def restore(file: Path, folder: Path) -> dict[str, Any]:
    """Make a data folder from a backup; return what backup.json says.

    Raises UserError if the folder is not new or empty, or the backup is damaged, or was written
    by a newer version; the folder is as before then.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder} is not a folder")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: a backup is restored into a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".restore-"))  # mode 0700
        try:
            about = _unpack(file, scratch)
            _check(scratch / _DATABASE, file)
            ServerKeys.load(scratch)
            _sync(scratch)
            scratch.rename(folder)  # replaces an empty folder, and only that
            _sync(folder.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (OSError, tarfile.TarError, sqlite3.DatabaseError) as error:
        raise UserError(f"cannot restore {file} to {folder}: {error}") from error
    return about


def _unpack(file: Path, scratch: Path) -> dict[str, Any]:
    sums = {}
    with tarfile.open(file, "r:") as tar:
        about = _about(tar, file)
        for member in tar:
            name = PurePosixPath(member.name)
            if member.name == _ABOUT:
                continue
            if not member.isfile() or name.is_absolute() or ".." in name.parts:
                raise UserError(f"{file} is not a backup of a cloud: it holds {member.name}")
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            source = tar.extractfile(member)
            assert source is not None
            new = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with source, open(new, "wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            sums[member.name] = _sum(path)
    if sums != about["files"] or not {_DATABASE, *_KEYS} <= set(sums):
        raise UserError(f"{file} is damaged: its files are not those that were backed up")
    return about


def _about(tar: tarfile.TarFile, file: Path) -> dict[str, Any]:
    try:
        found = tar.extractfile(_ABOUT)
        about = json.loads(found.read()) if found else None
        version, schema, files = about["v"], about["schema"], about["files"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} is not a backup of a cloud") from error
    if version != _VERSION or not isinstance(schema, int) or schema > len(MIGRATIONS):
        raise UserError(
            f"{file} was written by particle-mp {about.get('program')}, which is newer than this"
            f" {__version__}: restore it with that version"
        )
    if not isinstance(files, dict):
        raise UserError(f"{file} is not a backup of a cloud")
    return about


def _check(path: Path, file: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        problems = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"] or db.execute("PRAGMA foreign_key_check").fetchone():
            raise UserError(f"{file} is damaged: the database in it is not sound")
        if db.execute("PRAGMA user_version").fetchone()[0] > len(MIGRATIONS):
            raise UserError(f"{file} was written by a newer version of particle-mp")
        _forget(db)  # once more: time has passed, and the file may be of another make
