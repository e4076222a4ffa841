"""Guessing passwords is slow: wrong ones in a row block an address, and a user name (rest-api 14).

An address is blocked whatever it tries, a name wherever it is tried from: neither many names from
one host nor one name from many hosts gets more than a few attempts. Only in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from particle_tools.cloud.clock import Clock
from particle_tools.cloud.settings import Limits

_KEEP = 10_000  # names and addresses with wrong attempts; the oldest give way


@dataclass
class _Row:
    failures: int = 0
    until: float = 0.0  # of the clock; blocked before


class LoginLimits:
    """Counts attempts. A login is counted as wrong when it begins, so that many at once gain
    nothing, and forgiven when it was right."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._rows: dict[tuple[str, str], _Row] = {}

    def begin(self, username: str, address: str) -> float:
        """Count an attempt; return the seconds to wait if it is not allowed, else 0."""
        now = self._clock.monotonic()
        rows = [self._row(key) for key in _keys(username, address)]
        wait = max(row.until for row in rows) - now
        if wait > 0:
            return wait
        for row, seconds in zip(
            rows, (self._limits.address_block_s, self._limits.name_block_s), strict=True
        ):
            if row.failures >= self._limits.login_failures:
                row.failures = 0  # blocked before, and the time is over
            row.failures += 1
            if row.failures >= self._limits.login_failures:
                row.until = now + seconds
        return 0.0

    def succeeded(self, username: str, address: str) -> None:
        """Forget the attempts before: the password was right."""
        for key in _keys(username, address):
            self._rows.pop(key, None)

    def _row(self, key: tuple[str, str]) -> _Row:
        row = self._rows.pop(key, None) or _Row()
        self._rows[key] = row  # the newest is at the end
        if len(self._rows) > _KEEP:
            del self._rows[next(iter(self._rows))]
        return row


def _keys(username: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("address", address), ("name", username.casefold()[:256])
