"""Publishing and server-sent event streams (rest-api 7).

A reader that sends Last-Event-ID is given ids with the persisted events, and first those it has
missed: 0 for all that are kept, else the last id it has seen. Others see no difference.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from particle_tools.cloud import catalogue
from particle_tools.cloud.events import FROM_API, TTL, Event
from particle_tools.cloud.products import Product
from particle_tools.cloud.rest import Ask, Route
from particle_tools.cloud.services import Services

_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}
_ID = re.compile(r"[0-9]{1,18}")
_MAX_TTL = 16_777_215
_LINE_ENDS = str.maketrans("", "", "\r\n")


@dataclass(frozen=True)
class Selection:
    """Which events a reader wants: names with a prefix, of one device, of one product."""

    services: Services
    prefix: str
    device_id: str | None = None
    product: Product | None = None

    def wants(self, event: Event) -> bool:
        """Tell whether the event is selected."""
        if not event.name.startswith(self.prefix) or self.device_id not in (None, event.core_id):
            return False
        if self.product is None or event.product == self.product.id:
            return True
        member = self.services.products.membership(event.core_id)
        return member is not None and member.product_id == self.product.id

    def shown(self, event: Event) -> str:
        """Return the body of the event in the stream; that of a product says more."""
        if self.product is None:
            return event.json
        device = self.services.devices.get(event.core_id)
        more = {
            "userid": str(event.owner),
            "version": device.product_version if device else None,
            "productID": self.product.id,
        }
        return f"{event.json[:-1]}, {json.dumps(more)[1:]}"


class Stream:
    """One reader. What it does not read is kept up to a limit; beyond that it is cut off.

    Being cut off is honest (the reader connects again and knows it missed something), dropping
    single events is not.
    """

    def __init__(
        self,
        limit: int,
        selection: Selection,
        last: int | None = None,
        expires_at: float | None = None,
    ) -> None:
        self.last = last  # id up to which persisted events were sent; None: nobody asks
        self._expires_at = float("inf") if expires_at is None else expires_at
        self._clock = selection.services.clock
        self._limit = limit
        self._selection = selection
        self._waiting: deque[tuple[int | None, bytes]] = deque()
        self._news = asyncio.Event()
        self._ended = False
        self.transport: asyncio.Transport | None = None

    def offer(self, event: Event) -> None:
        """Queue an event if it is selected."""
        if self.left() <= 0 or not self._selection.wants(event):
            return
        if self.transport is None:
            return
        # What was not even offered to the reader is no fault of his: a fleet publishes in bursts.
        if len(self._waiting) >= self._limit and self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        self._waiting.append((event.id, self._encoded(event)))
        self._news.set()

    def end(self) -> None:
        """Send what is queued, and no more."""
        self._ended = True
        self._news.set()

    def revoke(self) -> None:
        """Send nothing any more, not even what is queued."""
        self._expires_at = 0.0
        self._waiting.clear()
        self.end()

    def left(self) -> float:
        """Return for how many seconds the reader may hear anything; none when not above 0."""
        return self._expires_at - self._clock.time()

    def missed(self, events: list[Event]) -> bytes:
        """Return what is selected of persisted events that come before all that is queued."""
        self.last = events[-1].id
        wanted = (event for event in events if self._selection.wants(event))
        return b"".join(self._encoded(event) for event in wanted)

    def _encoded(self, event: Event) -> bytes:
        name = event.name.translate(_LINE_ENDS)
        mark = "" if self.last is None or event.id is None else f"id: {event.id}\n"
        return f"event: {name}\ndata: {self._selection.shown(event)}\n{mark}\n".encode()

    async def next(self) -> bytes:
        """Wait for events and return all that are queued. Raises ConnectionError at the end."""
        await self._news.wait()
        if self._ended and not self._waiting:
            raise ConnectionError("the cloud stops")
        self._news.clear()
        last = self.last or 0
        # An event that was committed while the missed ones were read may be among those.
        data = b"".join(d for id_, d in self._waiting if id_ is None or id_ > last)
        self._waiting.clear()
        if self._ended:
            self._news.set()
        return data


async def _serve(
    ask: Ask, prefix: str, device_id: str | None = None, product: Product | None = None
) -> web.StreamResponse:
    services, request = ask.services, ask.http
    last = _last(request)
    if last is not None and last > services.persisted.newest():
        last = 0  # what this reader has seen was of other data
    selection = Selection(services, prefix, device_id, product)
    token = services.accounts.check(ask.token or "")
    if token is None:
        raise catalogue.invalid_token()
    stream = Stream(ask.limits.stream_events, selection, last, token.expires_at)
    stream.transport = request.transport
    response = web.StreamResponse(headers=_HEADERS)
    owner = ask.who.id
    services.accounts.watch(token, stream.revoke)
    services.bus.listen(owner, stream.offer)
    services.streams.add(stream)
    try:
        await response.prepare(request)
        await _write(ask, response, b":ok\n\n")
        while stream.last is not None and stream.left() > 0:
            missed = services.persisted.after(owner, stream.last, ask.limits.stream_events)
            if not missed:
                break
            await _write(ask, response, stream.missed(missed))
        while (left := stream.left()) > 0:
            try:
                wait = min(ask.limits.keepalive_s, left)
                data = await services.clock.wait_for(stream.next(), wait)
            except asyncio.TimeoutError:
                data = b"\n"
            if stream.left() > 0:
                await _write(ask, response, data)
        return response  # revoked or expired
    except ConnectionError:
        return response  # the reader went away
    finally:
        services.accounts.unwatch(stream.revoke)
        services.bus.forget(owner, stream.offer)
        services.streams.discard(stream)


async def _write(ask: Ask, response: web.StreamResponse, data: bytes) -> None:
    """Write, and give a reader up that takes nothing for long. Raises ConnectionError."""
    try:
        await ask.services.clock.wait_for(response.write(data), ask.limits.stuck_s)
    except asyncio.TimeoutError as error:
        if ask.http.transport is not None:
            ask.http.transport.abort()
        raise ConnectionError("the reader does not read") from error


def _last(request: web.Request) -> int | None:
    value = request.headers.get("Last-Event-ID")
    if value is not None and not _ID.fullmatch(value):
        raise catalogue.bad_request("Last-Event-ID is the number of an event")
    return None if value is None else int(value)


async def _all(ask: Ask) -> web.StreamResponse:
    return await _serve(ask, ask.part("prefix"))


async def _no_prefix(ask: Ask) -> Any:
    raise catalogue.bad_request("event prefix filter is required")


async def _mine(ask: Ask) -> web.StreamResponse:
    return await _serve(ask, ask.http.match_info.get("prefix", ""))


async def _one(ask: Ask) -> web.StreamResponse:
    product = ask.product() if "product" in ask.http.match_info else None
    return await _serve(ask, ask.http.match_info.get("prefix", ""), ask.device().id, product)


async def _of_product(ask: Ask) -> web.StreamResponse:
    return await _serve(ask, ask.http.match_info.get("prefix", ""), product=ask.product())


async def _publish(ask: Ask) -> dict[str, Any]:
    name = ask.text("name", default="") or ""
    data = ask.text("data", default="") or ""
    if not 0 < len(name.encode()) <= ask.limits.name or not name.isprintable():
        raise catalogue.bad_request(f"An event name has 1 to {ask.limits.name} printable bytes")
    if len(data.encode()) > ask.limits.data:
        raise catalogue.bad_request(f"Event data has at most {ask.limits.data} bytes")
    try:
        ttl = int(ask.text("ttl", default=str(TTL)) or TTL)
    except ValueError as error:
        raise catalogue.bad_request("ttl is not a number of seconds") from error
    if not 0 <= ttl <= _MAX_TTL:
        raise catalogue.bad_request(f"ttl is 0 to {_MAX_TTL} seconds")
    ask.services.bus.publish(
        Event(
            name,
            data.encode(),
            FROM_API,
            ask.who.id,
            ask.services.clock.time(),
            ttl,
            product=ask.product().id if "product" in ask.http.match_info else None,
        )
    )
    return {"ok": True}


ROUTES = [
    Route("GET", "/v1/events", _no_prefix),
    Route("GET", "/v1/events/", _no_prefix),
    Route("GET", "/v1/events/{prefix:.+}", _all),
    Route("GET", "/v1/devices/events", _mine),
    Route("GET", "/v1/devices/events/{prefix:.*}", _mine),
    Route("GET", "/v1/devices/{device}/events", _one),
    Route("GET", "/v1/devices/{device}/events/{prefix:.*}", _one),
    Route("POST", "/v1/devices/events", _publish),
    Route("GET", "/v1/products/{product}/events", _of_product),
    Route("GET", "/v1/products/{product}/events/{prefix:.*}", _of_product),
    Route("GET", "/v1/products/{product}/devices/events", _of_product),
    Route("GET", "/v1/products/{product}/devices/events/{prefix:.*}", _of_product),
    Route("GET", "/v1/products/{product}/devices/{device}/events", _one),
    Route("GET", "/v1/products/{product}/devices/{device}/events/{prefix:.*}", _one),
    Route("POST", "/v1/products/{product}/events", _publish),
]
