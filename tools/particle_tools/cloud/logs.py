"""Log lines for people or for machines, with the request they belong to and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any, TextIO

from particle_tools.cloud import strict_json
from particle_tools.cloud.clock import iso

NAME = "particle.cloud"
FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# Tokens in any form; a device id has 24 digits, a DTLS connection ID 16.
_SECRETS = re.compile(r"\b[0-9a-f]{40}\b|(?<=access_token=)[^&\s\"']+", re.IGNORECASE)
_HIDDEN = "[token]"


def fields(**values: object) -> dict[str, Any]:
    """Return the `extra` of a log call: what a machine reads beside the text."""
    return {"fields": values}


class _Formatter(logging.Formatter):
    def _parts(self, record: logging.LogRecord) -> dict[str, Any]:
        found = {"request_id": request_id.get(), **getattr(record, "fields", {})}
        return {name: value for name, value in found.items() if value is not None}

    def _failure(self, record: logging.LogRecord) -> str | None:
        return self.formatException(record.exc_info) if record.exc_info else None


class JsonLines(_Formatter):
    """One JSON object a line: time, level, logger, message, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._parts(record),
        }
        failure = self._failure(record)
        if failure:
            line["error"] = failure
        line = {name: _shown(v) if isinstance(v, str) else v for name, v in line.items()}
        return _shown(strict_json.dumps(line, default=str))


class Text(_Formatter):
    """Time, level, message, then NAME=VALUE; a failure on indented lines below.

    What strangers have written begins no line and controls no terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        parts = [f"{name}={value}" for name, value in self._parts(record).items()]
        head = f"{iso(record.created)} {record.levelname.lower()}"
        lines = [_line(" ".join([head, record.getMessage(), *parts]))]
        failure = self._failure(record)
        if failure:
            lines += ["  " + _line(line) for line in failure.split("\n")]
        return "\n".join(lines)


def _shown(text: str) -> str:
    return _SECRETS.sub(_HIDDEN, text)


def _line(text: str) -> str:
    # Tokens first: in an escaped text none begins at the beginning of a word.
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in _shown(text)
    )


def configure(form: str, level: str, stream: TextIO | None = None) -> None:
    """Send the cloud's log to a stream (standard error) from now on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else Text())
    logger = logging.getLogger(NAME)
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
