"""One device that is connected, whatever carries its messages.

A gateway makes the session after its handshake, gives it every message the device sends and
closes it when the connection ends. What a message means is in inbound.py.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from particle_tools.cloud import coap, inbound, values
from particle_tools.cloud.blockwise import BLOCK2, BadBlock, Block, Bodies
from particle_tools.cloud.channel import Channel
from particle_tools.cloud.coap import Message
from particle_tools.cloud.events import Event, Subscription
from particle_tools.cloud.exchanges import (
    BadValue,
    DeviceError,
    Exchange,
    Exchanges,
    NoAnswer,
    Paused,
    Rejected,
    TooLong,
)
from particle_tools.cloud.hello import DEVICE_DESCRIBES, Hello
from particle_tools.cloud.metering import (
    ACK,
    CALL,
    EVENT,
    OTHER,
    PING,
    READ,
    kind_of,
    request_kind,
)
from particle_tools.cloud.services import Services

if TYPE_CHECKING:
    from particle_tools.cloud.ota.transfer import Transfer

_LOG = logging.getLogger("particle.cloud")
METRICS = 4  # flag of a Describe request
_LARGEST_BODY = 64 * 1024
_TYPED, _CBOR = 65001, 60  # content formats: what a device publishes, what one is given (4.5)


class Session:
    """A connected device."""

    def __init__(
        self,
        services: Services,
        device_id: str,
        owner: int | None,
        channel: Channel,
        hello: Hello,
        *,
        mid: int | None = None,
        subscriptions: Sequence[Subscription] = (),
        exchanges: Exchanges | None = None,  # that go on from an older session
    ) -> None:
        self.services = services
        self.device_id = device_id
        self.owner = owner
        self.channel = channel
        self.hello = hello
        self.exchanges = exchanges or Exchanges()
        self.bodies = Bodies()
        self.subscriptions = list(subscriptions)
        self.started = self.last_heard = services.clock.time()
        self.closed = False
        self.leaving: str | None = None  # set by a goodbye: why to close after its answer
        self.dropped_events = 0  # too large for the device, or too many
        self.own_id_acks = 0  # acknowledgements that spent an id of the device's counter (11)
        self.described = asyncio.Event()  # the Describe of this session, or none to come
        self.system_described = asyncio.Event()  # its system part came in this session
        self.last_reset: str | None = None  # what the device said about it in this session
        self.safe_mode = False  # the device has said so in this session
        self.resumed = False
        self.transfer: Transfer | None = None  # of firmware, while one runs
        self.took: int | None = None  # the update that the device took in this session
        self._describe_token: bytes | None = None
        self.mid = secrets.randbelow(1 << 16) if mid is None else mid  # the last one used
        self._tasks: set[asyncio.Task] = set()

    def next_mid(self) -> int:
        """Count up and return the message ID for a message of ours."""
        self.mid = (self.mid + 1) & 0xFFFF
        return self.mid

    def spawn(self, work: Coroutine) -> asyncio.Task:
        """Run something beside the message loop until it is done or the session ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            text = "what was done beside the messages of %s failed: %s"
            _LOG.error(text, self.device_id, error, exc_info=error)

    def start(self, *, resumed: bool = False) -> None:
        """Go online: replace an older session, ask for a Describe if the device will not."""
        self.resumed = resumed
        self.services.sessions.opened(self)
        self._follow()
        self.services.updates.connected(self, resumed=resumed)
        if resumed:
            self.described.set()
        elif not self.hello.flags & DEVICE_DESCRIBES:
            self.spawn(self._ask_describe())

    def owned_by(self, owner: int | None) -> None:
        """Follow a change of owner."""
        self._unfollow()
        self.owner = owner
        if not self.closed:
            self._follow()

    def subscribe(self, subscription: Subscription) -> None:
        """Deliver events from now on."""
        self.subscriptions.append(subscription)
        self._follow()

    def unsubscribe(self) -> None:
        """Deliver no events any more."""
        self._unfollow()
        self.subscriptions.clear()

    def _follow(self) -> None:
        if self.owner is not None:
            for subscription in self.subscriptions:
                self.services.bus.follow(self.owner, subscription.prefix, self.deliver)

    def _unfollow(self) -> None:
        if self.owner is not None:
            for subscription in self.subscriptions:
                self.services.bus.unfollow(self.owner, subscription.prefix, self.deliver)

    def close(self, reason: str) -> None:
        """End the session; requests in flight fail. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        for task in self._tasks:
            task.cancel()
        self.described.set()
        self.exchanges.fail(NoAnswer("the device went away"))
        self.services.sessions.closed(self, reason)
        self._unfollow()
        self.channel.close()

    # What comes in.

    def count(self, message: Message, size: int) -> None:
        """Meter a message of the device, also one that came again."""
        kind = kind_of(message) or self.exchanges.kind(message)
        self.services.usage.up(self.device_id, kind, size)

    def operations(self, out: int, in_: int) -> None:
        """Meter data operations the device began, and such that came to it."""
        if out or in_:
            self.services.usage.operations(self.device_id, self.owner, out, in_)

    async def receive(self, message: Message) -> None:
        """Take one message of the device. Never waits for the device."""
        self.last_heard = self.services.clock.time()
        self.exchanges.heard(message)
        if message.type in (coap.ACK, coap.RST):
            self.exchanges.acknowledged(message)
            if message.type == coap.RST and self.transfer is not None:
                self.transfer.reset(message.mid)
            return
        if message.code == coap.EMPTY:
            if message.type == coap.CON:
                self.acknowledge(message)
            return
        if not message.is_request:
            # Even an answer nobody waits for is acknowledged: a device whose message stays
            # unanswered, or is reset, throws its session away (3.4, 11).
            expected = self.exchanges.answered(message)
            if not expected and message.token == self._describe_token:
                await inbound.store_describe(self, message)
            if message.type == coap.CON:
                self.acknowledge(message)
            return
        answer = await inbound.handle(self, message)
        if message.type == coap.CON and not self.closed:
            self.acknowledge(message, answer.code, answer.payload, answer.options)
        if self.leaving:
            self.close(self.leaving)

    def acknowledge(
        self,
        message: Message,
        code: int = coap.EMPTY,
        payload: bytes = b"",
        options: Sequence[tuple[int, bytes]] = (),
    ) -> None:
        """Send the ACK of a CON, under its id; a code other than empty repeats the token."""
        token = message.token if code != coap.EMPTY else b""
        data = coap.encode(coap.ACK, code, message.mid, token, payload=payload, extra=options)
        self._send(data, answer_kind(code, message))

    # What goes out.

    def greet(self) -> None:
        """Send the server's Hello (TCP, cloud-protocol 1.5)."""
        data = coap.encode(coap.NON, coap.POST, self.next_mid(), path=("h",))
        self._send(data, request_kind(coap.POST, ("h",)))

    def deliver(self, event: Event) -> None:
        """Send an event of the account with a prefix of the device's if it is wanted."""
        if event.product is not None and event.product != self._product():
            return
        if any(s.wants(event) for s in self.subscriptions):
            self.send_event(event.name, event.data, event.content_format, event.ttl)

    def _product(self) -> int | None:
        membership = self.services.products.membership(self.device_id)
        return membership.product_id if membership else None

    def send_event(self, name: str, data: bytes, content_format: int = 0, ttl: int = 60) -> None:
        """Send an event; one that is too large for the device is dropped and counted.

        So is one that the account's plan does not cover any more.
        """
        message = coap.encode(
            self.channel.events,
            coap.POST,
            self.next_mid(),
            path=("E", *name.split("/")),
            payload=data,
            content_format=_CBOR if content_format == _TYPED else content_format,
            extra=self.channel.max_age(ttl),
        )
        cost = self.services.rules.delivery(name)
        if (
            len(message) > self.channel.message_limit
            or self.channel.crowded()
            or (cost and self.services.plans.wait(self.owner) is not None)
        ):
            self.dropped_events += 1
            return
        self.services.usage.of(self.device_id).events_down += 1
        self.operations(0, cost)
        self._send(message, EVENT)

    async def call(self, name: str, argument: str) -> int:
        """Call a function; return its result. Raises DeviceError."""
        self._check_plan()
        answer = await self.request(coap.POST, ("f", name), [argument.encode()])
        if len(answer.payload) != 4:
            raise BadValue(f"a function result of {len(answer.payload)} bytes")
        return int.from_bytes(answer.payload, "big", signed=True)

    async def read(self, name: str, kind: int | None) -> bool | int | float | str:
        """Read a variable of the announced type (4.7). Raises DeviceError."""
        self._check_plan()
        answer = await self.request(coap.GET, ("v", name))
        return values.read(kind, answer.payload)

    def _check_plan(self) -> None:
        seconds = self.services.plans.wait(self.owner)
        if seconds is not None:
            raise Paused(seconds)

    async def signal(self, on: bool) -> None:
        """Start or stop signalling. Raises DeviceError."""
        await self.request(coap.PUT, ("s",), [bytes([on])])

    async def ping(self) -> bool:
        """Tell whether the device answers now."""
        exchange = self.exchanges.ping(self.next_mid())
        self._send(coap.encode(coap.CON, coap.EMPTY, exchange.mid), PING)
        try:
            await self.services.clock.wait_for(
                exchange.answer, self.services.settings.limits.ping_s
            )
        except (asyncio.TimeoutError, DeviceError):
            return False
        finally:
            exchange.close()
        return True

    async def _ask_describe(self) -> None:
        # Without a query the device answers with both parts, in one message or two (4.2).
        exchange = self.exchanges.open(self.next_mid(), request_kind(coap.GET, ("d",)))
        self._describe_token = bytes([exchange.token])
        try:
            answer = await self._finish(exchange, coap.GET, ("d",))
            answer = await self._rest(answer, ("d",))
            await inbound.store_describe(self, answer)
        except DeviceError:
            return  # the last Describe stays in use
        finally:
            self.described.set()

    async def describe(self, flags: int) -> bytes:
        """Ask for one part of the Describe (4.2: 1, 2 or 4); return it. Raises DeviceError."""
        query = [bytes([flags])]
        answer = await self.request(coap.GET, ("d",), query)
        return (await self._rest(answer, ("d",), query)).payload

    async def ask_system(self) -> Message:
        """Ask for the system part of the Describe; return the answer. Raises DeviceError."""
        query = [b"\x01"]
        return await self._rest(await self.request(coap.GET, ("d",), query), ("d",), query)

    async def _rest(
        self, answer: Message, path: Sequence[str], query: Sequence[bytes] = ()
    ) -> Message:
        # The blocks after the first, each with a request of its own (3.8).
        body, first = bytearray(answer.payload), answer
        try:
            while (value := answer.option(BLOCK2)) is not None:
                block = Block.parse(value)
                if not block.more:
                    break
                if len(body) != (block.number + 1) * block.size or len(body) > _LARGEST_BODY:
                    raise BadBlock(f"block {block.number} ends at {len(body)}")
                following = Block(block.number + 1, False, block.exponent).encode()
                answer = await self.request(coap.GET, path, query, [(BLOCK2, following)])
                body += answer.payload
        except BadBlock as error:
            raise BadValue(str(error)) from error
        return replace(first, payload=bytes(body))

    async def request(
        self,
        code: int,
        path: Sequence[str],
        query: Sequence[bytes] = (),
        extra: Sequence[tuple[int, bytes]] = (),
        payload: bytes = b"",
        seconds: float | None = None,
        *,
        soon: bool = False,
    ) -> Message:
        """Send a request and return the answer; `seconds`: its limit. Raises DeviceError.

        soon: repeat it earlier than others when it is lost.
        """
        if self.closed:
            raise NoAnswer("the device went away")
        kind = request_kind(code, tuple(path), query[0] if query else b"")
        exchange = self.exchanges.open(self.next_mid(), kind)
        return await self._finish(exchange, code, path, query, extra, payload, seconds, soon=soon)

    async def _finish(
        self,
        exchange: Exchange,
        code: int,
        path: Sequence[str],
        query: Sequence[bytes] = (),
        extra: Sequence[tuple[int, bytes]] = (),
        payload: bytes = b"",
        seconds: float | None = None,
        *,
        soon: bool = False,
    ) -> Message:
        token, mid = bytes([exchange.token]), exchange.mid
        more = {"path": path, "query": query, "extra": extra, "payload": payload}
        try:
            message = coap.encode(coap.CON, code, mid, token, **more)
            if len(message) > self.channel.message_limit:
                raise TooLong("the request is larger than the device can take")
            self._send(message, exchange.kind)
            if soon:
                self.channel.soon(mid)
            self._charge(exchange.kind)
            answer = await self.services.clock.wait_for(
                exchange.answer, seconds or self.services.settings.limits.answer_s
            )
        except asyncio.TimeoutError as error:
            raise NoAnswer("the device did not answer") from error
        finally:
            exchange.close()
        if answer.type == coap.RST:
            raise Rejected(coap.INTERNAL_ERROR)
        if answer.code >= coap.BAD_REQUEST:
            raise Rejected(answer.code, answer.payload)
        return answer

    def tell(
        self,
        code: int,
        path: Sequence[str],
        payload: bytes,
        *,
        token: bytes = b"",
        query: Sequence[bytes] = (),
        extra: Sequence[tuple[int, bytes]] = (),
    ) -> int:
        """Send a message that expects no answer; return its message ID."""
        mid, more = self.next_mid(), {"path": path, "query": query, "extra": extra}
        message = coap.encode(coap.NON, code, mid, token, payload=payload, **more)
        self._send(message, request_kind(code, tuple(path)))
        return mid

    def _charge(self, kind: str) -> None:
        counters = self.services.usage.of(self.device_id)
        counters.calls += kind == CALL
        counters.reads += kind == READ
        self.operations(0, int(kind in (CALL, READ)))

    def sent_again(self, data: bytes, attempt: int) -> None:
        """Meter a message that is sent to the device for the n-th time."""
        message = coap.decode(data)
        self.services.usage.down(self.device_id, kind_of(message) or OTHER, len(data))
        self.operations(0, self.services.rules.again(message, attempt))

    def _send(self, data: bytes, kind: str) -> None:
        if self.closed:
            return
        self.services.usage.down(self.device_id, kind, len(data))
        self.channel.send(data)


def answer_kind(code: int, message: Message) -> str:
    """Return the kind of the acknowledgement of a message, as it is metered."""
    return ACK if code == coap.EMPTY else kind_of(message) or ACK
