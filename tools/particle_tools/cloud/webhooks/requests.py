"""One request of a webhook: built from its definition and an event, sent, answered or given up.

Every way to fail ends in a Failure with the reason, within Limits.hook_s and hook_response bytes.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from particle_tools.cloud import strict_json
from particle_tools.cloud.clock import Clock, iso
from particle_tools.cloud.devices import Device
from particle_tools.cloud.events import Event
from particle_tools.cloud.settings import Limits
from particle_tools.cloud.webhooks import addresses
from particle_tools.cloud.webhooks.definitions import Compiled
from particle_tools.cloud.webhooks.hosts import Allowed, NotAllowed, Resolver, is_address
from particle_tools.cloud.webhooks.templates import fill

_AGENT = "ParticleBot/1.1 (https://docs.particle.io/webhooks)"
_BUSY, _FAULTS = 429, 500
_HEADERS = 64  # of an answer
_CHUNK = 8192


class Failure(Exception):
    """A request that failed. transient: it may do better in half a minute."""

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    url: URL
    headers: dict[str, str]
    data: bytes | dict[str, str] | None
    verify: bool

    @property
    def host(self) -> str:
        """The host that errors name."""
        return self.url.host or ""


@dataclass(frozen=True)
class Answer:
    """What a 2xx answer brought."""

    host: str
    data: bytes
    content_type: str


@dataclass(frozen=True)
class Trigger:
    """An event that triggered webhooks, the device that published it, if one did, and the product
    that this is in."""

    event: Event
    id: str
    device: Device | None = None
    product: int | None = None
    _cached: dict[str, Any] = field(default_factory=dict, compare=False)

    def scopes(self) -> tuple[Any, ...]:
        """Return what templates know: what the data holds, and before it the variables of rest-api
        8, which no device can forge."""
        if not self._cached:
            self._cached["scopes"] = (_parsed(self.event.text()), self._variables())
        return self._cached["scopes"]

    def _variables(self) -> dict[str, Any]:
        event, device = self.event, self.device
        text = event.text() or ""
        core_id, published_at = event.core_id, iso(event.published_at)
        return {
            "PARTICLE_DEVICE_ID": core_id,
            "PARTICLE_EVENT_NAME": event.name,
            "PARTICLE_EVENT_VALUE": text,
            "PARTICLE_PUBLISHED_AT": published_at,
            "PARTICLE_EVENT_ID": self.id,
            "PRODUCT_ID": self.product or (device.product_id if device else None),
            "PRODUCT_USER_ID": device.owner if device else None,
            "PRODUCT_VERSION": device.product_version if device else None,
            "PARTICLE_EVENT_JSON": _as_json(text),
            "PARTICLE_EVENT_BASE64": base64.b64encode(event.data).decode(),
            "SPARK_CORE_ID": core_id,
            "SPARK_EVENT_NAME": event.name,
            "SPARK_EVENT_VALUE": text,
            "SPARK_PUBLISHED_AT": published_at,
        }


def _parsed(text: str | None) -> Any:
    try:
        return strict_json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _as_json(text: str) -> str:
    # The data as a JSON value: itself if it is one, else a string.
    try:
        strict_json.loads(text)
    except (ValueError, RecursionError):
        return strict_json.dumps(text, ensure_ascii=False)
    return text


def build(fields: dict[str, Any], compiled: Compiled, trigger: Trigger) -> Request:
    """Fill in a definition. Raises Failure."""
    try:
        return _build(fields, compiled, trigger)
    except UnicodeEncodeError as error:
        raise Failure("the data is not valid Unicode") from error
    except ValueError as error:
        raise Failure(str(error)) from error


def _build(fields: dict[str, Any], compiled: Compiled, trigger: Trigger) -> Request:
    scopes = trigger.scopes()

    def render(text: str) -> str:
        return compiled.render(text, *scopes)

    def table(name: str) -> dict[str, str]:
        return fill(fields.get(name, {}), render)

    event = trigger.event
    defaults: dict[str, str | None] = {}
    if not fields["noDefaults"]:
        defaults = {
            "event": event.name,
            "data": event.text(),
            "published_at": iso(event.published_at),
            "coreid": event.core_id,
        }
    url = addresses.parse(render(fields["url"]))
    query, data, kind = table("query"), None, None
    if fields["requestType"] == "GET":
        query = _flat(defaults) | query
    elif "json" in fields:
        data, kind = _json_body(fields["json"], render, defaults), "application/json"
    elif "body" in fields:
        data, kind = render(fields["body"]).encode(), "text/plain; charset=utf-8"
    else:
        data = _flat(defaults) | table("form") or None
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if kind:
        headers["Content-Type"] = kind
    headers = _merged(headers, table("headers"))
    account = table("auth")
    if account:
        headers = _merged(headers, {"Authorization": addresses.basic(account)})
    if query:
        url = url.update_query(query)
    return Request(fields["requestType"], url, headers, data, fields["rejectUnauthorized"])


def _flat(table: dict[str, str | None]) -> dict[str, str]:
    return {name: value or "" for name, value in table.items()}


def _json_body(value: Any, render: Any, defaults: dict[str, str | None]) -> bytes:
    value = fill(value, render)
    if isinstance(value, str):
        try:
            value = strict_json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Failure(f"the template json gives no JSON with this data: {error}") from error
    if isinstance(value, dict):
        value = defaults | value
    return strict_json.dumps(value, ensure_ascii=False).encode()


def _merged(headers: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    for name, value in more.items():
        addresses.check_header(name, value)
        # Names may differ in case only.
        for known in [known for known in headers if known.lower() == name.lower()]:
            del headers[known]
        headers[name] = value
    return headers


def _why(error: aiohttp.ClientConnectorError) -> str:
    # asyncio's own text of a refused connection names an address, not a reason.
    cause = error.os_error
    if isinstance(cause, socket.gaierror) or not cause.errno:
        return cause.strerror or str(cause)
    return os.strerror(cause.errno)


def _not_allowed(host: str) -> Failure:
    return Failure(f"{host} is not among the hosts that webhooks may reach")


def _unnoticed() -> None:
    pass


async def _found(session: Any, context: Any, params: Any) -> None:
    context.trace_request_ctx()


class Requests:
    """Sends requests. No cookies, no redirects, no proxy, a connection for each."""

    def __init__(self, clock: Clock, limits: Limits, allowed: Allowed) -> None:
        self._clock = clock
        self._limits = limits
        self._allowed = allowed
        self._session: aiohttp.ClientSession | None = None

    def check_host(self, url: URL) -> None:
        """Raise Failure for an address that no webhook may reach.

        What a name stands for is known when it is looked up.
        """
        host = url.host or ""
        try:
            self._allowed.check_literal(host)
        except NotAllowed as error:
            raise _not_allowed(host) from error

    async def send(self, request: Request, sent: Callable[[], None] = _unnoticed) -> Answer:
        """Return the answer if it is 2xx. Raises Failure for everything else.

        `sent` is called when the host is one that may be reached.
        """
        host, limit = request.host, self._limits.hook_s
        self.check_host(request.url)
        try:
            return await self._clock.wait_for(self._exchange(request, sent), limit)
        except asyncio.TimeoutError as error:
            raise Failure(f"no answer from {host} within {limit:g} s", transient=True) from error
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, NotAllowed):
                raise _not_allowed(host) from error
            raise Failure(f"{host} was not found: {_why(error)}", transient=True) from error
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", error.certificate_error)
            raise Failure(f"the certificate of {host} is not valid: {reason}") from error
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise Failure(f"no TLS with {host}: {getattr(error, 'reason', error)}") from error
        except aiohttp.ClientConnectorError as error:
            raise Failure(f"cannot connect to {host}: {_why(error)}", transient=True) from error
        except aiohttp.ClientResponseError as error:
            raise Failure(f"{host} does not answer in HTTP: {error.message[:80]}") from error
        except aiohttp.InvalidURL as error:
            raise Failure(f"{host} is no host: {error.description}") from error
        except (aiohttp.ClientError, OSError) as error:
            # Disconnected, reset, or too little of the body.
            text = f"{host} closed the connection before its answer was complete"
            raise Failure(text, transient=True) from error
        except ValueError as error:
            raise Failure(f"the request to {host} cannot be sent: {error}") from error

    async def _exchange(self, request: Request, sent: Callable[[], None]) -> Answer:
        if is_address(request.host):
            sent()  # else by `_found`
        async with self._open().request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.data,
            ssl=request.verify,
            allow_redirects=False,
            trace_request_ctx=sent,
        ) as response:
            host, status = request.host, response.status
            if not 200 <= status < 300:
                text = f"error status {status} from {host}"
                if 300 <= status < 400 and "Location" in response.headers:
                    text += ": redirects are not followed"
                raise Failure(text, transient=status == _BUSY or status >= _FAULTS)
            data = await self._read(response, host)
            return Answer(host, data, response.content_type)

    async def _read(self, response: aiohttp.ClientResponse, host: str) -> bytes:
        largest = self._limits.hook_response
        too_large = Failure(f"the answer of {host} is larger than {largest} bytes")
        if (response.content_length or 0) > largest:
            raise too_large
        data = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            data += chunk
            if len(data) > largest:
                raise too_large
        return bytes(data)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_dns_resolvehost_end.append(_found)
            trace.on_dns_cache_hit.append(_found)
            self._session = aiohttp.ClientSession(
                trace_configs=[trace],
                connector=aiohttp.TCPConnector(
                    resolver=Resolver(self._allowed), force_close=True, limit=0
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=_CHUNK,
                max_headers=_HEADERS,
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None
