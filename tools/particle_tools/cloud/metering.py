"""What a message is, and how many data operations it is (rest-api 15.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from particle_tools.cloud import coap

if TYPE_CHECKING:
    from particle_tools.cloud.coap import Message
    from particle_tools.cloud.settings import Metering

# Kinds; an answer is of the kind of its request.
EVENT, CALL, READ, PING, ACK, OTHER = "event", "call", "read", "ping", "ack", "other"
DESCRIBE, VITALS, SIGNAL = "describe", "vitals", "signal"
UPDATE, GOODBYE = "update", "goodbye"

_VITALS_QUERY = b"\x04"
_REQUESTS = {
    (coap.POST, "E"): EVENT,
    (coap.POST, "e"): EVENT,
    (coap.POST, "f"): CALL,
    (coap.GET, "v"): READ,
    (coap.POST, "h"): "hello",
    (coap.GET, "e"): "subscribe",
    (coap.GET, "d"): DESCRIBE,
    (coap.POST, "d"): DESCRIBE,
    (coap.GET, "t"): "time",
    (coap.PUT, "s"): SIGNAL,
    (coap.POST, "u"): UPDATE,
    (coap.PUT, "u"): UPDATE,
    (coap.POST, "c"): UPDATE,
    (coap.GET, "c"): UPDATE,
    (coap.POST, "S"): UPDATE,
    (coap.POST, "C"): UPDATE,
    (coap.POST, "A"): UPDATE,
    (coap.POST, "F"): UPDATE,
    (coap.POST, "x"): GOODBYE,
    (coap.POST, "L"): "ledger",
}
KINDS = tuple(sorted({*_REQUESTS.values(), PING, ACK, VITALS, OTHER}))

_ONE = 1024  # bytes of an event in one operation
_ATTEMPTS = 3  # of a delivery that are counted (rest-api 15.1)
_SYSTEM = ("particle", "spark")
_ASKED = {f"{prefix}/device/{what}" for prefix in _SYSTEM for what in ("name", "ip", "random")}


def request_kind(code: int, path: tuple[str, ...], query: bytes = b"") -> str:
    """Return the kind of a request."""
    kind = _REQUESTS.get((code, path[0]), OTHER) if path else OTHER
    return VITALS if kind == DESCRIBE and query == _VITALS_QUERY else kind


def kind_of(message: Message) -> str | None:
    """Return the kind of a message; None for an answer, which is of its request's kind."""
    if message.code == coap.EMPTY:
        return PING if message.type == coap.CON else ACK
    if not message.is_request:
        return None
    kind = _REQUESTS.get((message.code, message.path[0]), OTHER) if message.path else OTHER
    return VITALS if kind == DESCRIBE and message.query == _VITALS_QUERY else kind


class Rules:
    """How many operations something is."""

    def __init__(self, settings: Metering) -> None:
        self._settings = settings

    def publish(self, name: str, size: int) -> int:
        """Return the operations of an event of a device, with `size` bytes of data."""
        if name.startswith(_SYSTEM):
            # The other half of those is the answer.
            return (self._settings.asked + 1) // 2 if name in _ASKED else 0
        if self._settings.large_publish == "one":
            return 1
        return max(1, -(-size // _ONE))

    def delivery(self, name: str) -> int:
        """Return the operations of one attempt to deliver an event to a device."""
        if name.startswith(_SYSTEM):
            return self._settings.asked // 2 if name in _ASKED else 0
        return 1

    def repeated(self, message: Message) -> int:
        """Return the operations of a message that came from the device once more."""
        if not self._settings.repeated_publish or kind_of(message) != EVENT:
            return 0
        return self.publish(message.name, len(message.payload))

    def again(self, message: Message, attempt: int) -> int:
        """Return the operations of a message that is sent to the device for the n-th time."""
        if attempt > _ATTEMPTS:
            return 0
        kind = kind_of(message)
        if kind == EVENT:
            return self.delivery(message.name)
        return int(kind in (CALL, READ))
