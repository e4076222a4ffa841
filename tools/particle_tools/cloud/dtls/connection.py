"""An established DTLS session: keys, connection IDs, and numbers that are never used twice.

Numbers of our records are reserved in steps: they are used only below `limit`, and `limit` is
raised only after the new value is on storage (DESIGN decision 3). A session that was never stored
dies with the process, so its first numbers need no reservation.
"""

from __future__ import annotations

from typing import NamedTuple

from particle_tools.cloud.dtls.keys import split_key_block
from particle_tools.cloud.dtls.records import MAX_NUMBER, Direction, Record, Window

STEP = 256  # record numbers and message IDs reserved at a time


class NoNumber(Exception):
    """The reserved numbers are used up."""


class Received(NamedTuple):
    """The content of an authentic record that was not here before."""

    kind: int
    content: bytes
    number: int
    newest: bool  # its number is the highest so far


class Connection:
    """Both directions of one session."""

    __slots__ = (
        *("_reader", "_writer", "cid", "key_block", "limit", "number"),
        *("peer_cid", "standard", "window"),
    )

    def __init__(
        self,
        key_block: bytes,
        cid: bytes,
        peer_cid: bytes,
        *,
        standard: bool = False,
        window: Window | None = None,
        number: int = 0,
    ) -> None:
        client, server = split_key_block(key_block)
        self.key_block = key_block
        self.cid = cid  # in records from the device
        self.peer_cid = peer_cid  # in records to it
        self.standard = standard
        self.window = window or Window()
        self.number = number  # of the next record to the device
        self.limit = number + STEP
        self._reader = Direction(*client, cid, standard=standard)
        self._writer = Direction(*server, peer_cid, standard=standard)

    @property
    def exhausted(self) -> bool:
        """Whether every number a session can have is used (2 ** 48)."""
        return self.number >= MAX_NUMBER

    def receive(self, record: Record) -> Received | None:
        """Open a record; None if it is not authentic or was here before."""
        if record.epoch != 1 or not self.window.fresh(record.number):
            return None
        opened = self._reader.open(record)
        if opened is None:
            return None
        return Received(*opened, record.number, self.window.use(record.number))

    def seal(self, kind: int, content: bytes) -> bytes:
        """Return the next record. Raises NoNumber."""
        if self.exhausted or self.number >= self.limit:
            raise NoNumber
        self.number += 1
        return self._writer.seal(kind, self.number - 1, content)
