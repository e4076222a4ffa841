"""One device on UDP: its messages in order, its sessions one after the other, its silence.

A link outlives the session it carries: when the device falls silent the session ends and the keys
stay; the next authentic record starts a new session (cloud-protocol 2.5). A record is stored as
seen before its message has an effect, so nothing is accepted twice, not even after a kill.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from typing import TYPE_CHECKING, Any

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message, NotCoap
from particle_tools.cloud.dtls.connection import STEP, Connection
from particle_tools.cloud.dtls.handshake import ACCESS_DENIED
from particle_tools.cloud.dtls.records import Window
from particle_tools.cloud.events import TTL, Event, Subscription
from particle_tools.cloud.hello import Hello
from particle_tools.cloud.refusals import Refused
from particle_tools.cloud.session import Session, answer_kind
from particle_tools.cloud.udp.association import Address, Association
from particle_tools.cloud.udp.greeting import identify, read_hello
from particle_tools.cloud.udp.outbox import Outbox
from particle_tools.cloud.udp.reliability import Reliability
from particle_tools.cloud.udp.silence import Silence
from particle_tools.cloud.udp.store import State, Stored
from particle_tools.cloud.usage import Meter

if TYPE_CHECKING:
    from particle_tools.cloud.udp.gateway import UdpGateway

_LOG = logging.getLogger("particle.cloud")
_OVERTAKING = 8
_WAITING = 256  # messages of one device; what comes beyond is lost, as on a full wire


class Link:
    """The Channel of a device's sessions and the owner of its DTLS association."""

    transport = "udp"
    events = coap.CON

    def __init__(self, gateway: UdpGateway, address: Address) -> None:
        self.services = gateway.services
        self.dtls = Association(self, address)
        self.outbox = Outbox(self.dtls, self._reserve, self._transmit)
        self.origin = address  # where the handshake came from
        self.bound: Address | None = None  # where an association without connection ID is
        self.cid = b""
        self.message_limit = 0
        self.session: Session | None = None
        self.device_id = ""
        self.kept = False  # on storage
        self.ended = False
        self.since = self.services.clock.monotonic()
        self.silence = Silence(self.since)
        self.reliability = Reliability()
        self.meter = Meter(self.services.usage)
        self._gateway = gateway
        self._hello = b""
        self._subscriptions: list[Subscription] = []
        self._mid: int | None = None  # the last message ID used when there is no session
        self._arrived: deque[tuple[bytes, bool]] = deque()  # not stored yet
        self._inbox: deque[tuple[bytes, bool]] = deque()
        self._overtook: list[tuple[bytes, bool]] = []  # what came before the Hello
        self._worker: asyncio.Task | None = None
        self._timer: asyncio.TimerHandle | None = None

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
        self.reliability.restore(state.done, self.silence.since)
        self._hello = stored.hello
        self._subscriptions = list(stored.subscriptions)
        self._mid = self.outbox.mid_limit = state.mid_limit
        self.meter.belongs(self.device_id)
        self.kept = True

    def wake(self) -> None:
        """Go on with a device that was online when the cloud ended: it may be called at once."""
        self.session = self._session(Hello.parse(self._hello))
        self.session.last_heard = self._heard_at()
        self.session.start(resumed=True)

    # What the association tells.

    def message(self, content: bytes, *, resumed: bool) -> None:
        """Queue a message of the device."""
        learn = not resumed and self.session is not None
        self.silence.broken(self.services.clock.monotonic(), learn=learn)
        if len(self._arrived) + len(self._inbox) < _WAITING:
            self._arrived.append((content, resumed))

    def moved(self, address: Address) -> None:
        """Follow the device to another address."""
        self._gateway.moved(self, address)

    def refuse(self, refused: Refused, alert: int | None = None) -> None:
        """Record why there is no session and drop everything."""
        if self.ended:
            return
        self.services.refusals.record(self.transport, self.address, refused)
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
        if self.session is not None:
            self.session.close(reason)

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
        mid = self.session.mid if self.session else self._mid or 0
        return State(
            self.dtls.where,
            connection.window.top,
            connection.window.bits,
            connection.number + STEP,
            (mid + STEP) & 0xFFFF,
            self._heard_at(),
            self.silence.longest,
            not self.kept or self.session is not None or self._coming(),
            self.reliability.done(),
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
                await self._take(*self._inbox.popleft())
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

    async def _take(self, content: bytes, resumed: bool) -> None:
        try:
            message = coap.decode(content)
        except NotCoap:
            return
        if not self.kept:
            if message.path != ("h",) and len(self._overtook) < _OVERTAKING:
                self._overtook.append((content, False))
            else:
                await self._greet(message, len(content))
            return
        if resumed:
            self.offline("the device reconnected")
        session = self.session or self._resume()
        session.count(message, len(content))
        if message.type == coap.CON:
            if not self.reliability.new(message.mid, self.services.clock.monotonic()):
                answer = self.reliability.answer(message.mid)
                if answer:
                    kind = answer_kind(answer[1], message)
                    self.services.usage.down(self.device_id, kind, len(answer))
                    self.outbox.write(answer)
                session.operations(self.services.rules.repeated(message), 0)
                return
        elif message.type in (coap.ACK, coap.RST):
            self.reliability.acknowledged(message.mid)
        try:
            await session.receive(message)
        except Exception:
            self.reliability.retract(message.mid)
            raise

    # Sessions.

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
        self._hello = message.payload
        session = self._session(hello)
        self._mid = session.mid
        self._inbox.extend(self._arrived)  # the state that is stored now covers these too
        self._arrived.clear()
        state = self._state(connection)
        stored = Stored.new(device.id, connection, self._hello, state)
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
        for counters in (self.services.usage.of(self.device_id), self.services.usage.total):
            counters.handshakes += 1
        self.meter.belongs(self.device_id)
        self.reliability.new(message.mid, self.services.clock.monotonic())
        self.session = session
        if message.type == coap.CON:
            session.acknowledge(message)
        session.start()
        self._inbox.extendleft(reversed(self._overtook))
        self._overtook.clear()

    def _resume(self) -> Session:
        self.session = self._session(Hello.parse(self._hello))
        for counters in (self.services.usage.of(self.device_id), self.services.usage.total):
            counters.resumes += 1
        self.session.start(resumed=True)
        return self.session

    def _session(self, hello: Hello) -> Session:
        device = self.services.devices.get(self.device_id)
        self.message_limit = hello.message_limit_udp()
        return Session(
            self.services,
            self.device_id,
            device.owner if device else None,
            self,
            hello,
            mid=self._mid,
            subscriptions=self._subscriptions,
        )

    # What the session asks of its channel.

    def send(self, data: bytes) -> None:
        """Send one message; a CON is sent again until it is acknowledged."""
        kind, mid = data[0] >> 4 & 3, data[2] << 8 | data[3]
        if kind == coap.CON:
            self.reliability.sending(mid, data, self.services.clock.monotonic())
            self._arm()
        elif kind in (coap.ACK, coap.RST):
            self.reliability.answered(mid, data)
        self.outbox.write(data)

    def close(self) -> None:
        """The session has ended: repeat nothing. The keys stay."""
        session, self.session = self.session, None
        if session is None:
            return
        self._mid = session.mid
        self.reliability.forget()
        self._arm()
        self.silence.unlearn()
        # A device that is only left by a cloud that stops is online when the cloud is back.
        self._gateway.spawn(self._left(session.last_heard, gone=not self._gateway.stopping))

    async def _left(self, heard: float, *, gone: bool) -> None:
        if gone and not self.ended and self.session is None and not self._coming():
            await self._gateway.store.left(self.device_id)
        await self.services.devices.heard(self.device_id, heard)

    def facts(self) -> dict[str, Any]:
        """Return the state of the DTLS session."""
        connection = self.dtls.connection
        assert connection is not None
        return {
            "connection_id": self.cid.hex() or None,
            "records_down": connection.number,
            "unacknowledged": self.reliability.waiting,
            "retransmissions": self.reliability.retransmissions,
            "repeats": self.reliability.repeats,
            "keep_alive_s": self.silence.longest,
        }

    def max_age(self, ttl: int) -> list[tuple[int, bytes]]:
        """Return the Max-Age unless it is the default: every byte may cost money."""
        return [] if ttl == TTL else [(coap.MAX_AGE, ttl.to_bytes(4, "big"))]

    async def drained(self) -> None:
        """Return at once: a datagram is sent or lost."""

    def crowded(self) -> bool:
        """Tell whether the device acknowledges too slowly for more events."""
        return self.reliability.waiting >= self.services.settings.limits.unacknowledged

    async def greeted(self, payload: bytes) -> bool:
        """Take a Hello on a resumed session: the application's state has changed (2.6)."""
        try:
            hello = Hello.parse(payload)
        except ValueError:
            return False
        if hello.device_id.hex() != self.device_id or not self.session:
            return False
        self._hello = payload
        self._subscriptions = []
        self.session.hello = hello
        self.session.unsubscribe()
        self.message_limit = hello.message_limit_udp()
        await self._gateway.store.greeted_again(self.device_id, payload)
        await self.services.devices.greeted(self.device_id, self.dtls.where[0], hello)
        return True

    async def subscribed(self, subscriptions: list[Subscription]) -> None:
        """Store the subscriptions: after a resume they are still valid (4.4)."""
        self._subscriptions = list(subscriptions)
        await self._gateway.store.subscribe(self.device_id, self._subscriptions)

    async def persist(self, number: int, event: Event) -> Event | None:
        """Commit an event under its number."""
        return await self.services.persisted.commit(self.device_id, number, event)

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

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.reliability.deadline()
        if deadline is not None:
            clock = self.services.clock
            wait = max(0.0, deadline - clock.monotonic()) / clock.scale
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        due = self.reliability.due(self.services.clock.monotonic())
        for data, attempt in due.again:
            self.outbox.write(data)
            if self.session is not None:
                self.session.sent_again(data, attempt)
        if any(self.silence.since <= since for since in due.given_up):
            self.offline("the device acknowledges nothing")
        self._arm()

    def sweep(self, now: float) -> None:
        """Give up what has taken too long. Called about once a second."""
        limit = self.services.settings.limits.udp_greeting_s
        if now - self.since > limit:
            if not self.kept:
                stuck = self.dtls.progress
                self.refuse(Refused(stuck.stage, f"{stuck.reason} within {limit:g} s"))
                return
            if self.dtls.handshake is not None:
                self._gateway.handshake_over(self)
                self.dtls.handshake = None
        if self.session is not None and now - self.silence.since > self.silence.limit:
            self.offline(f"nothing came from the device for {self.silence.limit:g} s")
