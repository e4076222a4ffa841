"""CON and ACK on a lossy path, without I/O: repetition and duplicates (cloud-protocol 3.3, 3.4).

Times are seconds of the cloud's clock.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

ACK_TIMEOUT_S = 4.0
_SOONEST_S, _UNKNOWN_S = 0.3, 1.0  # until a repetition of what everything waits for
_GAIN = 1 / 8  # of a round trip (RFC 6298, 2.3)
TRANSMISSIONS = 4
# A real device repeats a message for at most 45 s (3.3), ours for 234 s on a path that loses much
# (RFC 7252 4.8.2 has 247 s); the rest is delay on the way.
REMEMBERED_S = 300.0
_REMEMBERED = 512  # messages; a device sends a few per second
_JITTER = 512
_STORED = 2 * 16  # bytes of IDs
_EMPTY_ACK = b"\x60\x00"


class _Waiting:
    """A CON that is not acknowledged."""

    __slots__ = ("data", "due", "early", "once", "regular", "sent", "since")

    def __init__(self, data: bytes, now: float) -> None:
        self.data = data
        self.since = now
        self.sent = 0
        self.due = self.regular = now
        self.early = 0.0  # seconds between two repetitions before the regular ones
        self.once = True  # it was not repeated
        self.again(now)

    def again(self, now: float) -> None:
        timeout = ACK_TIMEOUT_S * (1 << self.sent)
        self.due = self.regular = now + timeout + timeout * random.randrange(256) / _JITTER
        self.sent += 1

    def sooner(self, seconds: float, now: float) -> None:
        self.early = seconds
        self.due = min(now + seconds, self.regular)


class Due(NamedTuple):
    """What became due: messages to send again, each with the number of times it is sent then,
    and start times of those given up."""

    again: list[tuple[bytes, int]]
    given_up: list[float]


class Reliability:
    """The confirmable messages of one session in both directions."""

    __slots__ = ("_done", "_round_trip", "_seen", "_waiting", "repeats", "retransmissions")

    def __init__(self) -> None:
        self._round_trip: float | None = None  # seconds, smoothed
        self._waiting: dict[int, _Waiting] = {}
        self._seen: OrderedDict[int, tuple[float, bytes]] = OrderedDict()
        self._done = b""  # the IDs of the newest empty ACKs
        self.retransmissions = 0
        self.repeats = 0  # messages of the device that came again

    # Ours.

    @property
    def waiting(self) -> int:
        """How many CONs of ours are not acknowledged."""
        return len(self._waiting)

    def sending(self, mid: int, data: bytes, now: float) -> None:
        """Take note of a CON that is sent now."""
        self._waiting[mid] = _Waiting(data, now)

    def soon(self, mid: int, now: float) -> None:
        """Repeat a CON for which everything waits before its first time-out already.

        After twice the time that an answer usually takes, and then more and more seldom.
        """
        waiting = self._waiting.get(mid)
        if waiting is not None:
            usual = _UNKNOWN_S if self._round_trip is None else 2 * self._round_trip
            waiting.sooner(max(_SOONEST_S, usual), now)

    def acknowledged(self, mid: int, now: float | None = None) -> bool:
        """Take an ACK or RST; return False if it matches nothing that waits."""
        waiting = self._waiting.pop(mid, None)
        if waiting is None:
            return False
        if now is not None and waiting.once:
            took = now - waiting.since
            last = took if self._round_trip is None else self._round_trip
            self._round_trip = last + (took - last) * _GAIN
        return True

    def deadline(self) -> float | None:
        """Return when `due` has something next."""
        return min((w.due for w in self._waiting.values()), default=None)

    def due(self, now: float) -> Due:
        """Return what is to be sent again; forget what was sent often enough."""
        result = Due([], [])
        for mid, waiting in list(self._waiting.items()):
            if waiting.due > now:
                continue
            waiting.once = False
            if waiting.early and now < waiting.regular:
                waiting.sooner(2 * waiting.early, now)
                self.retransmissions += 1
                result.again.append((waiting.data, waiting.sent))
            elif waiting.sent >= TRANSMISSIONS:
                del self._waiting[mid]
                result.given_up.append(waiting.since)
            else:
                waiting.again(now)
                self.retransmissions += 1
                result.again.append((waiting.data, waiting.sent))
        return result

    def unseen(self, mid: int) -> bool:
        """Tell whether a CON of ours waits for its acknowledgement."""
        return mid in self._waiting

    def forget(self, but: Callable[[int], bool] = lambda mid: False) -> list[int]:
        """Repeat nothing any more but the IDs of which `but` is true, which are returned."""
        self._waiting = {mid: w for mid, w in self._waiting.items() if but(mid)}
        return list(self._waiting)

    def hurry(self, mid: int, now: float, *, last: bool) -> None:
        """Let a CON of ours be due if it still waits; `last`: it is not sent more than once."""
        waiting = self._waiting.get(mid)
        if waiting is not None:
            waiting.due = now
            if last:
                waiting.sent = max(waiting.sent, TRANSMISSIONS - 1)

    # The device's.

    def new(self, mid: int, now: float) -> bool:
        """Take a CON of the device; return False if it was here before."""
        while self._seen:
            oldest, (since, _) = next(iter(self._seen.items()))
            if now - since < REMEMBERED_S and len(self._seen) < _REMEMBERED:
                break
            self.retract(oldest)
        if mid in self._seen:
            self.repeats += 1
            return False
        self._seen[mid] = (now, b"")
        return True

    def knows(self, mid: int, now: float) -> bool:
        """Tell whether a CON of the device was here before."""
        return mid in self._seen and now - self._seen[mid][0] < REMEMBERED_S

    def done(self) -> bytes:
        """Return the newest message IDs that got an empty ACK, as they are stored."""
        return self._done

    def restore(self, done: bytes, since: float) -> None:
        """Take up what `done` returned before a restart, all seen at the time `since`."""
        for at in range(0, len(done) - 1, 2):
            mid = int.from_bytes(done[at : at + 2], "big")
            self._seen[mid] = since, b""
            self.answered(mid, _EMPTY_ACK + done[at : at + 2])

    def retract(self, mid: int) -> None:
        """Forget a CON of the device, as one that failed: when it comes again it is new."""
        self._seen.pop(mid, None)
        if mid.to_bytes(2, "big") in self._done:
            pairs = (self._done[at : at + 2] for at in range(0, len(self._done), 2))
            self._done = b"".join(pair for pair in pairs if int.from_bytes(pair, "big") != mid)

    def answered(self, mid: int, data: bytes) -> None:
        """Keep the acknowledgement of a CON of the device."""
        entry = self._seen.get(mid)
        if entry is not None:
            self._seen[mid] = (entry[0], data)
            if data[:2] == _EMPTY_ACK:
                self._done = (self._done + data[2:])[-_STORED:]

    def answer(self, mid: int) -> bytes:
        """Return the acknowledgement of a repeated CON, empty if it is still being worked on."""
        entry = self._seen.get(mid)
        return entry[1] if entry else b""
