"""Requests to one device that wait for an answer, many at a time.

Keyed by the one-byte token for answers and by message ID for acknowledgements
(cloud-protocol 3.1, 3.5).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message
from particle_tools.cloud.metering import CALL, DESCRIBE, OTHER, READ, SIGNAL, VITALS

# What another session of the device may answer. Not a transfer of firmware: that begins anew.
_GOES_ON = (CALL, READ, SIGNAL, DESCRIBE, VITALS)


class DeviceError(Exception):
    """A request to a device did not give a value. REST turns the subclasses into statuses."""


class NoAnswer(DeviceError):
    """The device is offline, went away, or did not answer in time."""


class Paused(DeviceError):
    """The account's plan is used up. `seconds`: until the next month."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the account is paused")
        self.seconds = seconds


class Busy(DeviceError):
    """All 256 tokens of the session are waiting for answers."""


class TooLong(DeviceError):
    """The request does not fit into the device's buffer."""


class Rejected(DeviceError):
    """The device answered with an error code."""

    def __init__(self, code: int, payload: bytes = b"") -> None:
        super().__init__(f"the device answered {code >> 5}.{code & 31:02d}")
        self.code = code
        self.payload = payload


class BadValue(DeviceError):
    """The device answered with bytes that are not a value of the announced type."""


class Exchange:
    """One request: the answer arrives in `answer`."""

    def __init__(self, table: Exchanges, token: int, mid: int, kind: str = OTHER) -> None:
        self.table = table
        self.kind = kind
        self.token = token
        self.mid = mid
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def settle(self, message: Message) -> None:
        """Complete with an answer; later ones are ignored."""
        if not self.answer.done():
            self.answer.set_result(message)

    def close(self) -> None:
        """Forget the request; a late answer to it is ignored from now on."""
        self.table.remove(self)


class Exchanges:
    """The table of one session."""

    def __init__(self) -> None:
        self._by_token: dict[int, Exchange] = {}
        self._by_mid: dict[int, Exchange] = {}
        self._pings: dict[int, Exchange] = {}
        self._last = secrets.randbelow(256)

    def open(self, mid: int, kind: str = OTHER) -> Exchange:
        """Start a request under the next free token. Raises Busy."""
        # Tokens go round, so that a late answer does not meet a new question.
        for _ in range(256):
            self._last = (self._last + 1) & 0xFF
            if self._last not in self._by_token:
                exchange = Exchange(self, self._last, mid, kind)
                self._add(exchange)
                return exchange
        raise Busy("the device has 256 unanswered requests")

    def ping(self, mid: int) -> Exchange:
        """Start a ping: whatever the device sends next answers it (3.7)."""
        exchange = Exchange(self, -1, mid)
        self._pings[mid] = exchange
        return exchange

    def remove(self, exchange: Exchange) -> None:
        """Take a request, or a ping, out of the table."""
        if self._by_token.get(exchange.token) is exchange:
            del self._by_token[exchange.token]
        self._by_mid.pop(exchange.mid, None)
        self._pings.pop(exchange.mid, None)

    def go_on(self, unseen: Callable[[int], bool]) -> Exchanges:
        """Take out, into the table of the device's next session, what that one may answer.

        unseen: tells of a message ID that the device has not acknowledged it. Who has seen a
        request has lost the answer to it, or was reset by it: it is not to come a second time.
        """
        following = Exchanges()
        following._last = self._last
        for exchange in list(self._by_token.values()):
            if exchange.kind in _GOES_ON and unseen(exchange.mid):
                self.remove(exchange)
                exchange.table = following
                following._add(exchange)
        return following

    def harmless(self, mid: int) -> bool:
        """Tell whether a device that was reset may do again what the message asks for."""
        return mid in self._by_mid and self._by_mid[mid].kind != CALL

    def knows(self, mid: int) -> bool:
        """Tell whether a message ID of ours waits for its acknowledgement."""
        return mid in self._by_mid or mid in self._pings

    def kind(self, message: Message) -> str:
        """Return the kind of the request that a message answers."""
        exchange = self._by_mid.get(message.mid) if message.type == coap.ACK else None
        exchange = exchange or self._token(message)
        return exchange.kind if exchange is not None else OTHER

    def heard(self, message: Message) -> None:
        """Answer the pings: any message proves that the device is there."""
        for exchange in list(self._pings.values()):
            exchange.settle(message)

    def acknowledged(self, message: Message) -> None:
        """Take an ACK or RST: an empty ACK only means wait, anything else is the answer."""
        if message.type == coap.ACK and message.code == coap.EMPTY:
            return
        exchange = self._by_mid.get(message.mid)
        if exchange is None and message.type == coap.ACK:
            # Real devices acknowledge a signal with an id of their own (11): the token counts.
            exchange = self._token(message)
        if exchange is not None:
            exchange.settle(message)

    def answered(self, message: Message) -> bool:
        """Take a separate response; return False if nobody waits for its token (any more)."""
        exchange = self._token(message)
        if exchange is None or exchange.answer.done():
            return False
        exchange.settle(message)
        return True

    def fail(self, error: DeviceError) -> None:
        """End every request with an error."""
        for exchange in [*self._by_token.values(), *self._pings.values()]:
            if not exchange.answer.done():
                exchange.answer.set_exception(error)
                exchange.answer.exception()  # seen, even if whoever waited is cancelled already

    def _add(self, exchange: Exchange) -> None:
        self._by_token[exchange.token] = exchange
        self._by_mid[exchange.mid] = exchange

    def _token(self, message: Message) -> Exchange | None:
        return self._by_token.get(message.token[0]) if len(message.token) == 1 else None
