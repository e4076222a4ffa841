"""The states of all sessions on their way to storage, one commit at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from particle_tools.cloud.udp.store import State, UdpStore

_LOG = logging.getLogger("particle.cloud")


class Checkpointed(Protocol):
    """A session whose state is stored."""

    def checkpoint(self) -> tuple[tuple[str, bytes, State], Any]:
        """Return what to store now, and a mark that `stored` gets."""

    def stored(self, mark: Any) -> None:
        """The state that was taken with this mark is on storage."""

    def not_stored(self) -> None:
        """The database failed."""


class Checkpoints:
    """Stores the states of many sessions with one commit at a time.

    Whoever asks while a commit is under way is in the next one.
    """

    def __init__(self, store: UdpStore) -> None:
        self._store = store
        self._asked: dict[Checkpointed, None] = {}
        self._task: asyncio.Task | None = None

    def ask(self, session: Checkpointed) -> None:
        """Have a session's state stored soon; its `stored()` is called then."""
        self._asked[session] = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Finish what was asked for."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._asked:
            asked, self._asked = list(self._asked), {}
            taken = [(session, session.checkpoint()) for session in asked]
            try:
                await self._store.update([state for _, (state, _) in taken])
            except Exception as error:  # noqa: BLE001 - the sessions of all devices hang on this
                # As if the datagrams had been lost: devices send again.
                _LOG.error("sessions cannot be stored: %s", error)
                for session, _ in taken:
                    session.not_stored()
                continue
            for session, (_, mark) in taken:
                session.stored(mark)
