"""How many chunks may be on their way at once, without I/O.

The window follows the delay, not the loss: a link that loses a tenth of what it carries is not
full, and whoever answers each loss with half the speed leaves most of it idle. As long as a round
trip takes hardly longer than the shortest one the window grows; when a queue builds up it shrinks.
Times are seconds of the cloud's clock.
"""

from __future__ import annotations

from collections import deque

_FIRST = 4.0  # chunks; a device may have room for six datagrams
_LEAST = 4.0  # a device acknowledges two at once, and the tail of two is soon lost
# Delay that we may cause ourselves: it carries the link over pauses of either end. Where chunks
# are lost it is also time in which a gap stays open.
_QUEUE_S, _LOSSY_QUEUE_S = 0.2, 0.06
_LOSSY = 0.02  # of the chunks, lately
_FLOOR = 5.0  # chunks, however long their queue: a device may keep four beyond a gap
_SHRINK = 0.85
_CONGESTED = 0.35  # of a round lost: no link does that all the time, a queue that is full does
_LOST_SHRINK = 0.7
_ENOUGH = 8  # chunks of a round that tell something about loss
_BASE_ROUNDS = 64  # whose shortest round trip counts: the path may have changed since
_GAIN, _VARIATION_GAIN = 1 / 8, 1 / 4  # RFC 6298, 2.3
_UNKNOWN_S = 0.8  # of a round trip before there is one


class Pace:
    """Round trips, and the window that follows from them."""

    def __init__(self) -> None:
        self.window = _FIRST
        self.smooth = _UNKNOWN_S
        self.variation = _UNKNOWN_S / 4
        self._known = False
        self._starting = True  # the window doubles with each round
        self._bases: deque[float] = deque(maxlen=_BASE_ROUNDS)
        self._shortest: float | None = None  # of this round
        self._until = 0  # number of the transmission that ends it
        self._arrived = self._lost = 0
        self._share = 0.0  # of what was lost, smoothed

    @property
    def shortest(self) -> float:
        """The shortest round trip lately; 0 before there is one."""
        known = list(self._bases)
        if self._shortest is not None:
            known.append(self._shortest)
        return min(known, default=0.0)

    def sample(self, seconds: float) -> None:
        """Take a round trip of a chunk that was sent once."""
        self._shortest = seconds if self._shortest is None else min(self._shortest, seconds)
        if seconds - self.shortest > _QUEUE_S:
            self._starting = False  # the next round would fill the queue, and lose a part of it
        if not self._known:
            self._known = True
            self.smooth, self.variation = seconds, seconds / 2
            return
        self.variation += _VARIATION_GAIN * (abs(self.smooth - seconds) - self.variation)
        self.smooth += _GAIN * (seconds - self.smooth)

    def lost(self, count: int) -> None:
        """Take note of chunks that have to be sent again."""
        self._lost += count

    def arrived(self, count: int, newest: int, following: int) -> None:
        """Take note of chunks that arrived, the newest in the order of transmissions.

        following: the number of the next transmission.
        """
        self._arrived += count
        if newest < self._until:
            return
        self._round()
        self._until = following
        self._arrived = self._lost = 0
        self._shortest = None

    def _round(self) -> None:
        total = self._arrived + self._lost
        self._share += _GAIN * (self._lost / max(1, total) - self._share)
        if total >= _ENOUGH and self._lost > _CONGESTED * total:
            self._starting = False
            self.window = max(_LEAST, self.window * _LOST_SHRINK)
        if self._shortest is None:
            return  # only repetitions arrived: nothing is known about the delay
        self._bases.append(self._shortest)
        queue = _QUEUE_S if self._share < _LOSSY else _LOSSY_QUEUE_S
        if self._shortest - min(self._bases) > queue:
            self._starting = False
            self.window = max(min(_FLOOR, self.window), self.window * _SHRINK)
        elif total + 1 >= self.window:  # it was used
            self.window = self.window * 2 if self._starting else self.window + 1

    def silent(self) -> None:
        """Nothing was acknowledged in time: try with little until something is."""
        self._starting = False
        self.window = max(_LEAST, self.window / 2)
