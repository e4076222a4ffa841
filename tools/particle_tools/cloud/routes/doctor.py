"""What is known about a device that does not connect (DESIGN decision 10)."""

from __future__ import annotations

import hashlib
from typing import Any

from particle_tools.cloud.rest import Ask, Route

_ALGORITHMS = ("ec", "rsa")


async def _diagnosis(ask: Ask) -> dict[str, Any]:
    services, device = ask.services, ask.device()
    session, ended = services.sessions.get(device.id), services.sessions.ended(device.id)
    keys = {algorithm: services.devices.key(device.id, algorithm) for algorithm in _ALGORITHMS}
    return {
        "id": device.id,
        "name": device.name,
        "online": session is not None,
        "transport": session.channel.transport if session is not None else None,
        "last_end": ended.to_json() if ended else None,
        "keys": {
            algorithm: None if spki is None else hashlib.sha256(spki).hexdigest()
            for algorithm, spki in keys.items()
        },
        "refusals": [
            refusal.to_json()
            for refusal in services.refusals.recent()
            if refusal.device_id == device.id
        ],
    }


ROUTES = [Route("GET", "/local/v1/devices/{device}/diagnosis", _diagnosis)]
