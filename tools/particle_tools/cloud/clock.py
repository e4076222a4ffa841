"""The one source of time of the cloud: every timer and timestamp goes through a Clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime, timezone
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Tell and wait for time, running `scale` times faster than the wall.

    All arguments and results are seconds of this clock; `time()` is Unix time that starts at the
    real time and then runs at the scale.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if not scale > 0:
            raise ValueError("the time scale must be above 0")
        self.scale = scale
        self._epoch = time.time()
        self._start = time.monotonic()

    def monotonic(self) -> float:
        """Return seconds since this clock was made."""
        return (time.monotonic() - self._start) * self.scale

    def time(self) -> float:
        """Return Unix time."""
        return self._epoch + self.monotonic()

    def to_unix(self, moment: float) -> float:
        """Return what `time()` was when `monotonic()` was `moment`."""
        return self.time() - (self.monotonic() - moment)

    def from_unix(self, unix: float) -> float:
        """Return what `monotonic()` was at a Unix time; one that lies ahead counts as now."""
        return self.monotonic() - max(0.0, self.time() - unix)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds / self.scale)

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await with a limit. Raises asyncio.TimeoutError and cancels what was awaited."""
        return await asyncio.wait_for(awaitable, seconds / self.scale)


def iso(unix: float | None) -> str | None:
    """Format Unix time as ISO 8601 UTC with milliseconds (rest-api 1); None stays None."""
    if unix is None:
        return None
    seconds, milliseconds = divmod(round(unix * 1_000_000) // 1000, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _second(unix: int) -> str:
    return datetime.fromtimestamp(unix, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
