"""What a device is to do with its power: reset, safe mode, bootloader (cloud-protocol 4.14)."""

from __future__ import annotations

from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.rest import Ask, Route

#: What a device understands.
ORDERS = ("safe mode", "dfu", "reboot", "network")
_EVENT = "spark/device/reset"


async def _reset(ask: Ask) -> dict[str, Any]:
    device = ask.device()
    order = ask.text("order")
    if order not in ORDERS:
        raise catalogue.bad_request(f"order is one of: {', '.join(ORDERS)}")
    session = ask.services.sessions.get(device.id)
    if session is None:
        raise catalogue.timed_out()
    session.send_event(_EVENT, order.encode())
    return {"ok": True, "id": device.id, "order": order}


ROUTES = [Route("POST", "/local/v1/devices/{device}/reset", _reset)]
