"""What may stand in a request of a webhook, whoever wrote it: its URL, headers and account."""

from __future__ import annotations

import aiohttp
from yarl import URL


def parse(text: str) -> URL:
    """Return a URL of http or https with a host. Raises ValueError that says why."""
    try:
        url = URL(text.strip())
        port = url.port
    except ValueError as error:
        raise ValueError(f"{text[:80]} is not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host or not port:
        raise ValueError(f"{text[:80]} is not a URL of http or https")
    return url


def check_header(name: str, value: str) -> None:
    """Raise ValueError for a value that cannot be sent: with a line break it would be two."""
    if not value.isprintable():
        raise ValueError(f"the header {name} has characters that no header can have")


def basic(account: dict[str, str]) -> str:
    """Return the value of Authorization. Raises ValueError."""
    try:
        return aiohttp.encode_basic_auth(
            account.get("username", ""), account.get("password", ""), encoding="utf-8"
        )
    except ValueError as error:
        raise ValueError(f"auth cannot be sent: {error}") from error
