"""OTA protocol v3: chunks in a window, acknowledged by bitmaps (cloud-protocol 5.2)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message
from particle_tools.cloud.exchanges import DeviceError, NoAnswer
from particle_tools.cloud.ota import wire
from particle_tools.cloud.ota.transfer import FINISH_S, SILENT_S, START_S, Image, Stored, Transfer
from particle_tools.cloud.ota.window import Window

if TYPE_CHECKING:
    from particle_tools.cloud.session import Session

_REMEMBERED = 1024  # message IDs of chunks that a device may still answer
_LIES = 32  # acknowledgements that cannot be true
_REPORT_S = 2.0  # between two notes of how far it is
_CANCEL_S = 10.0


class V3(Transfer):
    """A transfer over UDP."""

    def __init__(self, session: Session, image: Image, stored: Stored) -> None:
        super().__init__(session, image, stored)
        self._window: Window | None = None
        self._offset = self._chunk = 0
        self._sent: deque[int] = deque(maxlen=_REMEMBERED)
        self._reset = False

    async def run(self) -> None:
        """Start, send what the device has not, finish."""
        if self._window is None:
            await self.start()
        if self._offset < len(self.image.data):
            await self._chunks()
        await self.finish()

    async def start(self) -> int:
        """Begin; return the number of bytes that the device has already."""
        image = self.image
        self._chunk = wire.chunk_bytes(self.session.hello, self.session.channel.message_limit)
        options = wire.start(len(image.data), image.digest, self._chunk, image.function)
        answer = await self.ask(coap.POST, "S", START_S, options)
        begun = wire.started(answer, len(image.data))
        self._offset = begun.offset
        count = -(-(len(image.data) - begun.offset) // self._chunk)
        self._window = Window(count, begun.window, self._clock.monotonic())
        await self._stored(begun.offset)
        return begun.offset

    def acknowledged(self, message: Message) -> None:
        """Take an UpdateAck."""
        found = wire.acknowledged(message)
        if found is not None and self._window is not None:
            self._window.acknowledge(*found, self._clock.monotonic())
            self.news.set()

    def reset(self, mid: int) -> None:
        """Take the RST of a chunk: the device runs no update, or did not understand."""
        if mid in self._sent:
            self._reset = True
            self.news.set()

    async def _chunks(self) -> None:
        window, clock = self._window, self._clock
        assert window is not None
        reported = clock.monotonic()
        while not window.done:
            now = clock.monotonic()
            while (index := window.take(now)) is not None:
                self._send(index)
            if now - window.heard > SILENT_S:
                raise NoAnswer("the device acknowledges no chunk")
            if now - window.progress > SILENT_S:
                raise wire.UpdateError(None, "the device acknowledges, but takes no new chunk")
            if now - reported > _REPORT_S:
                reported = now
                await self._stored(self._has())
            if not await self.wait(window.deadline() - clock.monotonic()):
                window.expire(clock.monotonic())
            if self._reset:
                raise wire.UpdateError(wire.INVALID_STATE, "the device has given the update up")
            if window.contradictions > _LIES:
                raise wire.UpdateError(
                    wire.PROTOCOL, "the device acknowledges chunks that were never sent"
                )
        await self._stored(len(self.image.data))

    def _has(self) -> int:
        assert self._window is not None
        contiguous = self._offset + self._window.acknowledged * self._chunk
        return min(len(self.image.data), contiguous)

    def _send(self, index: int) -> None:
        begin = self._offset + (index - 1) * self._chunk
        option = (wire.CHUNK_INDEX, wire.uint(index))
        part = self.image.data[begin : begin + self._chunk]
        self._sent.append(self.session.tell(coap.POST, ("C",), part, extra=[option]))

    async def finish(self) -> None:
        """Have the device check everything. Raises UpdateError."""
        await self.ask(coap.POST, "F", FINISH_S)

    async def cancel(self) -> None:
        """Have the device forget what it has."""
        options = [(wire.DISCARD_DATA, b""), (wire.CANCEL_UPDATE, b"")]
        try:
            await self.ask(coap.POST, "F", _CANCEL_S, options)
        except (wire.UpdateError, DeviceError):
            pass  # it runs none, or is gone
