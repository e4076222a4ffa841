"""The Channel of a device's sessions on UDP, and how one session follows another.

Messages are repeated until they are acknowledged and taken once. When a session ends, what
belongs to the keys stays: message IDs, subscriptions, the Hello (cloud-protocol 2.5, 3).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message
from particle_tools.cloud.events import TTL, Event, Subscription
from particle_tools.cloud.exchanges import Exchanges
from particle_tools.cloud.hello import Hello
from particle_tools.cloud.inbound import leave_safe_mode
from particle_tools.cloud.metering import GOODBYE, kind_of
from particle_tools.cloud.session import Session, answer_kind
from particle_tools.cloud.udp.association import Arrived
from particle_tools.cloud.udp.reliability import Reliability
from particle_tools.cloud.udp.store import Stored, UdpStore

if TYPE_CHECKING:
    from particle_tools.cloud.udp.link import Link


class UdpChannel:
    """What the sessions of one device have in common."""

    transport = "udp"
    events = coap.CON

    def __init__(self, link: Link, store: UdpStore) -> None:
        self.services = link.services
        self.session: Session | None = None
        self.message_limit = 0
        self.hello = b""  # the payload of the last one
        self.subscriptions: list[Subscription] = []
        self.reliability = Reliability()
        self._link = link
        self._store = store
        self._mid: int | None = None  # the last message ID used when there is no session
        self._going_on: Exchanges | None = None  # on their way to the next session
        self._again: list[int] = []  # IDs of theirs
        self._left = False  # the device has said goodbye and did not come back
        self._turn = 0  # newest number with which a connection began, or ended in a goodbye
        self._timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """The device's address as text."""
        return self._link.address

    @property
    def mid(self) -> int:
        """The last message ID of ours."""
        return self.session.mid if self.session else self._mid or 0

    # Sessions.

    def restore(self, stored: Stored) -> None:
        """Take up what is on storage."""
        self.hello = stored.hello
        self.subscriptions = list(stored.subscriptions)
        self._mid = stored.state.mid_limit
        # Who was offline is not there because something arrives that is older than its last word.
        if not stored.state.online:
            self._left, self._turn = True, stored.state.read_top
        self.reliability.restore(stored.state.done, self._link.silence.since)

    def greeted_first(self, hello: Hello, payload: bytes) -> Session:
        """Make the session of a handshake; it is not online yet."""
        self.hello = payload
        session = self._session(hello)
        self._mid = session.mid
        return session

    def begin(self, session: Session, message: Message) -> None:
        """Go online with the session of a handshake; message: its Hello."""
        for counters in (self.services.usage.of(self._link.device_id), self.services.usage.total):
            counters.handshakes += 1
        self.reliability.new(message.mid, self.services.clock.monotonic())
        self.session = session
        if message.type == coap.CON:
            session.acknowledge(message)
        session.start()

    def wake(self, heard: float) -> None:
        """Go on with a device that was online when the cloud ended: it may be called at once."""
        self.session = self._session(Hello.parse(self.hello))
        self.session.last_heard = heard
        self.session.start(resumed=True)

    def resume(self) -> Session:
        """Return the session, a new one if the device was silent for too long."""
        if self.session is None:
            self.session = self._session(Hello.parse(self.hello), self._going_on)
            self._going_on = None
            for counters in (
                self.services.usage.of(self._link.device_id),
                self.services.usage.total,
            ):
                counters.resumes += 1
            self.session.start(resumed=True)
        return self.session

    def reconnected(self, message: Message) -> None:
        """Begin a new session for a device that is there again; `message` is its first.

        What waits for the device and was not seen by it goes on with the new session.
        """
        if self.session is not None:
            self.session.exchanges.heard(message)
            self._going_on = self.session.exchanges.go_on(self.reliability.unseen)
            self.offline("the device reconnected")
        session = self.resume()
        device = self.services.devices.get(self._link.device_id)
        if device is not None and device.safe_mode:
            session.spawn(leave_safe_mode(session))

    def offline(self, reason: str) -> None:
        """End the session; the device may go on with its keys later."""
        if self.session is not None:
            self.session.close(reason)

    def _session(self, hello: Hello, exchanges: Exchanges | None = None) -> Session:
        device_id = self._link.device_id
        device = self.services.devices.get(device_id)
        self.message_limit = hello.message_limit_udp()
        return Session(
            self.services,
            device_id,
            device.owner if device else None,
            self,
            hello,
            mid=self._mid,
            subscriptions=self.subscriptions,
            exchanges=exchanges,
        )

    # Messages of the device.

    async def take(self, message: Message, arrived: Arrived) -> None:
        """Act on a message once; one that comes again gets the answer it got.

        Datagrams overtake each other: what is older than the goodbye of a device that is gone, or
        repeats what was said before it, puts nobody online, and the goodbye of a connection that
        has a successor nobody offline.
        """
        goodbye = kind_of(message) == GOODBYE
        late = arrived.number < self._turn
        if goodbye or arrived.moved:
            self._turn = max(self._turn, arrived.number)
        session = self.session
        if session is not None:
            await self._act(session, message, arrived, overtaken=goodbye and late)
            self._left = session.leaving is not None
        elif goodbye or (self._left and (late or self._repeats(message, arrived))):
            self._left = True
            self.session = self._session(Hello.parse(self.hello))  # which never starts
            try:
                await self._act(self.session, message, arrived)
            finally:
                self.offline("the device said goodbye")
        else:
            self._left = False
            await self._act(self.resume(), message, arrived)

    def _repeats(self, message: Message, arrived: Arrived) -> bool:
        # Who has come back and heard nothing yet may repeat what was said before, too.
        now = self.services.clock.monotonic()
        known = message.type == coap.CON and self.reliability.knows(message.mid, now)
        return known and not arrived.moved

    async def _act(
        self, session: Session, message: Message, arrived: Arrived, *, overtaken: bool = False
    ) -> None:
        session.count(message, len(arrived.content))
        if message.type == coap.CON:
            if not self.reliability.new(message.mid, self.services.clock.monotonic()):
                self._repeat(session, message)
                return
        elif message.type in (coap.ACK, coap.RST):
            self.reliability.acknowledged(message.mid, self.services.clock.monotonic())
        if overtaken:
            if message.type == coap.CON:
                session.acknowledge(message)
            return
        try:
            await session.receive(message)
        except Exception:
            self.reliability.retract(message.mid)
            raise

    def _repeat(self, session: Session, message: Message) -> None:
        answer = self.reliability.answer(message.mid)
        if answer:
            kind = answer_kind(answer[1], message)
            self.services.usage.down(self._link.device_id, kind, len(answer))
            self._link.outbox.write(answer)
        session.operations(self.services.rules.repeated(message), 0)

    # What the session asks of its channel.

    def send(self, data: bytes) -> None:
        """Send one message; a CON is sent again until it is acknowledged."""
        kind, mid = data[0] >> 4 & 3, data[2] << 8 | data[3]
        if kind == coap.CON:
            self.reliability.sending(mid, data, self.services.clock.monotonic())
            self._arm()
        elif kind in (coap.ACK, coap.RST):
            self.reliability.answered(mid, data)
        self._link.outbox.write(data)

    def soon(self, mid: int) -> None:
        """Repeat a CON earlier than others."""
        self.reliability.soon(mid, self.services.clock.monotonic())
        self._arm()

    def close(self) -> None:
        """The session has ended: repeat nothing but what goes on. The keys stay."""
        session, self.session = self.session, None
        if session is None:
            return
        self._mid = session.mid
        if self._going_on is None:
            self.reliability.forget()
        else:
            self._again = self.reliability.forget(self._going_on.knows)
        self._arm()
        self._link.left(session.last_heard)

    def facts(self) -> dict[str, Any]:
        """Return the state of the DTLS session."""
        link = self._link
        assert link.dtls.connection is not None
        return {
            "connection_id": link.cid.hex() or None,
            "records_down": link.dtls.connection.number,
            "unacknowledged": self.reliability.waiting,
            "retransmissions": self.reliability.retransmissions,
            "repeats": self.reliability.repeats,
            "keep_alive_s": link.silence.longest,
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
        device_id = self._link.device_id
        if hello.device_id.hex() != device_id or not self.session:
            return False
        self.hello = payload
        self.subscriptions = []
        self.session.hello = hello
        self.session.unsubscribe()
        self.message_limit = hello.message_limit_udp()
        await self._store.greeted_again(device_id, payload)
        await self.services.devices.greeted(device_id, self._link.dtls.where[0], hello)
        return True

    async def subscribed(self, subscriptions: list[Subscription]) -> None:
        """Store the subscriptions: after a resume they are still valid (4.4)."""
        self.subscriptions = list(subscriptions)
        await self._store.subscribe(self._link.device_id, self.subscriptions)

    async def persist(self, number: int, event: Event) -> Event | None:
        """Commit an event under its number."""
        return await self.services.persisted.commit(self._link.device_id, number, event)

    # Repetition.

    def again(self) -> None:
        """Send what has gone on to a new session; its device listens since it was answered.

        That nobody has seen it is all but sure: an acknowledgement may be lost. So a call, which
        may reset the device each time, is sent once more and not again after that.
        """
        now, mids = self.services.clock.monotonic(), self._again
        self._again = []
        for mid in mids:
            harmless = self.session is not None and self.session.exchanges.harmless(mid)
            self.reliability.hurry(mid, now, last=not harmless)
        self._send_due()
        self._arm()

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
        self._send_due()
        self._arm()

    def _send_due(self) -> None:
        due = self.reliability.due(self.services.clock.monotonic())
        for data, attempt in due.again:
            self._link.outbox.write(data)
            if self.session is not None:
                self.session.sent_again(data, attempt)
        if any(self._link.silence.since <= since for since in due.given_up):
            self.offline("the device acknowledges nothing")
