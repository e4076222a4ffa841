"""How often anybody may ask: the limits of rest-api 14, kept only where the operator wants it.

Requests are counted in windows that begin with the first one. Devices have a bucket each: a burst,
then one event a second. All in memory; the oldest rows give way, so that no flood costs more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from particle_tools.cloud import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from particle_tools.cloud.clock import Clock
    from particle_tools.cloud.services import Services
    from particle_tools.cloud.settings import Rates

_KEEP = 10_000
_CREDENTIALS = ("/oauth/token", "/v1/access_tokens", "/v1/users", "/v1/user/password-reset")
_SERIAL = "/v1/serial_numbers/"
_EVENTS = "/events"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RateLimits:
    """Counts, and says how long to wait."""

    def __init__(self, rates: Rates, clock: Clock) -> None:
        self._rates = rates
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}  # begin, requests
        self._buckets: dict[str, tuple[float, float]] = {}  # when, events that are left then
        self._open: dict[str, int] = {}  # streams of an address

    def request(self, method: str, path: str, address: str, account: str | None) -> float:
        """Count a request; return the seconds to wait if it is one too many, else 0."""
        rates = self._rates
        if not rates.strict:
            return 0.0
        rules = [("requests", address, rates.requests, rates.window_s)]
        if path.startswith(_CREDENTIALS):
            rules.append(("credentials", address, rates.credentials, rates.window_s))
        if is_stream(method, path):
            rules.append(("streams", address, rates.streams, rates.window_s))
        if path.startswith(_SERIAL) and account is not None:
            rules.append(("serial", account, rates.serial_numbers, rates.serial_window_s))
        return max([self._count(name, key, most, s) for name, key, most, s in rules])

    @contextmanager
    def stream(self, address: str) -> Iterator[bool]:
        """Count a stream as long as it is open; give False if it is one too many."""
        room = not self._rates.strict or self._open.get(address, 0) < self._rates.open_streams
        self._open[address] = self._open.get(address, 0) + 1
        try:
            yield room
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def publish(self, device_id: str) -> float:
        """Count an event of a device; return the seconds to wait if it is one too many, else 0."""
        rates = self._rates
        if not rates.strict:
            return 0.0
        now = self._clock.monotonic()
        since, left = self._buckets.pop(device_id, (now, float(rates.device_burst)))
        left = min(rates.device_burst, left + (now - since) * rates.device_events_per_s)
        enough = left >= 1
        self._buckets[device_id] = now, left - enough
        if len(self._buckets) > _KEEP:
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if enough else (1 - left) / rates.device_events_per_s

    def _count(self, name: str, key: str, most: int, seconds: float) -> float:
        now = self._clock.monotonic()
        begin, count = self._windows.pop((name, key), (now, 0))
        if now - begin >= seconds:
            begin, count = now, 0
        self._windows[name, key] = begin, count + 1  # the newest is at the end
        if len(self._windows) > _KEEP:
            del self._windows[next(iter(self._windows))]
        return begin + seconds - now if count >= most else 0.0


def is_stream(method: str, path: str) -> bool:
    """Tell whether a path without its query is one of an event stream."""
    words = path.split("/")
    return method == "GET" and path.startswith("/v1/") and _EVENTS[1:] in words[2:5]


def middleware(services: Services) -> Callable:
    """Make the part of the application that refuses what is too much."""
    limits = services.rates

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        address, path = request.remote or "", request.path
        wait = limits.request(request.method, path, address, _account(request))
        if wait:
            raise catalogue.too_many(wait)
        if not is_stream(request.method, path):
            return await handler(request)
        with limits.stream(address) as room:
            if not room:
                raise catalogue.too_many(1.0)
            return await handler(request)

    def _account(request: web.Request) -> str | None:
        if not request.path.startswith(_SERIAL):
            return None
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip() or request.query.get("access_token", "")
        known = services.accounts.check(token) if token.isascii() else None
        # Who has no account is counted by what he tries instead.
        return (
            str(known.user.id)
            if known
            else hashlib.sha256(token.encode(errors="replace")).hexdigest()
        )

    return refuse
