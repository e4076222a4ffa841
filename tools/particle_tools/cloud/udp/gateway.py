"""The UDP port for devices: which link a record belongs to, and the cookie before there is one.

Records are found by connection ID, by address (devices before 3.1) or by device id (type 254); a
session that is only on storage is loaded by the first record that names it (cloud-protocol 2.5).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sqlite3
from collections.abc import Coroutine

from particle_tools.cloud.dtls import messages
from particle_tools.cloud.dtls import records as dtls_records
from particle_tools.cloud.dtls.cookie import COOKIE, Cookies
from particle_tools.cloud.dtls.fragments import parse_fragments
from particle_tools.cloud.dtls.handshake import Fatal, Handshake
from particle_tools.cloud.dtls.identity import identity_of
from particle_tools.cloud.dtls.messages import ClientHello, Malformed, Message
from particle_tools.cloud.dtls.records import Record
from particle_tools.cloud.refusals import Refused
from particle_tools.cloud.services import Services
from particle_tools.cloud.udp.association import Address
from particle_tools.cloud.udp.checkpoints import Checkpoints
from particle_tools.cloud.udp.handshakes import Handshakes
from particle_tools.cloud.udp.link import Link
from particle_tools.cloud.udp.store import UdpStore

_LOG = logging.getLogger("particle.cloud")
_DATAGRAMS = 64  # read before others have their turn
_LARGEST = 65536
_BAD = 4  # records of a datagram that are worth a try
_BUFFER = 4 << 20  # of the kernel, for a fleet that comes back at once
_HEADER = 13  # of a record of epoch 0
_LAST_HELLO = 32  # message_seq: one hello without cookie, one with it, few more
_LAST_NUMBER = dtls_records.MAX_NUMBER - 0xFFFF  # of a hello; the answers count on from there
_HELLO_VERIFY = _HEADER + messages.HEADER + 3 + COOKIE
_SWEEP_S = 1.0
_EXPIRE_S = 3600.0
_DAY_S = 86400.0


class UdpGateway:
    """Owns the socket and the tables."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = UdpStore(services.db)
        self.checkpoints = Checkpoints(self.store)
        self.stopping = False
        self._identity = identity_of(services.keys, standard=services.settings.standard_dtls)
        self._cookies = Cookies(services.clock.monotonic)
        self._socket: socket.socket | None = None
        self._handshaking = Handshakes()  # until some time after the Hello
        self._by_cid: dict[bytes, Link] = {}
        self._by_address: dict[Address, Link] = {}  # established without connection ID
        self._by_device: dict[str, Link] = {}
        self._stored_cids: dict[bytes, str] = {}
        self._stored_addresses: dict[Address, str] = {}
        self._stored_devices: dict[str, tuple[bytes, Address]] = {}
        self._clocks: list[asyncio.Task] = []
        self._tasks: set[asyncio.Task] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._socket.bind(address)
        await self._recall()
        loop.add_reader(self._socket, self._readable)
        self._clocks = [loop.create_task(self._sweep()), loop.create_task(self._expire())]
        return self._socket.getsockname()[1]

    async def stop(self) -> None:
        """Stop listening; sessions stay on storage."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
        for task in self._clocks:
            task.cancel()
        self.stopping = True
        for link in self._by_device.values():
            if link.channel.session is not None:
                self.checkpoints.ask(link)  # what was done since the last one
        await self.checkpoints.stop()
        for link in list(self._by_device.values()):
            link.offline("the cloud stopped")
            link.ended = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def spawn(self, work: Coroutine) -> None:
        """Run something beside the socket."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("the state of a session cannot be stored: %s", task.exception())

    async def forget(self, device_id: str, reason: str, *, tell: bool) -> bool:
        """End the DTLS session of a device, with or without telling it; False if it has none.

        Raises sqlite3.Error if it cannot be forgotten; it goes on then.
        """
        link = self._by_device.get(device_id)
        if link is None and device_id in self._stored_devices:
            link = self._load(device_id)
        if link is None or link.dtls.connection is None:
            return False
        await self.store.delete(device_id, link.dtls.connection.key_block)
        link.end(reason, answer=tell)
        return True

    def revoked(self, device_id: str, reason: str) -> None:
        """End the session of a device whose key was replaced, on storage with its session."""
        self._forget_stored(device_id)
        link = self._by_device.get(device_id)
        if link is not None:
            link.end(reason, answer=True)

    # Datagrams.

    def transmit(self, datagram: bytes, address: Address) -> None:
        """Send a datagram; one that does not go out now is lost, as any may be."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(datagram, address)
        except OSError:
            pass

    def _readable(self) -> None:
        assert self._socket is not None
        touched: dict[Link, None] = {}
        for _ in range(_DATAGRAMS):
            try:
                data, address = self._socket.recvfrom(_LARGEST)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # an ICMP error of an earlier datagram
            try:
                self._datagram(data, address[:2], touched)
            except Exception:
                _LOG.exception("a datagram from %s failed", address)
        for link in touched:
            if not link.ended:
                link.ready()

    def _datagram(self, data: bytes, address: Address, touched: dict[Link, None]) -> None:
        first: Link | None = None
        bad = 0
        if data[:1] == bytes([dtls_records.MOVED_BY_ID]):
            first = self._by_id(data, address)
        else:
            for record in dtls_records.split(data):
                if record.epoch == 0:
                    link = self._plain(record, address)
                else:
                    links = self._links(record, address)
                    link = next((a for a in links if a.dtls.receive(record, address)), None)
                    bad += bool(links) and link is None
                    if bad > _BAD:
                        break
                if link is not None:
                    touched[link] = None
                    first = first or link
        if first is not None:
            touched[first] = None
            first.meter.up(len(data))

    def _by_id(self, data: bytes, address: Address) -> Link | None:
        taken = dtls_records.take_device_id(data)
        if taken is None:
            return None
        device_id, record = taken
        link = self._by_device.get(device_id)
        if link is None and device_id in self._stored_devices:
            link = self._load(device_id)
        records = dtls_records.split(record)
        if link is None or len(records) != 1:
            return None
        if not link.dtls.receive(records[0]._replace(moved=True), address):
            return None
        if link.bound is None:
            self.moved(link, link.dtls.where)  # its address was another device's
        return link

    def _links(self, record: Record, address: Address) -> list[Link]:
        if record.kind == dtls_records.WITH_CID:
            link = self._by_cid.get(record.cid)
            if link is None and record.cid in self._stored_cids:
                link = self._load(self._stored_cids[record.cid])
            return [link] if link is not None else []
        link = self._by_address.get(address)
        if link is None and address in self._stored_addresses:
            link = self._load(self._stored_addresses[address])
        # A handshake that is not done may take over the address of an older session.
        newer = self._handshaking.get(address)
        if newer is link:
            newer = None
        return [found for found in (link, newer) if found is not None]

    # Handshakes.

    def _plain(self, record: Record, address: Address) -> Link | None:
        link = self._handshaking.get(address)
        if record.kind == dtls_records.HANDSHAKE:
            hello = _hello(record.body)
            if hello is not None:
                known = link.dtls.handshake if link is not None else None
                if known is None or not known.answers(hello[0]):
                    return self._greet(record, *hello, address)
            if link is not None:
                link.dtls.flight(record.body)
                return link
        elif record.kind == dtls_records.ALERT and link is not None:
            link.dtls.plain_alert(record.body)
        return None

    def _greet(
        self, record: Record, message: Message, offer: ClientHello, address: Address
    ) -> Link | None:
        if message.number > _LAST_HELLO or record.number > _LAST_NUMBER:
            return None
        if not offer.cookie or not self._cookies.good(address, offer):
            # Stateless: numbers are the client's own (RFC 6347 4.2.1).
            body = messages.hello_verify(self._cookies.make(address, offer))
            answer = Message(messages.HELLO_VERIFY, message.number, body).encode()
            self.transmit(
                dtls_records.plain(dtls_records.HANDSHAKE, record.number, answer), address
            )
            return None
        limits = self.services.settings.limits
        older = self._handshaking.get(address)
        if older is not None and not older.kept:
            if self.services.clock.monotonic() - older.since < limits.another_hello_s:
                return None  # a signature for each would be dear; the client repeats its hello
            older.refuse(older.dtls.progress)
        if older is not None:
            self.handshake_over(older)
        room = limits.handshakes, limits.host_handshakes
        while (oldest := self._handshaking.in_the_way(address, *room)) is not None:
            if oldest.kept:
                self.handshake_over(oldest)
            else:
                oldest.refuse(Refused(oldest.dtls.progress.stage, "too many handshakes at once"))
        link = Link(self, address)
        # The hello without the cookie and the answer to it were not counted.
        link.meter.up(len(record.body) + _HEADER - COOKIE)
        link.meter.down(_HELLO_VERIFY)
        try:
            handshake = Handshake(self._identity, message, offer, self._new_cid())
        except Fatal as fatal:
            alert = dtls_records.plain(dtls_records.ALERT, record.number, bytes([2, fatal.alert]))
            self.transmit(alert, address)
            self.services.refusals.record("udp", link.address, Refused(fatal.stage, fatal.reason))
            return None
        self._handshaking[address] = link
        if handshake.cid:
            link.cid = handshake.cid
            self._by_cid[link.cid] = link
        link.dtls.begin(handshake, record.number)
        return link

    def _new_cid(self) -> bytes:
        while True:
            cid = secrets.token_bytes(dtls_records.CID_N)
            if cid not in self._by_cid and cid not in self._stored_cids:
                return cid

    # Tables.

    def established(self, link: Link) -> None:
        """A link's session is on storage: it takes the place of an older one."""
        older = self._by_device.pop(link.device_id, None)
        self._forget_stored(link.device_id)
        if older is not None:
            older.offline("replaced by a newer session of the same device")
            older.ended = True
            self._forget(older)
        self._by_device[link.device_id] = link
        if not link.cid:
            self._take_address(link, link.dtls.where)

    def moved(self, link: Link, address: Address) -> None:
        """A link's device has another address."""
        if link.kept and not link.cid:
            self._leave_address(link)
            self._take_address(link, address)

    def handshake_over(self, link: Link) -> None:
        """Nobody will ask for the flights of a link any more."""
        if self._handshaking.get(link.origin) is link:
            del self._handshaking[link.origin]

    def drop(self, link: Link) -> None:
        """A link has ended: forget it everywhere."""
        self._forget(link)
        if self._by_device.get(link.device_id) is link:
            del self._by_device[link.device_id]
        connection = link.dtls.connection
        if link.kept and connection is not None:
            self.spawn(self.store.delete(link.device_id, connection.key_block))

    def _take_address(self, link: Link, address: Address) -> None:
        link.bound = address
        self._by_address[address] = link
        self._stored_addresses.pop(address, None)

    def _leave_address(self, link: Link) -> None:
        if link.bound is not None and self._by_address.get(link.bound) is link:
            del self._by_address[link.bound]

    def _forget(self, link: Link) -> None:
        self.handshake_over(link)
        self._leave_address(link)
        if self._by_cid.get(link.cid) is link:
            del self._by_cid[link.cid]

    def _remember(self, device_id: str, cid: bytes, address: Address) -> None:
        self._stored_devices[device_id] = cid, address
        if cid:
            self._stored_cids[cid] = device_id
        else:
            self._stored_addresses[address] = device_id  # the last one that was heard there

    def _forget_stored(self, device_id: str) -> None:
        found = self._stored_devices.pop(device_id, None)
        if found is None:
            return
        cid, address = found
        if self._stored_cids.get(cid) == device_id:
            del self._stored_cids[cid]
        if self._stored_addresses.get(address) == device_id:
            del self._stored_addresses[address]

    def _load(self, device_id: str) -> Link | None:
        stored = self.store.get(device_id)
        where = stored.state.address if stored is not None else None
        owner = self._stored_addresses.get(where) == device_id
        self._forget_stored(device_id)
        if stored is None:
            return None
        link = Link(self, stored.state.address)
        link.restore(stored)
        self._by_device[device_id] = link
        if stored.cid:
            link.cid = stored.cid
            self._by_cid[link.cid] = link
        elif owner and stored.state.address not in self._by_address:
            self._take_address(link, stored.state.address)
        return link

    async def _recall(self) -> None:
        # Take up what is on storage; who was online when the cloud ended is so again.
        for device_id, cid, where in self.store.index():
            self._remember(device_id, cid, where)
        for device_id in await self.store.online(self.services.clock.time()):
            if device_id in self._stored_devices:
                self._wake(device_id)

    def _wake(self, device_id: str) -> None:
        try:
            link = self._load(device_id)
            if link is not None:
                link.wake()
        except (ValueError, TypeError) as error:  # a damaged row is no session
            _LOG.error("the session of %s cannot be used: %s", device_id, error)

    # Time.

    async def _sweep(self) -> None:
        clock = self.services.clock
        while True:
            await clock.sleep(_SWEEP_S)
            self._look(clock.monotonic())

    def _look(self, now: float) -> None:
        for link in [*self._handshaking.values(), *self._by_device.values()]:
            if link.look <= now and not link.ended:
                self._sweep_link(link, now)

    def _sweep_link(self, link: Link, now: float) -> None:
        try:
            link.sweep(now)
        except Exception:  # the others are still to be looked at
            _LOG.exception("the time-outs of %s failed", link.address)
            link.ended = True
            self.drop(link)

    async def _expire(self) -> None:
        clock, days = self.services.clock, self.services.settings.limits.session_days
        while True:
            try:
                for device_id in await self.store.expire(clock.time() - days * _DAY_S):
                    self._forget_stored(device_id)
                    if device_id in self._by_device:
                        self._by_device[device_id].end("nobody used the session for too long")
            except sqlite3.Error as error:
                _LOG.error("old sessions cannot be removed: %s", error)
            except Exception:
                _LOG.exception("old sessions cannot be removed")
            await clock.sleep(_EXPIRE_S)


def _hello(content: bytes) -> tuple[Message, ClientHello] | None:
    """Read a record that is one whole ClientHello; others are no concern before the cookie."""
    try:
        found = parse_fragments(content)
        if len(found) != 1 or found[0].kind != messages.CLIENT_HELLO or not found[0].whole:
            return None
        message = Message(found[0].kind, found[0].number, found[0].data)
        return message, ClientHello.parse(message.body)
    except Malformed:
        return None
