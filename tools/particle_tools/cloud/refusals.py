"""Why connections failed: stages, the exception that carries one, a bounded memory of them.

The device is told nothing (the gateway closes silently); the operator reads it here.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass, replace

from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.logs import NAME, fields

LINK = "link"  # nothing came over the connection
TRANSPORT = "transport"  # bytes came, but not the protocol
SERVER_KEY = "server key"  # the device has another server's key
DEVICE_KEY = "device key"  # the device's key is unknown, different or does not work
ID = "id"  # the device is not registered

_LOG = logging.getLogger(NAME)
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
    """Failed connections from one host for one cause; `at` and `address` are the last one's."""

    at: float
    transport: str
    address: str
    device_id: str | None
    stage: str
    reason: str
    count: int = 1

    @property
    def key(self) -> tuple:
        """What repetitions have in common; the port is another one at each attempt."""
        return self.transport, self.host, self.device_id, self.stage, self.reason

    @property
    def host(self) -> str:
        """The address without its port."""
        return self.address.rpartition(":")[0]

    def to_json(self) -> dict:
        """Return the REST form, with what to do about it."""
        fields = asdict(self)
        fields["at"] = iso(self.at)
        fields["remedy"] = _REMEDY[self.stage]
        return fields


class Refusals:
    """The last refusals of all gateways; a flood of them costs no more memory than this.

    Repetitions are counted, and the host with the most entries gives way: nobody pushes out what
    the owner of another device looks for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple, Refusal] = {}  # oldest first
        self._hosts: Counter[str] = Counter()
        self.total = 0
        self.stages: Counter[str] = Counter()

    def record(self, transport: str, address: str, refused: Refused) -> None:
        """Remember one."""
        self.total += 1
        self.stages[refused.stage] += 1
        _LOG.info(
            "refused: %s",
            refused.reason,
            extra=fields(
                device_id=refused.device_id, transport=transport, peer=address, stage=refused.stage
            ),
        )
        refusal = Refusal(
            self._clock.time(),
            transport,
            address,
            refused.device_id,
            refused.stage,
            refused.reason,
        )
        earlier = self._take(refusal.key)
        if earlier is not None:
            refusal = replace(refusal, count=earlier.count + 1)
        elif len(self._kept) == _KEEP:
            busiest = max(self._hosts, key=self._hosts.__getitem__)
            self._take(next(r.key for r in self._kept.values() if r.host == busiest))
        self._kept[refusal.key] = refusal
        self._hosts[refusal.host] += 1

    def _take(self, key: tuple) -> Refusal | None:
        refusal = self._kept.pop(key, None)
        if refusal is not None:
            self._hosts[refusal.host] -= 1
            if not self._hosts[refusal.host]:
                del self._hosts[refusal.host]
        return refusal

    def recent(self) -> list[Refusal]:
        """Return what is remembered, newest first."""
        return list(reversed(self._kept.values()))
