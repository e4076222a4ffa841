"""What goes out to one device: only under numbers that are reserved, in few datagrams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from particle_tools.cloud import coap
from particle_tools.cloud.dtls.connection import STEP, NoNumber
from particle_tools.cloud.udp.association import Association

_HELD = 256  # messages waiting for numbers
_HALF = 0x8000


class Outbox:
    """Messages on their way into records, records on their way into datagrams."""

    __slots__ = ("_dtls", "_flusher", "_held", "_reserve", "_transmit", "corked", "mid_limit")

    def __init__(
        self,
        dtls: Association,
        reserve: Callable[[], None],
        transmit: Callable[[list[bytes]], None],
    ) -> None:
        self.mid_limit = 0  # the last message ID that is reserved
        self.corked = False  # somebody will flush soon
        self._dtls = dtls
        self._reserve = reserve  # asks for more numbers; `release` follows
        self._transmit = transmit
        self._held: deque[bytes] = deque()
        self._flusher: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Send a message now, or as soon as there is a number for it."""
        connection = self._dtls.connection
        if connection is None or connection.exhausted:
            return
        if not self._held and self._reserved(data):
            try:
                self._dtls.write(data)
            except NoNumber:
                pass
            else:
                if connection.limit - connection.number < STEP // 2:
                    self._reserve()
                self._flush_soon()
                return
        if len(self._held) < _HELD:
            self._held.append(data)
        self._reserve()

    def release(self, limit: int, mid_limit: int) -> None:
        """Use the numbers that are on storage now."""
        assert self._dtls.connection is not None
        self._dtls.connection.limit, self.mid_limit = limit, mid_limit
        held, self._held = self._held, deque()
        for data in held:
            self.write(data)

    def flush(self) -> None:
        """Send the records that wait."""
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        datagrams = self._dtls.datagrams()
        if datagrams:
            self._transmit(datagrams)

    def _reserved(self, data: bytes) -> bool:
        # An acknowledgement carries the device's id, all else one of ours.
        kind, mid = data[0] >> 4 & 3, data[2] << 8 | data[3]
        beyond = (mid - self.mid_limit) & 0xFFFF
        return kind in (coap.ACK, coap.RST) or not 0 < beyond < _HALF

    def _flush_soon(self) -> None:
        if not self.corked and self._flusher is None:
            # What is sent in one turn of the loop shares datagrams.
            self._flusher = asyncio.get_running_loop().call_soon(self.flush)
