"""One TCP connection of a device: handshake, frames, message ids, silence (cloud-protocol 1)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message, NotCoap
from particle_tools.cloud.events import Event, Subscription
from particle_tools.cloud.hello import Hello
from particle_tools.cloud.keys import ServerKeys
from particle_tools.cloud.refusals import DEVICE_KEY, LINK, TRANSPORT, Refused
from particle_tools.cloud.services import Services
from particle_tools.cloud.session import Session
from particle_tools.cloud.tcp import handshake as tcp_handshake
from particle_tools.cloud.tcp.frames import BadFrame, Opener, Sealer
from particle_tools.cloud.tcp.handshake import Credentials

_READ = 4096
_LINGER_S = 1.0  # real seconds


class PrivateKey:
    """The server's RSA key, used beside the event loop."""

    def __init__(self, keys: ServerKeys, executor: Executor) -> None:
        self._keys = keys
        self._executor = executor

    async def decrypt(self, block: bytes) -> bytes:
        """Decrypt a client message. Raises ValueError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._keys.decrypt, block)

    async def sign(self, digest: bytes) -> bytes:
        """Sign a digest."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._keys.sign_plain, digest)


class Link:
    """One connection; the Channel of its session."""

    transport = "tcp"
    events = coap.NON  # real devices never acknowledge an event on TCP (4.5)

    def __init__(
        self,
        key: PrivateKey,
        services: Services,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.message_limit = 0
        self._key = key
        self._services = services
        self._limits = services.settings.limits
        self._reader = reader
        self._writer = writer
        self._task = asyncio.current_task()
        peer = writer.get_extra_info("peername")
        self.address = f"{peer[0]}:{peer[1]}" if peer else "?"
        writer.transport.set_write_buffer_limits(self._limits.unsent // 4)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # How far the handshake is: names the stage when it goes no further.
        self._device_id: str | None = None
        self._progress = Refused(LINK, "the peer sent nothing")
        self._sealer: Sealer | None = None
        self._opener: Opener | None = None
        self._expected = 0  # next message id of the device
        self._dropped: str | None = None  # why we dropped it while a read was waiting
        self.stopped = False
        self._session: Session | None = None

    # The handshake.

    async def greet(self) -> Session | None:
        """Run the handshake up to the Hello; None, closed and recorded, if it fails."""
        try:
            return await self._services.clock.wait_for(self._handshake(), self._limits.handshake_s)
        except Refused as refused:
            self.refuse(refused)
        except asyncio.TimeoutError:
            self.refuse(self._stuck(f"within {self._limits.handshake_s:g} s"))
        except (OSError, EOFError):
            self.refuse(self._stuck("before the connection ended"))
        except asyncio.CancelledError:
            self.close()
            raise
        self.close()
        return None

    def refuse(self, refused: Refused) -> None:
        """Record why there is no session; the peer is told nothing."""
        if refused.device_id is None:
            refused.device_id = self._device_id
        self._services.refusals.record(self.transport, self.address, refused)

    def _stuck(self, when: str) -> Refused:
        return Refused(self._progress.stage, f"{self._progress.reason} {when}")

    async def _handshake(self) -> Session:
        nonce = secrets.token_bytes(tcp_handshake.NONCE)
        self._writer.write(nonce)
        block = await self._exactly(tcp_handshake.CLIENT_BLOCK)
        self._progress = Refused(TRANSPORT, "the key exchange was not finished")
        try:
            plain = await self._key.decrypt(block)
        except ValueError:
            plain = b""  # not below the modulus: certainly not for this key
        client = tcp_handshake.read_client_message(plain, nonce)
        device = self._services.devices.get(client.device_id)
        key = tcp_handshake.check_identity(
            client,
            device is not None,
            self._services.devices.key(client.device_id, "rsa"),
        )
        assert device is not None
        self._device_id = client.device_id
        credentials = Credentials.new()
        sealed = tcp_handshake.encrypt(key, credentials.raw)
        reply = sealed + await self._key.sign(tcp_handshake.digest(credentials, sealed))
        self._sealer = Sealer(credentials.key, credentials.iv)
        self._opener = Opener(credentials.key, credentials.iv)
        self._writer.write(reply)
        # Silence from here on is a device that could not use the reply.
        self._progress = Refused(
            DEVICE_KEY, "the device did not answer the key exchange with a Hello"
        )
        self._meter_handshake(len(nonce) + len(reply), len(block))
        message, size = await self._first_message()
        hello = _read_hello(message)
        await self._services.devices.greeted(device.id, self.address.rpartition(":")[0], hello)
        device = self._services.devices.get(device.id) or device
        self._expected = (message.mid + 1) & 0xFFFF
        self.message_limit = hello.message_limit_tcp()
        session = Session(self._services, device.id, device.owner, self, hello)
        session.count(message, size)
        return session

    async def _exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            got = await self._reader.read(n - len(data))
            if not got:
                raise EOFError
            data += got
            self._progress = Refused(
                TRANSPORT, f"only {len(data)} of the {n} bytes of the client message came"
            )
        return data

    async def _first_message(self) -> tuple[Message, int]:
        while True:
            data = await self._read()
            self._progress = Refused(TRANSPORT, "the first frame was not complete")
            try:
                for plain in self._open(data):
                    return coap.decode(plain), len(plain)
            except (BadFrame, NotCoap) as error:
                raise Refused(TRANSPORT, f"the first frame: {error}") from error

    def _meter_handshake(self, down: int, up: int) -> None:
        usage = self._services.usage
        for counters in (usage.of(self._device_id or ""), usage.total):
            counters.handshakes += 1
            counters.segment_down += down
            counters.segment_up += up
            counters.segments_down += 2
            counters.segments_up += 1

    # The session.

    async def serve(self, session: Session) -> None:
        """Carry messages until the connection ends."""
        end = "the connection was lost"
        self._session = session
        try:
            session.greet()
            session.start()
            await self._loop(session)
        except (BadFrame, NotCoap) as error:
            end = f"the device sent {error}"
        except asyncio.TimeoutError:
            end = f"no byte from the device for {self._limits.idle_s:g} s"
        except EOFError:
            end = "the device closed the connection"
        except OSError as error:
            end = f"the connection was lost: {error.strerror or error}"
        except _Stop as stop:
            end = str(stop)
        except sqlite3.Error as error:
            end = f"the cloud's database failed: {error}"
        except asyncio.CancelledError:
            end = "the cloud stopped"
            if not self.stopped:
                raise
        finally:
            heard = session.last_heard
            session.close(self._dropped or end)
            self.close()
            await self._services.devices.heard(session.device_id, heard)

    def stop(self) -> asyncio.Task:
        """End the connection because the cloud ends; return the task that will be done then."""
        self.stopped = True
        assert self._task is not None
        self._task.cancel()
        return self._task

    def send(self, data: bytes) -> None:
        """Send one message of the session; a device that does not read is dropped."""
        assert self._sealer is not None
        if self._writer.is_closing():
            return
        frame = self._sealer.seal(data)
        usage = self._services.usage
        for counters in (usage.of(self._device_id or ""), usage.total):
            counters.segment_down += len(frame)
            counters.segments_down += 1
        self._writer.write(frame)
        if self._writer.transport.get_write_buffer_size() > self._limits.unsent:
            self._dropped = "the device does not read"
            self._writer.transport.abort()

    def facts(self) -> dict[str, Any]:
        """Return nothing beyond what every channel has."""
        return {}

    def max_age(self, ttl: int) -> list[tuple[int, bytes]]:
        """Return the Max-Age in the form of the public servers, four bytes (3.1)."""
        return [(coap.MAX_AGE, ttl.to_bytes(4, "big"))]

    def soon(self, mid: int) -> None:
        """Do nothing: what was sent arrives."""

    async def drained(self) -> None:
        """Wait until the kernel has taken most of what was sent."""
        try:
            await self._writer.drain()
        except ConnectionError:
            pass  # the loop that reads ends the session

    def crowded(self) -> bool:
        """Tell nothing: a device that does not read is dropped by `send`."""
        return False

    async def greeted(self, payload: bytes) -> bool:
        """Take another Hello: a device that repeats it waits for ours."""
        if self._session is not None:
            self._session.greet()
        return True

    async def subscribed(self, subscriptions: list[Subscription]) -> None:
        """Keep nothing: subscriptions end with the connection."""

    async def persist(self, number: int, event: Event) -> Event | None:
        """Take every number: exactly once is a promise of UDP only (DESIGN decision 7)."""
        return event

    def close(self) -> None:
        """Drop the connection; what is already written has a moment to go out."""
        if not self._writer.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(_LINGER_S, self._writer.transport.abort)

    async def _read(self) -> bytes:
        data = await self._reader.read(_READ)
        if not data:
            raise EOFError
        return data

    def _open(self, data: bytes) -> Iterator[bytes]:
        # A generator all the way: what precedes a bad frame is acted upon before it is met.
        assert self._opener is not None
        usage = self._services.usage
        for counters in (usage.of(self._device_id or ""), usage.total) if data else ():
            counters.segment_up += len(data)
            counters.segments_up += 1
        yield from self._opener.feed(data)

    async def _loop(self, session: Session) -> None:
        data = b""  # first, what came in one segment with the Hello
        while True:
            for plain in self._open(data):
                message = coap.decode(plain)
                session.count(message, len(plain))
                self._check_id(session, message)
                await session.receive(message)
                if session.closed:
                    raise EOFError
            data = await self._services.clock.wait_for(self._read(), self._limits.idle_s)

    def _check_id(self, session: Session, message: Message) -> None:
        # As public servers do it: every message that is not an acknowledgement carries the next
        # id (1.5). One tolerance: old firmware spends an id on its acknowledgement (11).
        if message.type == coap.RST:
            return
        if message.type == coap.ACK:
            if message.mid == self._expected and not session.exchanges.knows(message.mid):
                session.own_id_acks += 1
                self._expected = (self._expected + 1) & 0xFFFF
            return
        if message.mid != self._expected:
            raise _Stop(f"bad message id {message.mid:#06x}, {self._expected:#06x} was next")
        self._expected = (self._expected + 1) & 0xFFFF


class _Stop(Exception):
    """End the connection for this reason."""


def _read_hello(message: Message) -> Hello:
    if message.code != coap.POST or message.path != ("h",):
        raise Refused(TRANSPORT, "the first message was not a Hello")
    try:
        return Hello.parse(message.payload)
    except ValueError as error:
        raise Refused(TRANSPORT, str(error)) from error
