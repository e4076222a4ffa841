"""DTLS sessions in SQLite: what lets a session go on after the cloud was killed.

The stored write number and message ID are always ahead of anything sent (DESIGN decision 3); the
read window of a message is stored before the message has any effect, so nothing old is accepted.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from particle_tools.cloud.database import Database
from particle_tools.cloud.dtls.connection import Connection
from particle_tools.cloud.dtls.keys import KEY_BLOCK
from particle_tools.cloud.dtls.records import CID_N, MAX_NUMBER
from particle_tools.cloud.events import Subscription
from particle_tools.cloud.hello import Hello

_LOG = logging.getLogger("particle.cloud")
_WINDOW_BYTES = 8
_TOGETHER = 64  # states in a statement at most, else a smaller power of two: few texts to compile
_ID = re.compile("[0-9a-f]{24}")
_LATEST = 253402300800.0  # the year 10000


class State(NamedTuple):
    """The part of a session that changes with its traffic. Times are Unix seconds."""

    address: tuple[str, int]
    read_top: int
    read_bits: int
    write_limit: int  # the first record number that a restart uses
    mid_limit: int  # the last message ID that may have been used
    heard_at: float
    keep_alive: float  # seconds of silence that are usual
    online: bool
    done: bytes = b""  # message IDs that have had their effect and an empty ACK, 2 bytes each


@dataclass(frozen=True)
class Stored:
    """A session as it is stored."""

    device_id: str
    cid: bytes
    peer_cid: bytes
    standard: bool
    key_block: bytes
    hello: bytes  # its payload
    state: State
    subscriptions: tuple[Subscription, ...] = field(default=())

    @classmethod
    def new(cls, device_id: str, connection: Connection, hello: bytes, state: State) -> Stored:
        """Describe a session that has just begun."""
        found = connection
        ids = found.cid, found.peer_cid, found.standard
        return cls(device_id, *ids, found.key_block, hello, state)


class UdpStore:
    """The table of sessions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def index(self) -> list[tuple[str, bytes, tuple[str, int]]]:
        """Return (device id, CID, last address) of every session, the one heard last at the end.

        A damaged row is no session.
        """
        rows = self._db.all("SELECT * FROM udp_sessions ORDER BY heard_at")
        found = [stored for stored in map(_readable, rows) if stored is not None]
        return [(stored.device_id, stored.cid, stored.state.address) for stored in found]

    async def online(self, now: float) -> list[str]:
        """Return the devices that are still online, the one that was heard last at the end.

        They were when the cloud ended, and are not silent for twice the usual time (3.7). When
        the others were heard last is noted.
        """

        def job(db: sqlite3.Connection) -> list[str]:
            db.execute(
                "UPDATE devices SET last_heard = s.heard_at FROM udp_sessions AS s"
                " WHERE s.device_id = devices.id AND s.online"
                " AND typeof(s.heard_at) = 'real' AND s.heard_at < ?"
                " AND s.heard_at > coalesce(devices.last_heard, 0)",
                (_LATEST,),
            )
            db.execute(
                "UPDATE udp_sessions SET online = 0"
                " WHERE online AND ? - heard_at > 2 * keep_alive",
                (now,),
            )
            rows = db.execute("SELECT device_id FROM udp_sessions WHERE online ORDER BY heard_at")
            return [row["device_id"] for row in rows.fetchall()]

        return await self._db.write(job)

    async def left(self, device_id: str) -> None:
        """Note that a device is not online any more."""
        await self._db.execute("UPDATE udp_sessions SET online = 0 WHERE device_id = ?", device_id)

    def get(self, device_id: str) -> Stored | None:
        """Return the session of a device; None if there is none or its row is damaged."""
        row = self._db.one("SELECT * FROM udp_sessions WHERE device_id = ?", device_id)
        return None if row is None else _readable(row)

    async def replace(self, stored: Stored, spki: bytes) -> bool:
        """Store the new session of a device; an older one of it is gone then.

        False, and nothing stored, if `spki` is not the device's key (any more).
        """
        values = (
            stored.device_id,
            stored.cid or None,
            stored.peer_cid,
            stored.standard,
            stored.key_block,
            stored.hello,
            pack_subscriptions(stored.subscriptions),
            *_columns(stored.state),
        )

        def job(db: sqlite3.Connection) -> bool:
            # Looked up here: whoever registers another key removes the session with it.
            if not db.execute(
                "SELECT 1 FROM device_keys WHERE device_id = ? AND algorithm = 'ec' AND spki = ?",
                (stored.device_id, spki),
            ).fetchone():
                return False
            db.execute(
                "INSERT OR REPLACE INTO udp_sessions (device_id, cid, peer_cid, standard,"
                " key_block, hello, subscriptions, address, read_top, read_bits, write_limit,"
                " mid_limit, heard_at, keep_alive, online, done)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                values,
            )
            return True

        return await self._db.write(job)

    async def greeted_again(self, device_id: str, hello: bytes) -> None:
        """Store a Hello that came in a resumed session: what was subscribed is void (2.6)."""
        await self._db.execute(
            "UPDATE udp_sessions SET hello = ?, subscriptions = '[]' WHERE device_id = ?",
            hello,
            device_id,
        )

    async def subscribe(self, device_id: str, subscriptions: list[Subscription]) -> None:
        """Store the subscriptions of a session."""
        await self._db.execute(
            "UPDATE udp_sessions SET subscriptions = ? WHERE device_id = ?",
            pack_subscriptions(subscriptions),
            device_id,
        )

    async def update(self, states: list[tuple[str, bytes, State]]) -> None:
        """Store the states of many sessions, given as (device id, key block, state)."""
        rows = [(*_columns(state), device_id, block) for device_id, block, state in states]

        def job(db: sqlite3.Connection) -> None:
            begin, count = 0, _TOGETHER
            while begin < len(rows):
                while count > len(rows) - begin:
                    count //= 2
                db.execute(_update(count), tuple(chain(*rows[begin : begin + count])))
                begin += count

        await self._db.write(job)

    async def delete(self, device_id: str, key_block: bytes) -> None:
        """Forget a session; a newer one of the same device stays."""
        await self._db.execute(
            "DELETE FROM udp_sessions WHERE device_id = ? AND key_block = ?", device_id, key_block
        )

    async def expire(self, before: float) -> list[str]:
        """Forget the sessions that were not heard since a time; return their devices."""

        def job(db: sqlite3.Connection) -> list[str]:
            rows = db.execute(
                "DELETE FROM udp_sessions WHERE heard_at < ? RETURNING device_id", (before,)
            )
            return [row["device_id"] for row in rows.fetchall()]

        return await self._db.write(job)


@cache
def _update(count: int) -> str:
    """Return the statement that stores so many states.

    It is one step, without Python's lock: a step for each state would wait for the lock each time.
    The keys are compared: a session that was replaced meanwhile is not touched.
    """
    row = "(?,?,?,?,?,?,?,?,?,?,?)"
    return (
        "UPDATE udp_sessions SET address = column1, read_top = column2, read_bits = column3,"
        " write_limit = column4, mid_limit = column5, heard_at = column6, keep_alive = column7,"
        f" online = column8, done = column9 FROM (VALUES {','.join([row] * count)})"
        " WHERE device_id = column10 AND key_block = column11"
    )


def pack_subscriptions(subscriptions: list[Subscription] | tuple[Subscription, ...]) -> str:
    """Return subscriptions as they are stored."""
    return json.dumps([(s.prefix, s.device_id) for s in subscriptions])


def _columns(state: State) -> tuple:
    host, port = state.address
    return (
        f"{host} {port}",
        state.read_top,
        state.read_bits.to_bytes(_WINDOW_BYTES, "big"),
        state.write_limit,
        state.mid_limit,
        state.heard_at,
        state.keep_alive,
        state.online,
        state.done,
    )


def _readable(row: sqlite3.Row) -> Stored | None:
    try:
        return _stored(row)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        _LOG.error("the session of %s is damaged: %s", row["device_id"], error)
        return None


def _stored(row: sqlite3.Row) -> Stored:
    """Read a row. Raises ValueError, TypeError, AttributeError: whatever is not as written."""
    if not _ID.fullmatch(row["device_id"]):
        raise ValueError("device id")
    if row["cid"] is not None:
        _blob(row, "cid", CID_N)
    _blob(row, "peer_cid")
    _blob(row, "key_block", KEY_BLOCK)
    Hello.parse(_blob(row, "hello"))
    return Stored(
        row["device_id"],
        row["cid"] or b"",
        row["peer_cid"],
        bool(row["standard"]),
        row["key_block"],
        row["hello"],
        State(
            _address(row["address"]),
            _number(row, "read_top", 2 * MAX_NUMBER),
            int.from_bytes(_blob(row, "read_bits", _WINDOW_BYTES), "big"),
            _number(row, "write_limit", 2 * MAX_NUMBER),
            _number(row, "mid_limit", 0x10000),
            _number(row, "heard_at", _LATEST),
            _number(row, "keep_alive", _LATEST),
            bool(row["online"]),
            _blob(row, "done"),
        ),
        tuple(_subscription(*pair) for pair in json.loads(row["subscriptions"])),
    )


def _blob(row: sqlite3.Row, column: str, size: int | None = None) -> bytes:
    value = row[column]
    if not isinstance(value, bytes) or size not in (None, len(value)):
        raise ValueError(column)
    return value


def _number(row: sqlite3.Row, column: str, limit: float) -> Any:
    value = row[column]
    kind = float if limit == _LATEST else int
    if not isinstance(value, kind) or not 0 <= value < limit:
        raise ValueError(column)
    return value


def _subscription(prefix: object, device_id: object) -> Subscription:
    if not isinstance(prefix, str) or not isinstance(device_id, (str, type(None))):
        raise ValueError("subscriptions")
    return Subscription(prefix, device_id)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(" ")
    if not 0 < int(port) < 0x10000:
        raise ValueError("address")
    return str(ipaddress.ip_address(host)), int(port)
