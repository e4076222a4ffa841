"""Events and who gets them: one bus, listeners by owner (rest-api 7)."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from particle_tools.cloud.clock import iso

TTL = 60
FROM_API = "api"  # coreid of events published over REST
_TEXT = {0: "text/plain", 40: "application/link-format", 41: "application/xml"}
_JSON = 50
_MIME = {42: "application/octet-stream", 21: "image/gif", 22: "image/jpeg", 23: "image/png"}
_RESERVED = ("particle/", "spark/")


@dataclass(frozen=True)
class Event:
    """One published event. `owner` is the account that may see it; `core_id` who made it.

    `id` is that of a persisted event on storage; later ones have higher ids.
    """

    name: str
    data: bytes
    core_id: str
    owner: int | None
    published_at: float
    ttl: int = TTL
    content_format: int = 0
    id: int | None = None
    product: int | None = None  # a REST publish to the devices of one product only

    @property
    def reserved(self) -> bool:
        """Tell whether the name belongs to the system; devices never get such events by prefix."""
        return self.name.startswith(_RESERVED)

    def text(self) -> str | None:
        """Return the data as REST shows it: text, a data URL, or None when empty (7.4)."""
        if not self.data:
            return None
        if self.content_format in _TEXT or self.content_format == _JSON:
            return self.data.decode(errors="replace")
        mime = _MIME.get(self.content_format, "application/octet-stream")
        return f"data:{mime};base64,{base64.b64encode(self.data).decode()}"

    @cached_property
    def json(self) -> str:
        """The body of a stream event, made once however many streams carry it."""
        data, core_id = json.dumps(self.text()), json.dumps(self.core_id)
        begin = f'"data": {data}, "ttl": {self.ttl}, "published_at": "{iso(self.published_at)}"'
        return f'{{{begin}, "coreid": {core_id}}}'


@dataclass(frozen=True)
class Subscription:
    """A prefix a device wants, perhaps from one device only (cloud-protocol 4.4)."""

    prefix: str
    device_id: str | None = None

    def wants(self, event: Event) -> bool:
        """Tell whether the event is meant."""
        return event.name.startswith(self.prefix) and self.device_id in (None, event.core_id)


Listener = Callable[[Event], None]


class Bus:
    """Hands events to the listeners of their owner, in the order they were published.

    A listener returns at once: it sends or queues, it never waits. Followers hear only names with
    a prefix, and nothing reserved; they are found by the name, however many there are.
    """

    def __init__(self) -> None:
        self._listeners: defaultdict[int, dict[Listener, None]] = defaultdict(dict)
        self._followers: dict[int, defaultdict[str, dict[Listener, None]]] = {}
        self.published = 0

    def listen(self, owner: int, listener: Listener) -> None:
        """Add a listener to an account's events."""
        self._listeners[owner][listener] = None

    def forget(self, owner: int, listener: Listener) -> None:
        """Remove a listener; one that is not there is ignored."""
        _remove(self._listeners, owner, listener)

    def follow(self, owner: int, prefix: str, listener: Listener) -> None:
        """Add a follower of the names with a prefix."""
        self._followers.setdefault(owner, defaultdict(dict))[prefix][listener] = None

    def unfollow(self, owner: int, prefix: str, listener: Listener) -> None:
        """Remove a follower; one that is not there is ignored."""
        followers = self._followers.get(owner, {})
        _remove(followers, prefix, listener)
        if not followers:
            self._followers.pop(owner, None)

    def publish(self, event: Event) -> None:
        """Deliver to everyone who listens; an event without an owner has no audience."""
        self.published += 1
        owner = event.owner
        if owner is None:
            return
        audience = dict(self._listeners.get(owner, ()))
        followers = self._followers.get(owner)
        if followers and not event.reserved:
            for n in range(len(event.name) + 1):
                audience.update(followers.get(event.name[:n], ()))
        for listener in audience:
            listener(event)


def _remove(table: dict, key: Any, listener: Listener) -> None:
    listeners = table.get(key, {})
    listeners.pop(listener, None)
    if not listeners:
        table.pop(key, None)
