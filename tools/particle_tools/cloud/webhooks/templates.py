"""Mustache templates of webhooks: pystache parses them, this file bounds what they may cost.

A template is written by a user, what goes into it by a device or by whoever answers a request:
neither may keep the cloud busy. Partials and other delimiters are refused (rest-api 8).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from pystache.parser import ParsingError, parse
from pystache.renderengine import RenderEngine

from particle_tools.cloud import strict_json

_TAG = 128  # characters of a tag; pystache needs the cube of its blanks
_BLANKS = re.compile(r"[ \t]{201}")  # in a row; it needs their square
_DEPTH = 16
_WORK = 1_000_000  # characters written, or walked over by repeated sections, in one rendering
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_NOTHING = object()


class TemplateError(ValueError):
    """A template that cannot be used, or data that makes too much of it."""


class Template:
    """One template. Raises TemplateError."""

    def __init__(self, text: str) -> None:
        _check(text)
        self._length = len(text)
        try:
            self._parsed = parse(text, raise_on_mismatch=True)
        except ParsingError as error:
            raise TemplateError(f"The template {_short(text)} is not closed: {error}") from error

    def render(self, *scopes: Any) -> str:
        """Fill in values; a name is looked up in the last scope first. Raises TemplateError."""
        stack = _Scopes(scopes, self._length)
        engine = RenderEngine(
            literal=stack.counted,
            escape=lambda text: html.escape(stack.counted(text)),
            resolve_context=_Scopes.look_up,
            to_str=_text,
        )
        return self._parsed.render(engine, stack)


class _Scopes:
    """What pystache takes for its stack of contexts; counts the work."""

    def __init__(self, scopes: Sequence[Any], length: int) -> None:
        self._stack = list(scopes)
        self._length = length
        self._work = 0

    def push(self, item: Any) -> None:
        # Each turn of a section costs up to the whole template.
        self._spend(self._length)
        self._stack.append(item)

    def pop(self) -> Any:
        return self._stack.pop()

    def counted(self, text: str) -> str:
        self._spend(len(text))
        return text

    def look_up(self, name: str) -> Any:
        if name == ".":
            return self._stack[-1]
        first, *rest = name.split(".")
        found = _NOTHING
        for scope in reversed(self._stack):
            found = _member(scope, first)
            if found is not _NOTHING:
                break
        for part in rest:
            found = _member(found, part)
        # An object that is a section's value must be one that iter() does not take apart.
        return None if found is _NOTHING else found

    def _spend(self, characters: int) -> None:
        self._work += characters
        if self._work > _WORK:
            raise TemplateError("The template repeats too much with this data")


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, _NOTHING)
    if isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
        return value[int(name)]
    return _NOTHING


def _text(value: Any) -> str:
    # As JSON has it, but nothing for null: a template mostly writes JSON.
    return "" if value is None else strict_json.dumps(value, ensure_ascii=False)


def _check(text: str) -> None:
    if _BLANKS.search(text):
        raise TemplateError(f"The template {_short(text)} has more than 200 blanks in a row")
    at = depth = 0
    while (at := text.find("{{", at)) >= 0:
        end = text.find("}}", at + 2)
        tag = _short(text[at : at + _TAG])
        if end < 0:
            raise TemplateError(f"The tag {tag} is not closed with }}}}")
        if end - at > _TAG:
            raise TemplateError(f"The tag {tag} is longer than {_TAG} characters")
        kind = text[at + 2 : end].lstrip()[:1]
        if not kind:
            raise TemplateError("A tag {{}} has no name")
        if kind in "=>":
            raise TemplateError(f"The tag {tag} is a partial or a delimiter: not served")
        depth += (kind in "#^") - (kind == "/")
        if depth > _DEPTH:
            raise TemplateError(f"Sections are nested more than {_DEPTH} deep")
        at = end + 2 + text.startswith("}", end + 2)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def fill(value: Any, render: Callable[[str], str]) -> Any:
    """Return JSON with `render(text)` in place of every text in it, names included."""
    if isinstance(value, str):
        return render(value)
    if isinstance(value, list):
        return [fill(item, render) for item in value]
    if isinstance(value, dict):
        return {render(name): fill(item, render) for name, item in value.items()}
    return value
