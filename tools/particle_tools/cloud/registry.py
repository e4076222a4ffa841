"""Which devices are online: at most one session per id, and how the last one ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.events import Bus, Event
from particle_tools.cloud.logs import NAME, fields

if TYPE_CHECKING:
    from particle_tools.cloud.session import Session


_LOG = logging.getLogger(NAME)


@dataclass(frozen=True)
class Ended:
    """How a device's last session ended."""

    at: float
    reason: str

    def to_json(self) -> dict:
        """Return the REST form."""
        return {"at": iso(self.at), "reason": self.reason}


class Sessions:
    """The live sessions by device id. Publishes spark/status (rest-api 7.3)."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._live: dict[str, Session] = {}
        self._ended: dict[str, Ended] = {}

    def get(self, device_id: str) -> Session | None:
        """Return the live session of a device."""
        return self._live.get(device_id)

    def all(self) -> list[Session]:
        """Return the live sessions."""
        return list(self._live.values())

    def ended(self, device_id: str) -> Ended | None:
        """Return how the last session of a device ended, if one has since the cloud started."""
        return self._ended.get(device_id)

    def opened(self, session: Session) -> None:
        """Put a session in place; an older one of the same device ends."""
        older = self._live.get(session.device_id)
        if older is not None:
            older.close("replaced by a newer connection of the same device")
        self._live[session.device_id] = session
        _LOG.info(
            "online",
            extra=fields(
                device_id=session.device_id,
                transport=session.channel.transport,
                peer=session.channel.address,
            ),
        )
        self._status(session, "online")

    def closed(self, session: Session, reason: str) -> None:
        """Note the end of a session."""
        if self._live.get(session.device_id) is not session:
            return
        del self._live[session.device_id]
        _LOG.info("offline: %s", reason, extra=fields(device_id=session.device_id))
        self._ended[session.device_id] = Ended(self._clock.time(), reason)
        self._status(session, "offline")

    def _status(self, session: Session, status: str) -> None:
        self._bus.publish(
            Event(
                "spark/status",
                status.encode(),
                session.device_id,
                session.owner,
                self._clock.time(),
            )
        )
