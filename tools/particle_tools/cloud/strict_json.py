"""JSON without NaN and Infinity, which Python reads and writes and nobody else understands."""

from __future__ import annotations

import json
import math
from typing import Any


class NotFinite(ValueError):
    """A number that JSON does not have."""


def loads(text: str | bytes) -> Any:
    """Read JSON. Raises ValueError; NotFinite for NaN, Infinity and numbers such as 1e400."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def dumps(value: Any, **options: Any) -> str:
    """Write JSON. What is not finite becomes null: an answer never fails on it."""
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_plain(value), allow_nan=False, **options)


def _refuse(text: str) -> float:
    raise NotFinite(f"{text[:20]} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
