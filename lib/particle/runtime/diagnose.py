"""Where a connection stands and what to do about it (DESIGN decision 10)."""

from micropython import const

from ..errors import Error
from . import clock, installed
from .remedy import TEXTS

_NO_MAC = const("tcp: encrypted, but messages carry no MAC; udp has no such weakness")


def diagnose(client, load_keys):
    """Return a list of (stage, ok, text): ok is True, False, or None for "not reached".

    load_keys(store, device_id): raises `Error` with stage and remedy when keys are unusable.
    """
    values = client._values
    out = [("library", True, installed.text()), ("id", True, client.device_id)]
    broken = None
    try:
        load_keys(client._store, bytes(12))
    except Error as e:
        broken = e
    if not values.get("server"):
        out.append(("address", False, "no server: particle.server(host)"))
    failed = client.error
    up = client.connected()
    stage = None if up or failed is None else failed.stage
    reached = up or stage in dict(TEXTS)
    for name, remedy in TEXTS:
        text = ""
        if broken and broken.stage == name:
            out.append((name, False, broken.text))
            continue
        if name == "address" and values.get("server"):
            text = "%s:%s" % (values["server"], values.get("port", "default"))
        elif name == "transport" and values["transport"] == "tcp":
            text = _NO_MAC
        if name == stage:
            out.append((name, False, failed.text or remedy))
            reached = False
        elif name != "address" or text:
            out.append((name, True if reached else None, text))
    queue = client.more.queue
    if queue:
        n = queue.counters()
        text = "%d persisted events wait, %d dropped" % (n["queued"], n["dropped"])
        out.append(("queue", None if n["queued"] else True, text))
    if clock.valid():
        out.append(("clock", True, ""))
    else:
        out.append(("clock", None, "not set; the connection does without"))
    return out
