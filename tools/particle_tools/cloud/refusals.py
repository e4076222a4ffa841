"""Why connections failed: stages, the exception that carries one, a bounded memory of them.

The device is told nothing (the gateway closes silently); the operator reads it here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass

from particle_tools.cloud.clock import Clock, iso

LINK = "link"  # nothing came over the connection
TRANSPORT = "transport"  # bytes came, but not the protocol
SERVER_KEY = "server key"  # the device has another server's key
DEVICE_KEY = "device key"  # the device's key is unknown, different or does not work
ID = "id"  # the device is not registered

_KEEP = 500

_REMEDY = {
    LINK: "Something connected and said nothing. Is the port meant for a device?",
    TRANSPORT: "Is this a device of the kind of the port (TCP: RSA and AES, UDP: DTLS), and is"
    " the network sound?",
    SERVER_KEY: "Store this cloud's key on the device: GET /local/v1/server-key with alg=rsa"
    " (TCP) or alg=ec (UDP).",
    DEVICE_KEY: "Register the device's public key: POST /v1/provisioning/ID, or"
    " `particle keys send ID FILE`.",
    ID: "Register the device: POST /v1/provisioning/ID with its public key.",
}


class Refused(Exception):
    """A connection that must be closed before a session exists."""

    def __init__(self, stage: str, reason: str, device_id: str | None = None) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
        self.device_id = device_id


@dataclass(frozen=True)
class Refusal:
    """One failed connection."""

    at: float
    transport: str
    address: str
    device_id: str | None
    stage: str
    reason: str

    def to_json(self) -> dict:
        """Return the REST form, with what to do about it."""
        fields = asdict(self)
        fields["at"] = iso(self.at)
        fields["remedy"] = _REMEDY[self.stage]
        return fields


class Refusals:
    """The last refusals of all gateways; a flood of them costs no more memory than this."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[Refusal] = deque(maxlen=_KEEP)
        self.total = 0

    def record(self, transport: str, address: str, refused: Refused) -> None:
        """Remember one."""
        self.total += 1
        self._kept.append(
            Refusal(
                self._clock.time(),
                transport,
                address,
                refused.device_id,
                refused.stage,
                refused.reason,
            )
        )

    def recent(self) -> list[Refusal]:
        """Return what is remembered, newest first."""
        return list(reversed(self._kept))
