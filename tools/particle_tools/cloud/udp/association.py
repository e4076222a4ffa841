"""The DTLS part of a link: flights, keys, records in and out. Bytes go in, messages come out.

The client's timer drives every repetition of the handshake: whoever waits for the last message of
a flight sends its own again (cloud-protocol 2.2, 2.8).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from particle_tools.cloud.dtls import records as dtls_records
from particle_tools.cloud.dtls.connection import Connection, NoNumber
from particle_tools.cloud.dtls.fragments import fragments
from particle_tools.cloud.dtls.handshake import Fatal, Handshake
from particle_tools.cloud.dtls.messages import Message
from particle_tools.cloud.dtls.records import Record
from particle_tools.cloud.refusals import SERVER_KEY, TRANSPORT, Refused

DATAGRAM = 1200  # bytes of UDP payload at most; a real device takes 1205 (2.1)
_EARLY = 8  # records that may come before the keys or the Finished they need
EARLY_BYTES = 2048  # of each such record; a device's fit into a datagram of a network
_REPEATS = 24  # of our flights in one handshake
_PLAIN = len(dtls_records.plain(0, 0, b""))
_WARNING, _FATAL = 1, 2
_CLOSE_NOTIFY = 0
_SERVER_KEY_ALERTS = (42, 51)  # bad_certificate, decrypt_error

Address = tuple[str, int]


class Arrived(NamedTuple):
    """Application data of the device."""

    content: bytes
    number: int  # of its record
    moved: bool = False  # the device has heard nothing yet since it has come back
    resumed: bool = False  # the first after the device has come back


class Owner(Protocol):
    """Who is told what the records say."""

    def message(self, arrived: Arrived) -> None:
        """Application data came."""

    def moved(self, address: Address) -> None:
        """The newest record came from another address."""

    def refuse(self, refused: Refused) -> None:
        """There will be no session."""

    def end(self, reason: str, *, answer: bool = False) -> None:
        """The device has ended the DTLS session; `answer`: it expects our close_notify."""


class Association:
    """One client's DTLS state."""

    __slots__ = (
        *("_before", "_early", "_flying", "_moving", "_number", "_owner", "_repeats"),
        *("connection", "handshake", "out", "progress", "verified", "where"),
    )

    def __init__(self, owner: Owner, address: Address) -> None:
        self.where = address
        self.handshake: Handshake | None = None
        self.connection: Connection | None = None
        self.verified = False  # the client's Finished was right
        self.out: list[bytes] = []  # records to send
        self.progress = Refused(
            SERVER_KEY, "the device did not go on after the server's signed key"
        )
        self._owner = owner
        self._number = 0  # of our next record in epoch 0
        self._repeats = 0
        self._flying = False  # a flight is in `out`
        self._moving = False
        self._early: list[Record] = []
        self._before: list[Arrived] = []  # application data ahead of the Finished

    def begin(self, handshake: Handshake, number: int) -> None:
        """Send the server's flight; its records are numbered from `number` on."""
        self.handshake = handshake
        self._number = number
        self._send_opening()

    def restore(self, connection: Connection) -> None:
        """Take up an established session."""
        self.connection = connection
        self.verified = True

    # In.

    def receive(self, record: Record, address: Address) -> bool:
        """Take a protected record; False if it is not authentic or was here before."""
        if self.connection is None:
            if len(self._early) < _EARLY and len(record.body) <= EARLY_BYTES:
                self._early.append(record)
            return True
        received = self.connection.receive(record)
        if received is None:
            return False
        resumed = False
        if received.newest and self.verified:
            resumed = record.moved and not self._moving
            self._moving = record.moved
            if address != self.where:
                self.where = address
                self._owner.moved(address)
        if received.kind == dtls_records.APPLICATION_DATA:
            arrived = Arrived(received.content, received.number, record.moved, resumed)
            if self.verified:
                self._owner.message(arrived)
            elif len(self._before) < _EARLY and len(received.content) <= EARLY_BYTES:
                self._before.append(arrived)
        elif received.kind == dtls_records.HANDSHAKE:
            self.flight(received.content, protected=True)
        elif received.kind == dtls_records.ALERT:
            self._alert(received.content)
        return True

    def flight(self, content: bytes, *, protected: bool = False) -> None:
        """Take the content of a handshake record."""
        handshake = self.handshake
        if handshake is None:
            return
        try:
            handshake.feed(content, protected=protected)
        except Fatal as fatal:
            if self.verified:
                return  # nobody can end a session from outside, nor the device by accident
            alert = bytes([_FATAL, fatal.alert])
            self.out.append(dtls_records.plain(dtls_records.ALERT, self._count(), alert))
            self._owner.refuse(Refused(fatal.stage, fatal.reason))
            return
        if self.connection is None and handshake.key_block is not None:
            self._keys(handshake, handshake.key_block)
        if handshake.finished is not None and not self.verified:
            self._finish(handshake.finished)
        elif handshake.repeated and not self._flying and self._repeats < _REPEATS:
            self._repeats += 1
            if handshake.finished is not None:
                self._send_final(handshake.finished)
            else:
                self._send_opening()
        handshake.repeated = False

    def plain_alert(self, content: bytes) -> None:
        """Take an unprotected alert: it counts only before the Finished."""
        if self.verified or len(content) != 2 or content[0] != _FATAL:
            return
        if content[1] in _SERVER_KEY_ALERTS:
            self._owner.refuse(Refused(SERVER_KEY, "the device did not accept this server's key"))
        else:
            self._owner.refuse(
                Refused(TRANSPORT, f"the device ended the handshake, alert {content[1]}")
            )

    def _keys(self, handshake: Handshake, key_block: bytes) -> None:
        self.connection = Connection(
            key_block, handshake.cid, handshake.client_cid, standard=handshake.standard_cid
        )
        self.progress = Refused(TRANSPORT, "the device did not send its Finished")
        early, self._early = self._early, []
        for record in early:
            self.receive(record, self.where)

    def _finish(self, finished: Message) -> None:
        self.verified = True
        self.progress = Refused(TRANSPORT, "the device did not send a Hello")
        self._send_final(finished)
        before, self._before = self._before, []
        for arrived in before:
            self._owner.message(arrived)

    def _alert(self, content: bytes) -> None:
        if len(content) != 2 or not self.verified:
            return
        if content[1] == _CLOSE_NOTIFY:
            self._owner.end("the device closed the DTLS session", answer=True)
        elif content[0] == _FATAL:
            self._owner.end(f"the device ended the DTLS session, alert {content[1]}")

    # Out.

    def write(self, data: bytes) -> None:
        """Protect application data. Raises NoNumber."""
        assert self.connection is not None
        self.out.append(self.connection.seal(dtls_records.APPLICATION_DATA, data))

    def close_notify(self) -> None:
        """Tell the device that the DTLS session is over, if that can be told."""
        self._tell(bytes([_WARNING, _CLOSE_NOTIFY]))

    def fatal(self, alert: int) -> None:
        """Tell the device why the DTLS session is over, if that can be told."""
        self._tell(bytes([_FATAL, alert]))

    def _tell(self, alert: bytes) -> None:
        if self.connection is None or not self.verified:
            return
        try:
            self.out.append(self.connection.seal(dtls_records.ALERT, alert))
        except NoNumber:
            pass

    def datagrams(self) -> list[bytes]:
        """Return what is to be sent, in as few datagrams as possible."""
        self._flying = False
        records, self.out = self.out, []
        return dtls_records.pack(records, DATAGRAM)

    def _count(self) -> int:
        self._number += 1
        return self._number - 1

    def _send_opening(self) -> None:
        assert self.handshake is not None
        self._flying = True
        for message in self.handshake.opening:
            for fragment in fragments(message, DATAGRAM - _PLAIN):
                record = dtls_records.plain(dtls_records.HANDSHAKE, self._count(), fragment)
                self.out.append(record)

    def _send_final(self, finished: Message) -> None:
        assert self.connection is not None
        try:
            record = self.connection.seal(dtls_records.HANDSHAKE, finished.encode())
        except NoNumber:
            return  # the client asks again
        change = dtls_records.plain(dtls_records.CHANGE_CIPHER_SPEC, self._count(), b"\x01")
        self.out += [change, record]
        self._flying = True
