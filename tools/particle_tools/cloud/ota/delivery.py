"""Gives devices what waits for them: chooses the protocol, goes on after every kind of end.

What has been reached is on storage before the next step (updates.py), so a cloud that was killed
goes on where it was. A run lasts as long as a session of the device; when the device is there
again, the next one begins.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

from particle_tools.cloud import inbound, modules, system_description
from particle_tools.cloud.exchanges import DeviceError
from particle_tools.cloud.ota import asset_module, proof
from particle_tools.cloud.ota.legacy import Legacy
from particle_tools.cloud.ota.transfer import Image
from particle_tools.cloud.ota.v3 import V3
from particle_tools.cloud.ota.wire import BUSY, DISABLED, INVALID_STATE, PROTOCOL, UpdateError
from particle_tools.cloud.updates import (
    APPLIED,
    ASSET,
    FINISHING,
    GONE,
    LOST,
    MODULE,
    SENDING,
    Update,
)

if TYPE_CHECKING:
    from particle_tools.cloud.services import Services
    from particle_tools.cloud.session import Session

_LOG = logging.getLogger("particle.cloud")
_UPGRADED, _V3 = 0x01, 0x80  # flags of a Hello (cloud-protocol 4.1)
_AT_ONCE = 256  # files on their way to all devices
_ATTEMPTS = 8  # without more of the file than ever before
_RETRY_S, _LONGEST_RETRY_S = 10.0, 300.0
_DESCRIBE_S = 10.0  # until a device that has greeted describes itself
_LOOK_S = 0.2
_RESTART_S = 20.0  # until a device that took a module is gone
_KEEPING_S = 3.0  # until one that took an asset has put it away
_LONGEST_PAUSE_S = 3600.0  # between two looks at a device that took a module and stays
_RETURN_S = 86_400.0  # until it must have come back
_WATCH_S = 60.0
_AGAIN = (None, BUSY, INVALID_STATE, PROTOCOL)  # errors that another attempt may not meet
_REFUSED = -1320
_REASON = 120  # characters of what a device says about its reset


class Delivery:
    """All transfers, one at most for a device."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._updates = services.updates
        self._runs: dict[str, tuple[Session, asyncio.Task]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._watcher: asyncio.Task | None = None
        self._updates.deliver = self.deliver
        self._updates.stop = self.stop

    def start(self) -> None:
        """Begin to watch for devices that do not come back."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def close(self) -> None:
        """Watch no more; runs end with their sessions."""
        if self._watcher is not None:
            self._watcher.cancel()

    def deliver(self, device_id: str) -> None:
        """Send a device what is there for it, a newer file instead of what it is being sent."""
        session = self._services.sessions.get(device_id)
        if session is None or session.closed:
            return
        running = self._runs.get(device_id)
        if running is not None and running[0] is session and not self._updates.waits(device_id):
            return
        self._end(device_id)
        task = session.spawn(self._run(session))
        self._runs[device_id] = session, task
        task.add_done_callback(lambda done: self._done(device_id, done))

    def stop(self, device_id: str) -> None:
        """Have a device forget what it is being sent."""
        self._end(device_id)
        session = self._services.sessions.get(device_id)
        if session is not None and session.transfer is not None and not session.closed:
            session.spawn(session.transfer.cancel())
            session.transfer = None

    def _end(self, device_id: str) -> None:
        running = self._runs.pop(device_id, None)
        if running is not None:
            running[1].cancel()

    def _done(self, device_id: str, task: asyncio.Task) -> None:
        running = self._runs.get(device_id)
        if running is not None and running[1] is task:
            del self._runs[device_id]

    async def _watch(self) -> None:
        clock = self._services.clock
        while True:
            await clock.sleep(_WATCH_S)
            try:
                for update in self._updates.unreturned(clock.time() - _RETURN_S):
                    await self._updates.finish(update, GONE)
            except sqlite3.Error as error:
                _LOG.error("updates cannot be looked at: %s", error)
            except Exception:
                _LOG.exception("updates cannot be looked at")

    # One device, as long as its session lasts.

    async def _run(self, session: Session) -> None:
        try:
            while (update := await self._updates.take(session.device_id)) is not None:
                wait = await _Step(self._services, session, update, self._places).take()
                if wait:
                    await self._services.clock.sleep(wait)
        except sqlite3.Error as error:
            _LOG.error("an update of %s stops: %s", session.device_id, error)
        except Exception:
            _LOG.exception("an update of %s failed", session.device_id)


class _Step:
    """The next step of an update."""

    def __init__(
        self, services: Services, session: Session, update: Update, places: asyncio.Semaphore
    ) -> None:
        self._services = services
        self._places = places
        self._updates = services.updates
        self._session = session
        self._update = update
        self._most = update.stored
        self._size = 0

    async def take(self) -> float:
        """Do it; return the seconds to wait before the next one."""
        update = self._update
        if update.position >= len(update.files):
            await self._updates.finish(update)
            return 0
        if update.attempts >= _ATTEMPTS:
            await self._updates.finish(update, update.error or "the device does not answer")
            return 0
        await self._updates.note(update, attempts=update.attempts + 1)
        try:
            if update.phase != SENDING:
                arrived = await self._proven()
            else:
                arrived = self._is_asset() and not self._wanted()
            if not arrived:
                async with self._places:
                    data = self._data(update.position)
                    image = await asyncio.to_thread(self._image, data)
                    self._session.system_described.clear()
                    await self._transfer(image)
                await self._updates.note(update, phase=APPLIED, error=None)
                await self._restarted(image)
        except UpdateError as error:
            return await self._refused(error)
        except DeviceError as error:
            await self._updates.note(update, error=str(error))
            return self._pause()
        await self._updates.note(
            update, position=update.position + 1, phase=SENDING, attempts=0, stored=0, error=None
        )
        return 0

    def _pause(self) -> float:
        return min(_RETRY_S * (1 << self._update.attempts), _LONGEST_RETRY_S)

    async def _refused(self, error: UpdateError) -> float:
        update = self._update
        forced = self._updates.control(update.device_id)[1]
        if error.code == DISABLED and not forced:
            await self._updates.postpone(update)
            return 0
        if error.code == BUSY and update.phase == APPLIED:
            # it has what it took, and will restart when its application allows it
            await self._updates.note(update, attempts=0, error=str(error))
            return _LONGEST_RETRY_S
        if error.code == DISABLED or error.code in _AGAIN:
            await self._updates.note(update, error=str(error))
            return self._pause()
        await self._updates.finish(update, str(error))
        return 0

    # Sending.

    async def _transfer(self, image: Image) -> None:
        session, self._size = self._session, len(image.data)
        v3 = session.channel.transport == "udp" and session.hello.flags & _V3
        transfer = session.transfer = (V3 if v3 else Legacy)(session, image, self._stored)
        try:
            if self._update.phase == APPLIED:
                # It took everything and does not show it: is the file there, or thrown away?
                if not isinstance(transfer, V3):
                    await self._not_restarted()
                    return
                if await transfer.start() < self._size:
                    await transfer.cancel()
                    raise self._lost()
            await transfer.run()
            session.took = self._update.id
        finally:
            if session.transfer is transfer and not session.closed:
                session.transfer = None

    async def _not_restarted(self) -> None:
        # It cannot be asked what it has, but says once why it restarted. Raises UpdateError.
        session, clock = self._session, self._services.clock
        end = clock.monotonic() + _DESCRIBE_S
        while session.last_reset is None:
            if clock.monotonic() >= end:
                await self._updates.note(self._update, attempts=0)
                return
            await clock.sleep(_LOOK_S)
        raise self._lost()

    def _lost(self) -> UpdateError:
        reason = self._session.last_reset or ""
        said = "".join(c for c in reason[:_REASON] if c.isprintable())
        return UpdateError(_REFUSED, f'{LOST} ("{said}")' if said else LOST)

    async def _stored(self, size: int) -> None:
        # The device has so much of the file.
        news: dict[str, Any] = {}
        if size == self._size:
            news["phase"] = FINISHING
        elif self._update.phase != APPLIED:  # one that took it all and lost it was only asked
            news["phase"] = SENDING
        if size > self._most:
            self._most = size
            news |= {"stored": size, "attempts": 1}
        await self._updates.note(self._update, **news)

    def _image(self, data: bytes) -> Image:
        # In a thread: the data may be megabytes.
        name = self._update.files[self._update.position][0]
        if self._is_asset():
            return Image(name, asset_module.FUNCTION, asset_module.pack(name, data))
        try:
            return Image(name, modules.read(data)[0].function, data)
        except modules.BadModule as error:  # the update has just ended
            raise UpdateError(_REFUSED, str(error)) from error

    def _data(self, position: int) -> bytes:
        return self._updates.data(self._update, position)

    def _is_asset(self) -> bool:
        return self._update.files[self._update.position][1] == ASSET

    # What the device says of itself.

    async def _restarted(self, image: Image) -> None:
        """Wait until the device shows what it took; usually its session ends before."""
        clock = self._services.clock
        begin = clock.monotonic()
        pause = _KEEPING_S if image.function == asset_module.FUNCTION else _RESTART_S
        while clock.monotonic() - begin < _RETURN_S:
            described = self._session.system_described
            try:
                await clock.wait_for(described.wait(), pause)  # it may say so without a restart
            except asyncio.TimeoutError:
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            try:
                if await self._proven(ask=not described.is_set()):
                    return
            except DeviceError:
                pass  # it restarts
            described.clear()
        raise UpdateError(_REFUSED, GONE)

    async def _proven(self, *, ask: bool = False) -> bool:
        session, clock = self._session, self._services.clock
        if not (session.resumed or ask or session.system_described.is_set()):
            try:
                await clock.wait_for(session.system_described.wait(), _DESCRIBE_S)
            except asyncio.TimeoutError:
                ask = True
        if ask or not session.system_described.is_set():
            answer = await session.ask_system()
            await inbound.store_describe(session, answer)
        described, data = self._described(), self._data(self._update.position)
        if self._is_asset():
            return hashlib.sha256(data).hexdigest() in system_description.assets(described)
        if system_description.application(described) is None and proof.is_application(data):
            return await self._says_so()
        return await asyncio.to_thread(proof.shown, data, described)

    async def _says_so(self) -> bool:
        # A device that never shows what it runs: whether it restarted because of an update.
        session, clock = self._session, self._services.clock
        end = clock.monotonic() + _DESCRIBE_S
        while session.last_reset is None and clock.monotonic() < end:
            if session.hello.flags & _UPGRADED and not session.resumed:
                return True
            await clock.sleep(_LOOK_S)
        return session.last_reset == "update"

    def _wanted(self) -> bool:
        """Tell whether the device lacks an asset that it, or a module of this update, needs."""
        described = self._described()
        needed = system_description.needed_assets(described)
        for position, (_, kind, _) in enumerate(self._update.files):
            if kind == MODULE:
                needed |= asset_module.needed(self._data(position))
        digest = hashlib.sha256(self._data(self._update.position)).hexdigest()
        return digest in needed - system_description.assets(described)

    def _described(self) -> dict[str, Any]:
        system = self._services.devices.system(self._session.device_id)
        try:
            return system_description.to_json(*system, None) if system is not None else {}
        except (ValueError, RecursionError):
            return {}
