"""One file on its way to one device: what both protocols have in common."""

from __future__ import annotations

import abc
import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from particle_tools.cloud.coap import Message
from particle_tools.cloud.exchanges import NoAnswer, Rejected
from particle_tools.cloud.ota import wire

if TYPE_CHECKING:
    from particle_tools.cloud.session import Session

START_S = 60.0  # a device erases flash before it answers
FINISH_S = 180.0  # it reads and checks all of it
SILENT_S = 90.0  # without news of a transfer


@dataclass(frozen=True)
class Image:
    """A file as it is sent. function: of its first module, 9 for an asset."""

    name: str
    function: int
    data: bytes

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.data).digest()


#: Told with the bytes that the device has.
Stored = Callable[[int], Awaitable[None]]


class Transfer(abc.ABC):
    """A running transfer: the session gives it what concerns chunks."""

    def __init__(self, session: Session, image: Image, stored: Stored) -> None:
        self.session = session
        self.image = image
        self.news = asyncio.Event()
        self._stored = stored
        self._clock = session.services.clock

    def acknowledged(self, message: Message) -> None:  # noqa: B027 - not every protocol has it
        """Take an UpdateAck."""

    def missed(self, message: Message) -> None:  # noqa: B027 - not every protocol has it
        """Take a ChunkMissed."""

    def reset(self, mid: int) -> None:  # noqa: B027 - not every protocol has it
        """Take the RST of a message that expects no answer."""

    @abc.abstractmethod
    async def run(self) -> None:
        """Send everything; return when the device says that it has it, before it applies it.

        Raises UpdateError if the device refuses, DeviceError if it does not answer.
        """

    async def cancel(self) -> None:  # noqa: B027 - not every protocol has it
        """Tell the device to forget the transfer; nothing if it does not answer."""

    async def ask(
        self,
        code: int,
        path: str,
        seconds: float,
        options: list[tuple[int, bytes]] | None = None,
        payload: bytes = b"",
    ) -> Message:
        """Send a request and return the answer. Raises UpdateError, DeviceError."""
        try:
            return await self.session.request(
                code, (path,), extra=options or (), payload=payload, seconds=seconds, soon=True
            )
        except Rejected as rejected:
            raise wire.refusal(rejected.code, rejected.payload) from rejected

    async def wait(self, seconds: float) -> bool:
        """Wait for news; False if none came in time."""
        try:
            await self._clock.wait_for(self.news.wait(), max(0.0, seconds))
        except asyncio.TimeoutError:
            return False
        self.news.clear()
        if self.session.closed:
            raise NoAnswer("the device went away")
        return True
