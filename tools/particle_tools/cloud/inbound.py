"""What the requests of a device mean: a table keyed (code, first path character).

Source: cloud-protocol 3.1 (dispatch table), 4.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from particle_tools.cloud import coap, strict_json, system_description, vitals
from particle_tools.cloud.blockwise import BLOCK1, BadBlock, Block
from particle_tools.cloud.coap import Message
from particle_tools.cloud.events import TTL, Event, Subscription
from particle_tools.cloud.updates import ENABLED, FORCED

if TYPE_CHECKING:
    from particle_tools.cloud.session import Session

_SYSTEM, _APPLICATION, _METRICS = 1, 2, 4  # Describe flags (4.2)
_PROTOBUF = 42
_ID_CHARACTERS = 24
_RANDOM_CHARACTERS = 40
_SUBSCRIPTIONS = 100
_PERSISTED = 65000  # option: number of a persisted event (DESIGN decision 7)
_PERSISTED_BYTES = 4
_LEDGER_GET_INFO, _NO_LEDGERS, _LEDGER_NOT_FOUND = b"\x08\x01", b"\x1a\x00", b"\x08\x04"
_VITALS = "spark/device/diagnostics/update"
_CLAIM_CODE = "spark/device/claim/code"
_LAST_RESET = "spark/device/last_reset"
_NOT_STARTED = "update_error"  # and why: what it has taken cannot be handed over
_ROLLED_BACK = "update_rollback"  # and why: its last update is given up (ota-and-boot 4.6)
_SAFE_MODE = "spark/device/safemode"
_SAFE_STATUS = "spark/status/safe-mode"
_SAFE_MODE_S = 20.0  # from a new connection to the event: with two that are lost
_APP_HASH = "spark/device/app-hash"


@dataclass(frozen=True)
class Answer:
    """The ACK of a CON; nothing is sent for a NON."""

    code: int = coap.EMPTY
    payload: bytes = b""
    options: tuple[tuple[int, bytes], ...] = ()


_OK = Answer()
_BAD = Answer(coap.BAD_REQUEST)

Handler = Callable[["Session", Message], Awaitable[Answer]]
HANDLERS: dict[tuple[int, str], Handler] = {}


def handles(*keys: tuple[int, str]) -> Callable[[Handler], Handler]:
    """Register the handler of (code, first path character)."""

    def register(handler: Handler) -> Handler:
        for key in keys:
            HANDLERS[key] = handler
        return handler

    return register


async def handle(session: Session, message: Message) -> Answer:
    """Do what a request asks and return the acknowledgement. A handler never waits for the
    device: the next message is read only after it."""
    if message.fault or not message.path or len(message.path[0]) != 1:
        return _BAD
    handler = HANDLERS.get((message.code, message.path[0]))
    if handler is None:
        return Answer(coap.NOT_FOUND)
    return await handler(session, message)


@handles((coap.POST, "h"))
async def _hello_again(session: Session, message: Message) -> Answer:
    return _OK if await session.channel.greeted(message.payload) else _BAD


@handles((coap.GET, "t"))
async def _time(session: Session, message: Message) -> Answer:
    now = int(session.services.clock.time())
    return Answer(coap.CONTENT, (now & 0xFFFFFFFF).to_bytes(4, "big"))


@handles((coap.GET, "e"))
async def _subscribe(session: Session, message: Message) -> Answer:
    prefix, only = message.name, None
    if message.payload:
        only = message.payload.decode(errors="replace").lower()
        if len(only) != _ID_CHARACTERS:
            return _BAD
    if not prefix and only is None and message.query != b"u":
        return _BAD
    if len(prefix.encode()) > session.services.settings.limits.name:
        return _BAD
    subscription = Subscription(prefix, only)
    if subscription not in session.subscriptions:
        if len(session.subscriptions) >= _SUBSCRIPTIONS:
            return _BAD
        await session.channel.subscribed([*session.subscriptions, subscription])
        session.subscribe(subscription)
    return _OK


@handles((coap.POST, "E"), (coap.POST, "e"))
async def _event(session: Session, message: Message) -> Answer:
    services = session.services
    limits = services.settings.limits
    name = message.name
    if not name or len(name.encode()) > limits.name or len(message.payload) > limits.data:
        return _BAD
    cost = services.rules.publish(name, len(message.payload))
    refused = _refused(session) if cost else None
    if refused is not None:
        return refused
    services.usage.of(session.device_id).events_up += 1
    if name == _CLAIM_CODE:
        return await _claim(session, message.payload.decode(errors="replace"))
    if name in _ASKED:
        session.operations(cost, 0)
        session.send_event(name, _ASKED[name](session).encode())
        return _OK
    event = Event(
        name,
        message.payload,
        session.device_id,
        session.owner,
        services.clock.time(),
        TTL if message.max_age is None else message.max_age,
        message.content_format,
    )
    number = message.option(_PERSISTED)
    if number is not None:
        if len(number) > _PERSISTED_BYTES:
            return _BAD
        kept = await session.channel.persist(int.from_bytes(number, "big"), event)
        if kept is None:
            # It was here before, under another message ID.
            session.operations(services.rules.repeated(message), 0)
            return _OK
        event = kept
    session.operations(cost, 0)
    services.bus.publish(event)
    if name in (ENABLED, FORCED):
        await services.updates.reported(session, name, message.payload)
    if name == _LAST_RESET:
        session.last_reset = message.payload.decode(errors="replace")
        if session.last_reset.startswith(_ROLLED_BACK):
            said = session.last_reset
            await services.updates.rolled_back(session.device_id, said, session.took)
        elif session.last_reset.startswith(_NOT_STARTED):
            await services.updates.not_started(session.device_id, session.last_reset)
    if name == _SAFE_MODE:
        await _safe_mode(session)
    return _OK


async def _safe_mode(session: Session) -> None:
    # who repairs devices learns what they have (rest-api 7.3)
    services, device_id = session.services, session.device_id
    session.safe_mode = True
    await services.devices.in_safe_mode(device_id)
    device, system = services.devices.get(device_id), services.devices.system(device_id)
    try:
        platform = device.platform_id if device else None
        described = system_description.to_json(*system, platform) if system else {}
    except (ValueError, RecursionError):
        described = {}
    data = strict_json.dumps(described, separators=(",", ":")).encode()
    now = services.clock.time()
    services.bus.publish(Event(_SAFE_STATUS, data, device_id, session.owner, now))


async def leave_safe_mode(session: Session) -> None:
    """Note that safe mode is over, unless a device that has come back says that it is not.

    It says so with every connection (ota-and-boot 2.4), and nothing when it is over.
    """
    await session.services.clock.sleep(_SAFE_MODE_S)
    if not session.safe_mode:
        await session.services.devices.out_of_safe_mode(session.device_id)


def _refused(session: Session) -> Answer | None:
    # 5.03, not 4.xx: a device keeps a persisted event for which there is no room now.
    services = session.services
    seconds = services.plans.wait(session.owner)
    if seconds is None:
        seconds = services.rates.publish(session.device_id)
    if not seconds:
        return None
    wait = max(1, math.ceil(seconds)).to_bytes(4, "big")
    return Answer(coap.UNAVAILABLE, options=((coap.MAX_AGE, wait),))


def _name_of(session: Session) -> str:
    device = session.services.devices.get(session.device_id)
    return (device.name if device else None) or ""


def _ip_of(session: Session) -> str:
    return session.channel.address.rpartition(":")[0]


def _random(session: Session) -> str:
    return secrets.token_hex(_RANDOM_CHARACTERS // 2)


# An application asks by publishing the name; the answer goes to that device only (4.14).
_ASKED = {
    f"{prefix}/device/{what}": answer
    for prefix in ("particle", "spark")
    for what, answer in (("name", _name_of), ("ip", _ip_of), ("random", _random))
}


async def _claim(session: Session, code: str) -> Answer:
    services = session.services
    if not await services.devices.use_claim_code(session.device_id, code):
        return _BAD
    device = services.devices.get(session.device_id)
    session.owned_by(device.owner if device else None)
    session.send_event("spark/device/claim/code", b"claimed")
    return _OK


@handles((coap.POST, "d"))
async def _describe(session: Session, message: Message) -> Answer:
    options: tuple[tuple[int, bytes], ...] = ()
    value = message.option(BLOCK1)
    if value is not None:
        options = ((BLOCK1, value),)
        try:
            body = session.bodies.add(message.query, Block.parse(value), message.payload)
        except BadBlock:
            return Answer(coap.REQUEST_INCOMPLETE, options=options)
        if body is None:
            return Answer(coap.CONTINUE, options=options)
        message = replace(message, payload=body)
    if not await store_describe(session, message):
        return _BAD
    # Old firmware sends no token; then an empty ACK is all it can match.
    return Answer(coap.CHANGED, options=options) if message.token else _OK


@handles((coap.POST, "A"))
async def _chunks_acknowledged(session: Session, message: Message) -> Answer:
    if session.transfer is not None:
        session.transfer.acknowledged(message)
    return _OK


@handles((coap.GET, "c"))
async def _chunks_missed(session: Session, message: Message) -> Answer:
    if session.transfer is not None:
        session.transfer.missed(message)
    return _OK


@handles((coap.POST, "x"))
async def _goodbye(session: Session, message: Message) -> Answer:
    session.leaving = "the device said goodbye"
    return _OK


@handles((coap.POST, "L"))
async def _ledger(session: Session, message: Message) -> Answer:
    # A device stays quiet about ledgers when it is told that there are none (7.2).
    asks_what_there_is = message.payload[:2] == _LEDGER_GET_INFO
    return Answer(coap.CHANGED, _NO_LEDGERS if asks_what_there_is else _LEDGER_NOT_FOUND)


async def take_vitals(session: Session, payload: bytes) -> None:
    """Store vitals and publish them to the account; nothing if they cannot be read."""
    try:
        body = vitals.to_json(vitals.parse(payload))
    except ValueError:
        return
    await session.services.diagnostics.add(session.device_id, body)
    data = strict_json.dumps(body, separators=(",", ":")).encode()
    now = session.services.clock.time()
    session.services.bus.publish(Event(_VITALS, data, session.device_id, session.owner, now))


async def store_describe(session: Session, message: Message) -> bool:
    """Store what a Describe says, posted or asked for; return False if it cannot be read."""
    devices = session.services.devices
    flags = message.query[0] if message.query else _SYSTEM | _APPLICATION
    if flags == _METRICS:
        await take_vitals(session, message.payload)
        return True
    if message.content_format == _PROTOBUF:
        await _describe_system(session, message.payload, _PROTOBUF)
        return True
    try:
        body = strict_json.loads(message.payload)
        functions, variables = body.get("f"), body.get("v")
        if functions is not None or variables is not None:
            await devices.describe(
                session.device_id,
                [str(name) for name in functions or []],
                {str(name): int(kind) for name, kind in (variables or {}).items()},
            )
            session.described.set()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False
    if "m" in body:
        await _describe_system(session, message.payload, 0)
    return True


async def _describe_system(session: Session, body: bytes, content_format: int) -> None:
    services, device_id = session.services, session.device_id
    before = services.devices.system(device_id)
    await services.devices.describe_system(device_id, body, content_format)
    session.system_described.set()
    application = _application(body, content_format)
    if application is not None and (before is None or application != _application(*before)):
        now = services.clock.time()
        data = application.encode()
        services.bus.publish(Event(_APP_HASH, data, device_id, session.owner, now))


def _application(body: bytes, content_format: int) -> str | None:
    try:
        return system_description.application(system_description.to_json(body, content_format, 0))
    except (ValueError, RecursionError):
        return None
