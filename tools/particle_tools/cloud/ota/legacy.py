"""The older protocol: all chunks without an answer, or each with one (cloud-protocol 5.1)."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message
from particle_tools.cloud.exchanges import NoAnswer, Rejected
from particle_tools.cloud.ota import wire
from particle_tools.cloud.ota.transfer import FINISH_S, START_S, Image, Stored, Transfer

if TYPE_CHECKING:
    from particle_tools.cloud.session import Session

_FAST = 1
_CHUNK_S = 30.0  # until a chunk is answered
_MISSED_S = 30.0  # until the list of missing chunks comes
_BAD = 4  # answers "wrong CRC" to one chunk, or repetitions of it after all were sent
_REPORT = 64  # chunks between two notes of how far it is
_MOST = 65_534  # chunks
_INDEX = struct.Struct(">H")
_CRC = struct.Struct(">I")


class Legacy(Transfer):
    """A transfer to a device without v3: fast over TCP, slow over UDP."""

    def __init__(self, session: Session, image: Image, stored: Stored) -> None:
        super().__init__(session, image, stored)
        self._chunk = 0
        self._missed: list[int] = []

    async def run(self) -> None:
        """Begin, send every chunk, and those that are missing, until the device has all."""
        size, tcp = len(self.image.data), self.session.channel.transport == "tcp"
        self._chunk = wire.chunk_bytes(self.session.hello, self.session.channel.message_limit)
        count = -(-size // self._chunk)
        if count > _MOST:
            raise wire.UpdateError(wire.INVALID_SIZE, "the file has too many chunks")
        answer = await self.ask(
            coap.POST, "u", START_S, payload=wire.begin(size, self._chunk, fast=tcp)
        )
        fast = tcp and bool(answer.payload) and bool(answer.payload[0] & _FAST)
        for index in range(count):
            await (self._throw(index) if fast else self._hand(index))
            if index % _REPORT == _REPORT - 1:
                await self._stored(min(size - 1, (index + 1) * self._chunk))
        await self._stored(size)
        await self._done(count)

    def missed(self, message: Message) -> None:
        """Take a list of chunks that have not arrived."""
        whole = len(message.payload) // _INDEX.size * _INDEX.size
        self._missed = [index for (index,) in _INDEX.iter_unpack(message.payload[:whole])]
        self.news.set()

    def _part(self, index: int) -> tuple[bytes, bytes]:
        part = self.image.data[index * self._chunk : (index + 1) * self._chunk]
        return part, _CRC.pack(zlib.crc32(part))

    async def _throw(self, index: int) -> None:
        """Send a chunk that nobody answers."""
        part, crc = self._part(index)
        # Without a token real devices misread the CRC, or stop.
        token = bytes([self.session.mid & 0xFF])
        self.session.tell(coap.POST, ("c",), part, token=token, query=[crc, _INDEX.pack(index)])
        if self.session.closed:
            raise NoAnswer("the device went away")
        await self.session.channel.drained()

    async def _hand(self, index: int) -> None:
        """Send a chunk until the device says that it is right."""
        part, crc = self._part(index)
        for _ in range(_BAD):
            try:
                await self.session.request(
                    coap.POST, ("c",), [crc], payload=part, seconds=_CHUNK_S
                )
            except Rejected as rejected:
                if rejected.code != coap.BAD_REQUEST:
                    raise wire.refusal(rejected.code, rejected.payload) from rejected
            else:
                return
        raise wire.UpdateError(None, f"the device finds chunk {index} damaged again and again")

    async def _done(self, count: int) -> None:
        """Ask whether everything is there, and send what is not."""
        again: Counter[int] = Counter()
        while True:
            self._missed = []
            self.news.clear()
            try:
                answer = await self.session.request(coap.PUT, ("u",), seconds=FINISH_S)
            except Rejected as rejected:
                if rejected.code != coap.BAD_REQUEST:
                    raise wire.refusal(rejected.code, rejected.payload) from rejected
            else:
                number = wire.result(answer.payload)
                if number:
                    raise wire.failed(number)
                return
            if not self._missed and not await self.wait(_MISSED_S):
                raise wire.UpdateError(None, "the device does not say which chunks it lacks")
            wanted = sorted({index for index in self._missed if index < count})
            again.update(wanted)
            if not wanted or max(again.values()) > _BAD:
                raise wire.UpdateError(None, "the device asks for the same chunks again and again")
            for index in wanted:
                await self._throw(index)
