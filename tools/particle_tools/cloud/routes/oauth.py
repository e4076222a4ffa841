"""POST /oauth/token and the tokens of a user (rest-api 2). Any client pair is accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.accounts import TOKEN_S
from particle_tools.cloud.clock import iso
from particle_tools.cloud.rest import BASIC, OPEN, Ask, Route, decode_basic

_DEFAULT_CLIENT = "particle"
_LONGEST_S = 100 * 365 * 86_400


async def _token(ask: Ask) -> dict[str, Any]:
    # The Authorization header is only ever the client's here, and `Bearer null` happens.
    accounts = ask.services.accounts
    grant = ask.text("grant_type")
    if grant == "password":
        user = await ask.login(
            ask.text("username", default="") or "", ask.text("password", default="") or ""
        )
    elif grant == "refresh_token":
        refresh = ask.text("refresh_token", default="") or ""
        known = accounts.check(refresh, "refresh")
        if known is None:
            raise catalogue.bad_credentials()
        await accounts.revoke(refresh)
        user = known.user
    elif grant is None:
        raise catalogue.invalid_request("Missing parameter: `grant_type`")
    else:
        raise catalogue.ApiError(
            400,
            {
                "error": "unsupported_grant_type",
                "error_description": f"The local cloud does not support the grant {grant}",
            },
        )
    lifetime = _lifetime(ask)
    access, refresh = await accounts.issue(user, _client(ask), lifetime)
    return {
        "token_type": "bearer",
        "access_token": access,
        "expires_in": 0 if lifetime is None else int(lifetime),
        "refresh_token": refresh,
    }


def _client(ask: Ask) -> str:
    kind, _, credentials = ask.http.headers.get("Authorization", "").partition(" ")
    basic = decode_basic(credentials)[0] if kind.lower() == "basic" else ""
    return ask.text("client_id") or basic or _DEFAULT_CLIENT


def _lifetime(ask: Ask) -> float | None:
    """Return the seconds a token shall live; None for ever."""
    seconds, until = ask.text("expires_in"), ask.text("expires_at")
    try:
        if seconds is not None:
            value = float(seconds)
        elif until is not None:
            moment = datetime.fromisoformat(until.replace("Z", "+00:00")).timestamp()
            value = moment - ask.services.clock.time()
            if value <= 0:
                raise ValueError
        else:
            value = TOKEN_S
    except (ValueError, OverflowError) as error:
        raise catalogue.invalid_request("expires_in or expires_at is not a time") from error
    if not 0 <= value <= _LONGEST_S:  # false for nan, too
        raise catalogue.invalid_request("expires_in is not a number of seconds")
    return value or None


async def _list(ask: Ask) -> list[dict[str, Any]]:
    # Tokens are stored hashed, so a list can only show how each begins.
    return [
        {
            "token": token.hint + "*" * 32,
            "expires_at": iso(token.expires_at),
            "client": token.client,
        }
        for token in ask.services.accounts.tokens(ask.who)
    ]


async def _current(ask: Ask) -> dict[str, Any]:
    token = ask.services.accounts.check(ask.token or "")
    if token is None:
        raise catalogue.invalid_token()
    return {
        "expires_at": iso(token.expires_at),
        "client": token.client,
        "client_id": token.client,
        "scopes": [],
        "orgs": [],
    }


async def _delete_current(ask: Ask) -> dict[str, Any]:
    await ask.services.accounts.revoke(ask.token or "")
    return {"ok": True}


async def _delete(ask: Ask) -> dict[str, Any]:
    # Whoever knows a token may end it: the CLI sends no credentials here.
    if not await ask.services.accounts.revoke(ask.part("token")):
        raise catalogue.invalid_token()
    return {"ok": True}


async def _delete_all(ask: Ask) -> dict[str, Any]:
    await ask.services.accounts.revoke_all(ask.who)
    return {"ok": True}


ROUTES = [
    Route("POST", "/oauth/token", _token, OPEN),
    Route("GET", "/v1/access_tokens", _list, BASIC),
    Route("GET", "/v1/access_tokens/current", _current),
    Route("DELETE", "/v1/access_tokens/current", _delete_current),
    Route("DELETE", "/v1/access_tokens/{token}", _delete, OPEN),
    Route("DELETE", "/v1/access_tokens", _delete_all),
]
