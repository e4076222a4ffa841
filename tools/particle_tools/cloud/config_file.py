"""The configuration of a cloud as a TOML file: what may stand in it, checked; and printed again.

The keys are the fields of settings.py: those of Settings at the top, the others in a table each.
"""

from __future__ import annotations

import dataclasses
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import tomli_w

from particle_tools.cloud import logs, metrics, plans
from particle_tools.cloud.settings import Limits, Logs, Metering, Plan, Rates, Settings
from particle_tools.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLES = {"limits": Limits, "metering": Metering, "plan": Plan, "rates": Rates, "log": Logs}
_OTHERS = {"user", "users", "standard_dtls", *_TABLES}  # fields of Settings that are no plain key
_PORT = (0, 65535)
_LARGEST = 1e9
_RANGES: dict[str, tuple[float, float]] = {
    "tcp_port": _PORT,
    "udp_port": _PORT,
    "http_port": _PORT,
    "time_scale": (1e-6, 1e6),
    "limits.name": (1, 64),  # cloud-protocol 8
    "limits.data": (1, 16384),
    "plan.operations": (0, _LARGEST),
    "plan.cellular_bytes": (0, 1e15),
    "plan.grace_days": (0, 31),
    "metering.repeated_publish": (0, 1),
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "metrics": (metrics.TOKEN, metrics.OPEN, metrics.OFF),
    "metering.large_publish": ("per-kilobyte", "one"),
    "metering.asked": (0, 2),
    "plan.name": plans.NAMES,
    "log.format": logs.FORMATS,
    "log.level": logs.LEVELS,
}
_HIDDEN = "(hidden)"


class _Bad(Exception):
    """What is wrong with the file."""


def load(path: Path) -> dict[str, Any]:
    """Return the fields of Settings that a file sets. Raises UserError, of one line."""
    try:
        text = path.read_text(encoding="utf-8")
        known = _checked(tomllib.loads(text))
        if "users" in known and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise _Bad(f"others may read the passwords in it: chmod 600 {path}")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (ValueError, _Bad) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return known


def dump(settings: Settings) -> str:
    """Return all settings in the form of a file, passwords hidden."""
    plain = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in _fields(settings).items()
        if name not in _OTHERS
    }
    tables = {name: _fields(getattr(settings, name)) for name in _TABLES}
    users = [user for user in (settings.user, *settings.users) if user is not None]
    listed = [{"name": name, "password": _HIDDEN} for name, _ in users]
    return tomli_w.dumps({**plain, **tables, **({"users": listed} if listed else {})})


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _checked(body: Mapping[str, Any]) -> dict[str, Any]:
    types = get_type_hints(Settings)
    plain = {field.name for field in dataclasses.fields(Settings)} - _OTHERS
    result: dict[str, Any] = {}
    for key, value in body.items():
        if key in _TABLES:
            result[key] = _table(key, value)
        elif key == "users":
            result[key] = _users(value)
        elif key in plain:
            result[key] = _value(key, types[key], value)
        else:
            raise _unknown(key, {*plain, *_TABLES, "users"})
    return result


def _table(name: str, body: object) -> Any:
    kind = _TABLES[name]
    if not isinstance(body, dict):
        raise _Bad(f"{name} is a table: [{name}]")
    types = get_type_hints(kind)
    for key in body:
        if key not in types:
            raise _unknown(f"{name}.{key}", set(types))
    return kind(**{key: _value(f"{name}.{key}", types[key], body[key]) for key in body})


def _users(body: object) -> tuple[tuple[str, str], ...]:
    rows = body if isinstance(body, list) else [None]
    for row in rows:
        if not isinstance(row, dict) or set(row) != {"name", "password"}:
            raise _Bad("users are tables [[users]], each with name and password")
        for key, text in row.items():
            if not isinstance(text, str) or not text or text == _HIDDEN:
                raise _Bad(f"users.{key} is a text that is not empty")
    return tuple((row["name"], row["password"]) for row in rows)


def _unknown(key: str, known: set[str]) -> _Bad:
    return _Bad(f"unknown key {key}; there are {', '.join(sorted(known))}")


def _value(key: str, kind: Any, value: Any) -> Any:
    if key in _CHOICES:
        good = any(value == choice and type(value) is type(choice) for choice in _CHOICES[key])
        return _good(good, key, value, "one of " + ", ".join(map(repr, _CHOICES[key])))
    if kind is bool:
        return _good(isinstance(value, bool), key, value, "true or false")
    if kind in (int, float):
        return _number(key, kind, value)
    if get_origin(kind) is tuple:
        good = isinstance(value, list) and all(isinstance(text, str) and text for text in value)
        return tuple(_good(good, key, value, "a list of texts"))
    good = isinstance(value, str) and value != ""
    _good(good, key, value, "a text that is not empty")
    return Path(value).expanduser() if kind is Path else value


def _number(key: str, kind: Callable[[Any], Any], value: Any) -> Any:
    low, high = _RANGES.get(key, (1 if kind is int else 1e-3, _LARGEST))
    whole = isinstance(value, int) and not isinstance(value, bool)
    good = (whole or (kind is float and isinstance(value, float))) and low <= value <= high
    noun = "a whole number" if kind is int else "a number"
    _good(good, key, value, f"{noun} from {low:.15g} to {high:.15g}")
    return kind(value)


def _good(good: bool, key: str, value: object, wanted: str) -> Any:
    if not good:
        raise _Bad(f"{key} is {value!r}, but it must be {wanted}")
    return value
