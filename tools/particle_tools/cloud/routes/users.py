"""Accounts: make, show, change, delete (rest-api 2)."""

from __future__ import annotations

import re
from typing import Any

from particle_tools.cloud import catalogue
from particle_tools.cloud.accounts import User
from particle_tools.cloud.catalogue import ApiError
from particle_tools.cloud.hello import CELLULAR
from particle_tools.cloud.rest import OPEN, OWN_PAGES, Ask, Route
from particle_tools.cloud.routes.devices import follow_owner

_USERNAME = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST = 254
_PASSWORD = 1024
_INFO = ("first_name", "last_name", "business_account", "company_name")
_INFO_TEXT = 200


def _username(ask: Ask) -> str:
    name = ask.text("username", default="") or ""
    if len(name) > _LONGEST or not name.isprintable() or not _USERNAME.fullmatch(name):
        raise _refused("username must be an email address")
    return name


def _password(ask: Ask) -> str:
    password = ask.text("password", default="") or ""
    if not 0 < len(password) <= _PASSWORD:
        raise _refused("password is required")
    return password


def _refused(text: str) -> ApiError:
    return ApiError(400, {"ok": False, "error": text, "errors": [text]})


def _info(ask: Ask) -> dict[str, Any]:
    values = ask.body.get("account_info", {})
    if not isinstance(values, dict):
        raise _refused("account_info is not an object")
    found = {name: values[name] for name in _INFO if values.get(name) is not None}
    for name, value in found.items():
        if name == "business_account" and isinstance(value, bool):
            continue
        if not isinstance(value, str) or len(value) > _INFO_TEXT or not value.isprintable():
            raise _refused(f"{name} is not a short text")
    return found


async def _create(ask: Ask) -> dict[str, Any]:
    name, password, info = _username(ask), _password(ask), _info(ask)
    try:
        user = await ask.services.accounts.create(name, password)
    except ValueError as error:
        raise _refused(str(error)) from error
    if info:
        await ask.services.accounts.describe(user, info)
    return {"ok": True}


async def _show(ask: Ask) -> dict[str, Any]:
    user: User = ask.who
    devices = ask.services.devices.of(user)
    cellular = sum(device.platform_id in CELLULAR for device in devices)
    return {
        "username": user.username,
        "subscription_ids": [],
        "account_info": {
            "first_name": "",
            "last_name": "",
            "business_account": False,
            **user.account_info,
        },
        "mfa": {"enabled": False},
        "wifi_device_count": len(devices) - cellular,
        "cellular_device_count": cellular,
        "tos": {"accepted": True},
        "memberships": [],
        "scim_provisioned": False,
        "no_password": False,
    }


async def _change(ask: Ask) -> dict[str, Any]:
    accounts, user = ask.services.accounts, ask.who
    info = _info(ask)
    name = _username(ask) if "username" in ask.body else None
    password = _password(ask) if "password" in ask.body else None
    if name is None and password is None and "account_info" not in ask.body:
        raise _refused("Nothing to change: send account_info, username or password")
    if name is not None or password is not None:
        await ask.login(user.username, ask.text("current_password", default="") or "")
    if name is not None:
        try:
            await accounts.rename(user, name)
        except ValueError as error:
            raise _refused(str(error)) from error
    if password is not None:
        await accounts.set_password(user, password)
    if info:
        await accounts.describe(user, {**user.account_info, **info})
    if str(ask.body.get("invalidate_tokens")).lower() in ("true", "1"):
        await accounts.revoke_all(user)
    return {"ok": True, "message": "User account has been updated."}


async def _delete(ask: Ask) -> dict[str, Any]:
    user = await ask.login(ask.who.username, ask.text("password", default="") or "")
    devices = [device.id for device in ask.services.devices.of(user)]
    await ask.services.accounts.delete(user)
    ask.services.usage.forget(user.id)
    for device_id in devices:
        follow_owner(ask, device_id)
    return {"ok": True, "message": "User's account has been deleted."}


async def _reset(ask: Ask) -> Any:
    # The same for every name: strangers do not learn who has an account.
    _username(ask)
    raise catalogue.not_implemented(
        "The local cloud sends no e-mail: whoever runs it can set a password by starting it"
        " with --user NAME:PASSWORD"
    )


async def _identify(ask: Ask) -> dict[str, Any]:
    return {"id": str(ask.who.id), "email": ask.who.username}


async def _no_mfa(ask: Ask) -> Any:
    raise catalogue.not_implemented("The local cloud has no multi-factor authentication")


ROUTES = [
    Route("POST", "/v1/users", _create, OWN_PAGES),
    Route("GET", "/v1/user", _show),
    Route("PUT", "/v1/user", _change),
    Route("DELETE", "/v1/user", _delete),
    Route("POST", "/v1/user/password-reset", _reset, OPEN),
    Route("GET", "/v1/user/identify", _identify),
    Route("GET", "/v1/user/mfa-enable", _no_mfa),
    Route("POST", "/v1/user/mfa-enable", _no_mfa),
    Route("PUT", "/v1/user/mfa-disable", _no_mfa),
]
