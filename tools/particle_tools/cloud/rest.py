"""HTTP: finds the route groups, checks tokens, reads bodies, turns results and errors to JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib
import ipaddress
import logging
import pkgutil
import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from particle_tools.cloud import access, catalogue, rate_limits, routes, strict_json
from particle_tools.cloud.accounts import User
from particle_tools.cloud.catalogue import ApiError
from particle_tools.cloud.devices import Device
from particle_tools.cloud.products import Product
from particle_tools.cloud.services import Services
from particle_tools.cloud.settings import Limits

_LOG = logging.getLogger("particle.cloud")
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, X-Particle-Tool, X-Particle-Project, Last-Event-ID"
    ),
    "Access-Control-Max-Age": "86400",
}

_DIGITS = re.compile("[0-9]{1,9}")

OPEN, BASIC, BEARER = "open", "basic", "bearer"
OWN_PAGES = "own pages"  # open, but not to a page of some other site in somebody's browser


@dataclass
class Ask:
    """One request: what a route handler gets."""

    services: Services
    http: web.Request
    body: dict[str, Any]
    user: User | None = None
    token: str | None = None

    @property
    def who(self) -> User:
        """The authenticated user of a route that asks for one."""
        assert self.user is not None
        return self.user

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.services.settings.limits

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return self.http.match_info[name]

    def text(self, *names: str, default: str | None = None) -> str | None:
        """Return a field of the body as text, under the first of several names present."""
        for name in names:
            value = self.body.get(name)
            if value is not None:
                text = value if isinstance(value, str) else strict_json.dumps(value)
                try:
                    text.encode()
                except UnicodeEncodeError as error:
                    raise catalogue.bad_request(f"{name} is not valid Unicode") from error
                return text
        return default

    async def login(self, username: str, password: str) -> User:
        """Return the user of a password. Raises ApiError: 400 wrong, 429 too many wrong ones."""
        services, address = self.services, self.http.remote or ""
        wait = services.logins.begin(username, address)
        if wait:
            raise catalogue.too_many_logins(wait)
        user = await services.accounts.login(username, password)
        if user is None:
            raise catalogue.bad_credentials()
        services.logins.succeeded(username, address)
        return user

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        """Return a whole number of the query. Raises ApiError 400."""
        text = self.http.query.get(name, str(default))
        if not _DIGITS.fullmatch(text) or int(text) < least:
            raise catalogue.bad_request(f"{name} is a whole number from {least}")
        return int(text)

    def product(self) -> Product:
        """Return the user's product named in the path. Raises ApiError 404."""
        product = self.services.products.find(self.who, self.part("product"))
        if product is None:
            raise catalogue.not_found(f"Product {self.part('product')} not found")
        return product

    def device(self, part: str = "device") -> Device:
        """Return the device named in the path: the user's, or one of the product named there.

        Raises ApiError 403, 404 without such a product.
        """
        if "product" in self.http.match_info:
            device = self.services.products.device(self.product(), self.part(part))
        else:
            device = self.services.devices.find(self.who, self.part(part))
        if device is None:
            raise catalogue.unknown_device()
        return device


class Route(NamedTuple):
    """One row of a group: `path` in aiohttp's form; the handler returns JSON or a response."""

    method: str
    path: str
    handler: Callable[[Ask], Awaitable[Any]]
    auth: str = BEARER


def make_app(services: Services) -> web.Application:
    """Build the application from every module in routes/."""
    app = web.Application(
        middlewares=[access.middleware(services), _guard, rate_limits.middleware(services)],
        client_max_size=services.settings.limits.body,
    )
    app.on_response_prepare.extend((_add_cors, access.name_answer))
    for route in all_routes():
        app.router.add_route(route.method, route.path, _handler(services, route))
    return app


def all_routes() -> list[Route]:
    """Return the routes of every module in routes/, in the order in which they are tried."""
    found: list[Route] = []
    for module in pkgutil.iter_modules(routes.__path__):
        found += importlib.import_module(f"{routes.__name__}.{module.name}").ROUTES
    return sorted(found, key=_specificity)


def _specificity(route: Route) -> list[tuple[int, str]]:
    # Fixed words are tried before parameters, whatever file they come from.
    return [
        (2 if ":" in word else 1 if word.startswith("{") else 0, word)
        for word in route.path.split("/")
    ]


def _handler(services: Services, route: Route) -> Callable[[web.Request], Awaitable[Any]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        ask = Ask(services, request, await _body(services, request))
        await authenticate(ask, route.auth)
        result = await route.handler(ask)
        return result if isinstance(result, web.StreamResponse) else json_answer(200, result)

    return handle


def json_answer(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """Make an answer of JSON."""
    return web.json_response(body, status=status, headers=headers, dumps=strict_json.dumps)


async def _add_cors(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_CORS)


@web.middleware
async def _guard(request: web.Request, handler: Callable) -> web.StreamResponse:
    """Make every answer JSON: a client parses the body of an error without looking."""
    if request.method == "OPTIONS":
        return web.Response(status=204)
    headers = None
    try:
        return await handler(request)
    except ApiError as api_error:
        error, headers = api_error, api_error.headers
    except web.HTTPRequestEntityTooLarge:
        error = ApiError(413, {"ok": False, "error": "The request is too large"})
    except web.HTTPNotFound:
        error = catalogue.not_served(request.path)
    except web.HTTPException as http:
        error = ApiError(http.status, {"ok": False, "error": http.reason})
        headers = {"Allow": http.headers["Allow"]} if "Allow" in http.headers else None
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        error = _fault(request)
    except sqlite3.DatabaseError as fault:
        _LOG.error("%s %s: %s", request.method, request.path, fault)
        error = catalogue.unavailable(_storage(fault))
    except ConnectionError:
        raise
    except Exception:
        error = _fault(request)
    return json_answer(error.status, error.body, headers)


def _fault(request: web.Request) -> ApiError:
    _LOG.exception("%s %s failed", request.method, request.path)
    return ApiError(500, {"ok": False, "error": "Internal error"})


def _storage(fault: sqlite3.DatabaseError) -> str:
    """Say what is wrong with the database, and what to do. Nothing was changed."""
    text = str(fault)
    if "full" in text:
        return "The disk is full and nothing was changed: make room and try again"
    if "locked" in text:
        return "Another program holds the database and nothing was changed: try again"
    return f"The database cannot be used now ({text}) and nothing was changed"


async def _body(services: Services, request: web.Request) -> dict[str, Any]:
    """Read a JSON or form body; a multipart body is left to its handler."""
    if not request.can_read_body or request.content_type.startswith("multipart/"):
        return {}
    limits = services.settings.limits
    try:
        raw = await services.clock.wait_for(request.read(), limits.body_s)
    except asyncio.TimeoutError as error:
        raise catalogue.timed_out() from error
    if not raw.strip():
        return {}
    kind = request.content_type
    if kind == "application/json" or kind.endswith("+json"):
        return _parsed(raw, limits.depth)
    if "Content-Type" in request.headers and kind != "application/x-www-form-urlencoded":
        raise catalogue.wrong_type(kind)
    try:
        return dict(await request.post())
    except (ValueError, LookupError) as error:
        raise catalogue.bad_request("The body is not a valid form") from error


def _parsed(raw: bytes, depth: int) -> dict[str, Any]:
    try:
        body = strict_json.loads(raw)
    except strict_json.NotFinite as error:
        raise catalogue.bad_request(f"The body is malformed JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise catalogue.bad_request("The body is not valid JSON") from error
    if not isinstance(body, dict):
        raise catalogue.bad_request("The body is not a JSON object")
    inner: list[Any] = [body]
    for _ in range(depth):
        inner = [
            value
            for part in inner
            for value in (part.values() if isinstance(part, dict) else part)
            if isinstance(value, (dict, list))
        ]
        if not inner:
            return body
    raise catalogue.bad_request(f"The body is nested deeper than {depth}")


def _refuse_strange_page(ask: Ask) -> None:
    """Raise ApiError 403 for a page that is not of this machine or this cloud.

    Any page may speak to a loopback port, under CORS or by a name it has given to that address.
    It has no token; but with an account of its own it could have webhooks ask other programs on
    this machine, and read what they answer.
    """
    origin = ask.http.headers.get("Origin")
    if origin is None:
        return  # no browser
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        host = ""
    if host not in ("localhost", ask.services.settings.host) and not host.endswith(".localhost"):
        try:
            ours = ipaddress.ip_address(host).is_loopback
        except ValueError:
            ours = False
        if not ours:
            text = f"Pages of {origin[:80]} may not do this: use a program, or the command line"
            raise ApiError(403, {"ok": False, "error": text, "errors": [text]})


async def authenticate(ask: Ask, auth: str) -> None:
    """Find out who asks. Raises ApiError 400 or 401."""
    if auth == OPEN:
        return
    if auth == OWN_PAGES:
        _refuse_strange_page(ask)
        return
    kind, _, credentials = ask.http.headers.get("Authorization", "").partition(" ")
    if auth == BASIC and kind.lower() == "basic":
        ask.user = await ask.login(*decode_basic(credentials))
        return
    token = credentials.strip() if kind.lower() == "bearer" else None
    in_body = ask.body.pop("access_token", None)
    token = token or ask.http.query.get("access_token") or in_body
    if not token:
        raise catalogue.no_token()
    token = str(token)
    known = ask.services.accounts.check(token) if token.isascii() else None
    if known is None:
        raise catalogue.invalid_token()
    ask.user, ask.token = known.user, token


def decode_basic(credentials: str) -> tuple[str, str]:
    """Split the credentials of HTTP Basic; two empty texts if they are not such."""
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password
