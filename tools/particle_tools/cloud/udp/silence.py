"""How long a device on UDP is silent, and how long it usually is (cloud-protocol 3.7).

Times are seconds of the cloud's clock.
"""

from __future__ import annotations

from collections import deque

_REMEMBERED = 8


class Silence:
    """The silence of one device."""

    __slots__ = ("_lately", "since", "usual")

    def __init__(self, now: float) -> None:
        self.since = now  # when it was heard last
        self.usual = 0.0  # what its kind is known for
        self._lately: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def longest(self) -> float:
        """What its kind is known for, or what it has shown to be usual."""
        return max(self.usual, *self._lately, 0.0)

    @property
    def limit(self) -> float:
        """The silence after which a device counts as offline."""
        return 2 * self.longest

    @property
    def least(self) -> float:
        """What `limit` never falls below, whatever the device learns to do."""
        return 2 * self.usual

    def restore(self, since: float, usual: float, longest: float) -> None:
        """Go on after a restart."""
        self.since, self.usual = since, usual
        self._lately.append(longest)

    def broken(self, now: float, *, learn: bool) -> None:
        """Take note that the device was heard; `learn`: its silence was its own choice."""
        if learn:
            self._lately.append(now - self.since)
        self.since = now

    def unlearn(self) -> None:
        """Forget what was usual: a new session may have another keep-alive."""
        self._lately.clear()
