"""Chunks of one transfer with OTA protocol v3: what to send now, what to send again, without I/O.

A chunk counts as lost when chunks sent after it have arrived (RFC 9002, 6.1), or when nothing is
heard at all. Only the cumulative number of an acknowledgement is final: what a bitmap shows may
be gone with the next one, as a device that restarts or has little memory does it.
Source: cloud-protocol 5.2.3. Times are seconds of the cloud's clock.
"""

from __future__ import annotations

from typing import NamedTuple

from particle_tools.cloud.ota.pace import Pace

_REORDERED = 3  # transmissions that may overtake
# A device may keep few chunks beyond a gap and drop the rest: it is to be closed at once, and not
# much is to be on its way. Until more was seen every device is taken for one.
_FEW = 4
_FEW_REORDERED = 1
_FEW_WINDOW = 8
_LATE = 1.25  # round trips after which what was overtaken is lost
_ACK_DELAY_S = 0.25  # a device waits 200 ms for a second chunk
_LONGEST_S = 8.0  # between two attempts to reach a device that is silent
_TICK_S = 0.001
_WORD = 4


class _Flight(NamedTuple):
    order: int  # of all transmissions
    since: float
    again: bool


class Window:
    """The state of all chunks. `chunks`: their number; `limit`: the device's window in chunks."""

    def __init__(self, chunks: int, limit: int, now: float) -> None:
        self.chunks = chunks
        self.acknowledged = 0  # all chunks up to this one have arrived
        self.heard = self.progress = now  # the last acknowledgement; the last that was news
        self.transmissions = 0
        self.contradictions = 0  # acknowledgements of what was never sent
        self._limit = max(1, limit)
        self._pace = Pace()
        self._next = 1  # never sent yet
        self._flights: dict[int, _Flight] = {}  # in the order of their transmission
        self._beyond: set[int] = set()  # arrived beyond a gap
        self._lost: set[int] = set()
        self._kept = 0  # the most chunks that the device ever showed beyond a gap
        self._gaps = False  # there was one
        self._newest = -1  # transmission of which the arrival is known
        self._silent = 0  # timers that passed since an acknowledgement
        self._since = now  # begin of the silence

    @property
    def done(self) -> bool:
        """Tell whether everything has arrived."""
        return self.acknowledged >= self.chunks

    def take(self, now: float) -> int | None:
        """Return a chunk to send now, counted from 1; None if none may be sent."""
        if self.done or len(self._flights) >= self._room():
            return None
        if self._lost:
            index, again = min(self._lost), True
            self._lost.remove(index)
        elif self._next <= min(self.chunks, self.acknowledged + self._limit):
            index, again = self._next, False
            self._next += 1
        else:
            return None
        if not self._flights:
            self._since = now
        self._flights[index] = _Flight(self.transmissions, now, again)
        self.transmissions += 1
        return index

    def _room(self) -> int:
        room = int(self._pace.window)
        if self._gaps and self._kept <= _FEW:
            room = min(room, _FEW_WINDOW)
        return room + bool(self._lost)  # a gap is closed first

    def acknowledge(self, cumulative: int, bitmap: bytes, now: float) -> None:
        """Take an acknowledgement; one that cannot be true is counted and changes nothing."""
        bits = int.from_bytes(bitmap, "little")
        top = cumulative + bits.bit_length()
        if top >= self._next or bits & 1 or len(bitmap) % _WORD:
            self.contradictions += 1
            return
        self.heard = self._since = now
        self._silent = 0
        if cumulative < self.acknowledged:
            return  # overtaken by a newer one
        beyond = {cumulative + 1 + at for at in range(bits.bit_length()) if bits >> at & 1}
        arrived = [i for i in self._flights if i <= cumulative or i in beyond]
        if cumulative > self.acknowledged or beyond - self._beyond:
            self.progress = now
        self._kept = max(self._kept, len(beyond))
        self._gaps = self._gaps or bool(beyond)
        gone = {i for i in self._beyond - beyond if i > cumulative}
        self._lost = {i for i in self._lost | gone if i > cumulative and i not in beyond}
        self.acknowledged, self._beyond = cumulative, beyond
        self._landed(arrived, now)
        self._overtaken(now)

    def _landed(self, arrived: list[int], now: float) -> None:
        if not arrived:
            return
        flights = [self._flights.pop(index) for index in arrived]
        last = max(flights)
        # An answer that comes sooner than any can is one to an earlier transmission.
        known = [f for f in flights if not f.again or now - f.since >= self._pace.shortest]
        if not last.again:
            self._pace.sample(max(_TICK_S, now - last.since))
        if known:
            self._newest = max(self._newest, max(known).order)
        self._pace.arrived(len(flights), last.order, self.transmissions)

    def _overtaken(self, now: float) -> None:
        late = self._pace.smooth * _LATE
        reordered = _REORDERED if self._kept > _FEW else _FEW_REORDERED
        lost = [
            index
            for index, flight in self._flights.items()
            if flight.order < self._newest
            and (self._newest - flight.order >= reordered or now >= flight.since + late)
        ]
        for index in lost:
            del self._flights[index]
        self._lost.update(lost)
        self._pace.lost(len(lost))

    def deadline(self) -> float:
        """Return when to call `expire`; nothing has to be sent before an acknowledgement."""
        late = self._pace.smooth * _LATE
        found = self._since + self._patience()
        for flight in self._flights.values():
            if flight.order < self._newest:
                found = min(found, flight.since + late)
                break  # the oldest is the first
        return found

    def _patience(self) -> float:
        pace = self._pace
        first = pace.smooth + 4 * pace.variation
        if not self._beyond:  # with a gap every chunk is acknowledged at once
            first += _ACK_DELAY_S
        return min(_LONGEST_S, first * (1 << min(self._silent, 16)))

    def expire(self, now: float) -> None:
        """Take note that the deadline has passed: what is on its way may be lost."""
        self._overtaken(now)
        if now < self._since + self._patience():
            return
        self._since = now
        self._silent += 1
        self._pace.silent()
        self._lost.update(self._flights)
        self._flights.clear()
        if not self._lost and self._next > self.acknowledged + 1:
            self._lost.add(self.acknowledged + 1)
