"""One device on UDP: its DTLS association, its messages in order, its silence.

A link outlives the session it carries: when the device falls silent the session ends and the keys
stay; the next authentic record starts a new session (cloud-protocol 2.5). A record is stored as
seen before its message has an effect, so nothing is accepted twice, not even after a kill.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from typing import TYPE_CHECKING

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message, NotCoap
from particle_tools.cloud.dtls.connection import STEP, Connection
from particle_tools.cloud.dtls.handshake import ACCESS_DENIED
from particle_tools.cloud.dtls.records import Window
from particle_tools.cloud.hello import Hello
from particle_tools.cloud.refusals import Refused
from particle_tools.cloud.udp.association import EARLY_BYTES, Address, Arrived, Association
from particle_tools.cloud.udp.channel import UdpChannel
from particle_tools.cloud.udp.greeting import identify, read_hello
from particle_tools.cloud.udp.outbox import Outbox
from particle_tools.cloud.udp.silence import Silence
from particle_tools.cloud.udp.store import State, Stored
from particle_tools.cloud.usage import Meter

if TYPE_CHECKING:
    from particle_tools.cloud.udp.gateway import UdpGateway

_LOG = logging.getLogger("particle.cloud")
_OVERTAKING = 8
_WAITING = 256  # messages of one device; what comes beyond is lost, as on a full wire


class Link:
    """The owner of a device's DTLS association and of the channel of its sessions."""

    def __init__(self, gateway: UdpGateway, address: Address) -> None:
        self.services = gateway.services
        self.dtls = Association(self, address)
        self.outbox = Outbox(self.dtls, self._reserve, self._transmit)
        self.origin = address  # where the handshake came from
        self.bound: Address | None = None  # where an association without connection ID is
        self.cid = b""
        self.device_id = ""
        self.kept = False  # on storage
        self.ended = False
        self.look = 0.0  # no time-out is due before
        self.since = self.services.clock.monotonic()
        self.silence = Silence(self.since)
        self.channel = UdpChannel(self, gateway.store)
        self.meter = Meter(self.services.usage)
        self._gateway = gateway
        self._arrived: deque[Arrived] = deque()  # not stored yet
        self._inbox: deque[Arrived] = deque()
        self._overtook: list[Arrived] = []  # what came before the Hello
        self._worker: asyncio.Task | None = None

    @property
    def address(self) -> str:
        """The device's address as text."""
        return f"{self.dtls.where[0]}:{self.dtls.where[1]}"

    def restore(self, stored: Stored) -> None:
        """Take up a session from storage; nothing can be sent before numbers are reserved."""
        state = stored.state
        connection = Connection(
            stored.key_block,
            stored.cid,
            stored.peer_cid,
            standard=stored.standard,
            window=Window(state.read_top, state.read_bits),
            number=state.write_limit,
        )
        connection.limit = state.write_limit
        self.dtls.restore(connection)
        self.dtls.where = state.address
        self.device_id = stored.device_id
        heard, usual = state.heard_at, Hello.parse(stored.hello).keep_alive_s()
        self.silence.restore(self.services.clock.from_unix(heard), usual, state.keep_alive)
        self.channel.restore(stored)
        self.outbox.mid_limit = state.mid_limit
        self.meter.belongs(self.device_id)
        self.kept = True

    def wake(self) -> None:
        """Go on with a device that was online when the cloud ended: it may be called at once."""
        self.channel.wake(self._heard_at())

    # What the association tells.

    def message(self, arrived: Arrived) -> None:
        """Queue a message of the device."""
        learn = not arrived.resumed and self.channel.session is not None
        self.silence.broken(self.services.clock.monotonic(), learn=learn)
        if len(self._arrived) + len(self._inbox) < _WAITING:
            self._arrived.append(arrived)

    def moved(self, address: Address) -> None:
        """Follow the device to another address."""
        self._gateway.moved(self, address)

    def refuse(self, refused: Refused, alert: int | None = None) -> None:
        """Record why there is no session and drop everything."""
        if self.ended:
            return
        self.services.refusals.record(self.channel.transport, self.address, refused)
        if alert is not None:
            self.dtls.fatal(alert)
        self.end(refused.reason)

    def end(self, reason: str, *, answer: bool = False) -> None:
        """Forget the DTLS session; `answer` tells the device with a close_notify."""
        if self.ended:
            return
        if answer:
            self.dtls.close_notify()
        self.offline(reason)
        self.flush()
        self.ended = True
        self._gateway.drop(self)

    def offline(self, reason: str) -> None:
        """End the session; the device may go on with its keys later."""
        self.channel.offline(reason)

    # Messages in order: stored, then acted upon.

    def ready(self) -> None:
        """Go on after a datagram was taken."""
        if self._arrived and self.kept:
            self._gateway.checkpoints.ask(self)
        elif self._worker is None:
            self._inbox.extend(self._arrived)
            self._arrived.clear()
            if self._inbox:
                self._work()
            else:
                self.flush()

    def checkpoint(self) -> tuple[tuple[str, bytes, State], object]:
        """Take the state to store."""
        assert self.dtls.connection is not None
        state = self._state(self.dtls.connection)
        mark = (len(self._arrived), state.write_limit, state.mid_limit)
        return (self.device_id, self.dtls.connection.key_block, state), mark

    def stored(self, mark: object) -> None:
        """Act on what is stored; use the numbers that are reserved now."""
        assert isinstance(mark, tuple) and self.dtls.connection is not None
        count, limit, mid_limit = mark
        self.outbox.release(limit, mid_limit)
        for _ in range(min(count, len(self._arrived))):
            self._inbox.append(self._arrived.popleft())
        if self._inbox:
            self._work()

    def not_stored(self) -> None:
        """Treat what could not be stored as lost on the way."""
        self._arrived.clear()

    def _state(self, connection: Connection) -> State:
        channel = self.channel
        return State(
            self.dtls.where,
            connection.window.top,
            connection.window.bits,
            connection.number + STEP,
            (channel.mid + STEP) & 0xFFFF,
            self._heard_at(),
            self.silence.longest,
            not self.kept or channel.session is not None or self._coming(),
            channel.reliability.done(),
        )

    def _heard_at(self) -> float:
        return self.services.clock.to_unix(self.silence.since)

    def _coming(self) -> bool:
        return bool(self._arrived or self._inbox)

    def _work(self) -> None:
        if self._worker is None and not self.ended:
            self.outbox.corked = True
            self._worker = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._inbox and not self.ended:
                await self._take(self._inbox.popleft())
        except sqlite3.Error as error:
            _LOG.error("a message from %s is lost: %s", self.address, error)
        except Exception:
            _LOG.exception("a message from %s failed", self.address)
        finally:
            self._worker = None
            self.outbox.corked = False
            if not self.ended:
                self.flush()
                if self._inbox:
                    self._work()
                elif self._arrived:
                    self.ready()

    async def _take(self, arrived: Arrived) -> None:
        try:
            message = coap.decode(arrived.content)
        except NotCoap:
            return
        if not self.kept:
            if message.path != ("h",) and len(self._overtook) < _OVERTAKING:
                if len(arrived.content) <= EARLY_BYTES:
                    self._overtook.append(arrived)
            else:
                await self._greet(message, len(arrived.content))
            return
        if arrived.resumed:
            self.channel.reconnected(message)
        await self.channel.take(message, arrived)
        if arrived.resumed:
            self.channel.again()

    async def _greet(self, message: Message, size: int) -> None:
        connection, handshake = self.dtls.connection, self.dtls.handshake
        assert connection is not None and handshake is not None
        try:
            hello = read_hello(message)
            device = identify(self.services.devices, hello, handshake.spki)
        except Refused as refused:
            self.refuse(refused, ACCESS_DENIED)
            return
        self.device_id = device.id
        self.silence.usual = hello.keep_alive_s()
        session = self.channel.greeted_first(hello, message.payload)
        self._inbox.extend(self._arrived)  # the state that is stored now covers these too
        self._arrived.clear()
        state = self._state(connection)
        stored = Stored.new(device.id, connection, message.payload, state)
        on_storage = await self._gateway.store.replace(stored, handshake.spki)
        if on_storage:
            await self.services.devices.greeted(device.id, self.dtls.where[0], hello)
        try:
            identify(self.services.devices, hello, handshake.spki)  # writing took its time
        except Refused as refused:
            self.refuse(refused, ACCESS_DENIED)
        if self.ended or not on_storage:
            self._gateway.spawn(self._gateway.store.delete(device.id, connection.key_block))
            return
        self.outbox.release(state.write_limit, state.mid_limit)
        self.kept = True
        self._gateway.established(self)
        session.count(message, size)
        self.meter.belongs(self.device_id)
        self.channel.begin(session, message)
        self._inbox.extendleft(reversed(self._overtook))
        self._overtook.clear()

    def left(self, heard: float) -> None:
        """Store that the session has ended, in which the device was heard last at `heard`."""
        self.silence.unlearn()
        # A device that is only left by a cloud that stops is online when the cloud is back.
        self._gateway.spawn(self._left(heard, gone=not self._gateway.stopping))

    async def _left(self, heard: float, *, gone: bool) -> None:
        if gone and not self.ended and self.channel.session is None and not self._coming():
            await self._gateway.store.left(self.device_id)
        await self.services.devices.heard(self.device_id, heard)

    # Writing.

    def flush(self) -> None:
        """Send what waits to be sent."""
        self.outbox.flush()

    def _reserve(self) -> None:
        if self.kept and not self.ended:
            self._gateway.checkpoints.ask(self)

    def _transmit(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self.meter.down(len(datagram))
            self._gateway.transmit(datagram, self.dtls.where)

    # Time.

    def sweep(self, now: float) -> None:
        """Give up what has taken too long; called about once a second from `look` on."""
        limit = self.services.settings.limits.udp_greeting_s
        if now - self.since > limit:
            if not self.kept:
                stuck = self.dtls.progress
                self.refuse(Refused(stuck.stage, f"{stuck.reason} within {limit:g} s"))
                return
            if self.dtls.handshake is not None:
                self._gateway.handshake_over(self)
                self.dtls.handshake = None
        if self.channel.session is not None and now - self.silence.since > self.silence.limit:
            self.offline(f"nothing came from the device for {self.silence.limit:g} s")
        heard = now if self.channel.session is None else self.silence.since
        self.look = heard + self.silence.least
        if not self.kept or self.dtls.handshake is not None:
            self.look = min(self.look, self.since + limit)
