"""What a session needs of the transport that carries its messages."""

from __future__ import annotations

from typing import Any, Protocol

from particle_tools.cloud.events import Event, Subscription


class Channel(Protocol):
    """What a gateway gives a session: a way to the device."""

    transport: str  # "tcp" or "udp"
    address: str
    message_limit: int  # bytes of one CoAP message to the device
    events: int  # CoAP type of events to the device

    def send(self, data: bytes) -> None:
        """Send one CoAP message; never waits, never raises."""

    def close(self) -> None:
        """Take note that the session has ended."""

    def facts(self) -> dict[str, Any]:
        """Return what /local/v1/sessions shows of the channel."""

    def max_age(self, ttl: int) -> list[tuple[int, bytes]]:
        """Return the Max-Age option of an event, if it is worth its bytes."""

    def soon(self, mid: int) -> None:
        """Repeat a CON earlier than others until it is acknowledged."""

    async def drained(self) -> None:
        """Wait until little of what was sent waits to go out."""

    def crowded(self) -> bool:
        """Tell whether too much waits for the device to take one more event."""

    async def greeted(self, payload: bytes) -> bool:
        """Take another Hello within the session; False if it is not acceptable."""

    async def subscribed(self, subscriptions: list[Subscription]) -> None:
        """Keep the subscriptions as long as the device's side of the session lasts."""

    async def persist(self, number: int, event: Event) -> Event | None:
        """Commit an event under its number and return it with its id (DESIGN decision 7).

        None if the number is known.
        """
