"""The stateless cookie: proof that a client receives where it sends from (RFC 6347 4.2.1).

Nothing is kept for a client that has not shown it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from particle_tools.cloud.dtls.messages import ClientHello

COOKIE = 16
_PERIOD_S = 60.0  # a cookie is good for one to two periods


class Cookies:
    """Makes and checks cookies under a secret that changes."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._secret = self._previous = secrets.token_bytes(32)
        self._until = now() + _PERIOD_S

    def make(self, address: tuple, hello: ClientHello) -> bytes:
        """Return the cookie for a hello from an address."""
        self._turn()
        return self._code(self._secret, address, hello)

    def good(self, address: tuple, hello: ClientHello) -> bool:
        """Tell whether a hello brings back its own cookie."""
        self._turn()
        return any(
            hmac.compare_digest(hello.cookie, self._code(secret, address, hello))
            for secret in (self._secret, self._previous)
        )

    def _turn(self) -> None:
        now = self._now()
        if now < self._until:
            return
        stale = now >= self._until + _PERIOD_S
        self._previous = secrets.token_bytes(32) if stale else self._secret
        self._secret = secrets.token_bytes(32)
        self._until = now + _PERIOD_S

    def _code(self, secret: bytes, address: tuple, hello: ClientHello) -> bytes:
        where = f"{address[0]}|{address[1]}|".encode()
        return hmac.digest(secret, where + hello.parameters, "sha256")[:COOKIE]
