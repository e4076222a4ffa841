"""What a webhook is: its fields, checked when it is made, and its templates (rest-api 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from particle_tools.cloud import strict_json
from particle_tools.cloud.webhooks import addresses
from particle_tools.cloud.webhooks.templates import Template, TemplateError

OWN_PREFIXES = ("hook-sent/", "hook-response/", "hook-error/")
RESERVED = ("particle/", "spark/")
METHODS = ("GET", "POST", "PUT", "DELETE")

_SIZE = 16 * 1024  # of a definition, as JSON
_EVENT = 64
_TYPE = "Webhook"
_BODIES = ("json", "form", "body")
_TEXTS = ("name", "responseTopic", "errorResponseTopic", "responseTemplate")
_SWITCHES = {  # name -> value when absent
    "disabled": False,
    "noDefaults": False,
    "rejectUnauthorized": True,
    "unchunked": False,
    "dataUrlResponseEvent": False,
}
_DEVICE = ("deviceID", "deviceId", "deviceid")
_FIELDS = {
    *("event", "eventName", "url", "requestType", "integration_type", "query", "headers", "auth"),
    *(*_BODIES, *_TEXTS, *_SWITCHES, *_DEVICE),
}
# What a webhook is shown with, and what changes nothing when it is given back; older templates
# have `mydevices`, which has been so for long.
_IGNORED = {"id", "ok", "created_at", "product_id", "hookUrl", "counters", "mydevices"}
# What describes the connection or the length of the body is not a user's to say.
_NOT_HEADERS = {
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_TRUE, _FALSE = ("true", "1"), ("false", "0", "")


class BadDefinition(ValueError):
    """A definition that cannot be a webhook; the text says why."""


def read(body: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the fields of a request body, checked; `before`: those that an edit starts from.

    `deviceID` is as it was given; null takes a field out. Raises BadDefinition.
    """
    _known(body)
    given = {name: value for name, value in body.items() if value is not None}
    fields = {name: value for name, value in (before or {}).items() if name not in body}
    if any(name in given for name in _BODIES):
        for name in _BODIES:
            fields.pop(name, None)
    _type(given)
    before = before or {}
    event = given.get("event", given.get("eventName", before.get("event")))
    url = given.get("url", before.get("url"))
    fields["event"], fields["url"] = _event(event), _url(url)
    method = given.get("requestType", before.get("requestType", "POST"))
    fields["requestType"] = _method(method)
    for name in _SWITCHES:
        fields[name] = _switch(name, given.get(name, before.get(name)))
    for name in _TEXTS:
        if name in given:
            fields[name] = _text(name, given[name])
    device = next((given[name] for name in _DEVICE if name in given), None)
    if device is not None:
        fields["deviceID"] = _text("deviceID", device)
    for name in ("query", "headers", "form", "auth"):
        if name in given:
            fields[name] = _table(name, given[name])
    for name in ("json", "body"):
        if name in given:
            fields[name] = _content(name, given[name])
    _agree(fields)
    _fits(fields)
    Compiled(fields)
    return fields


def _known(body: dict[str, Any]) -> None:
    # Left out, a mistyped field would make another webhook than was meant.
    strange = sorted(set(body) - _FIELDS - _IGNORED)
    if strange:
        known = ", ".join(sorted(_FIELDS))
        raise BadDefinition(f"{strange[0][:64]} is unknown; a webhook has {known}")


def _fits(fields: dict[str, Any]) -> None:
    try:
        size = len(strict_json.dumps(fields, ensure_ascii=False).encode())
    except UnicodeEncodeError as error:
        raise BadDefinition("The webhook is not valid Unicode") from error
    except RecursionError as error:
        raise BadDefinition("The webhook is nested too deep") from error
    if size > _SIZE:
        raise BadDefinition(f"A webhook has at most {_SIZE} bytes")


def _type(given: dict[str, Any]) -> None:
    kind = given.get("integration_type", _TYPE)
    if kind != _TYPE:
        raise BadDefinition(f"integration_type is {_TYPE}: this cloud has no others")


def _event(event: Any) -> str:
    if not isinstance(event, str) or not 0 < len(event.encode(errors="replace")) <= _EVENT:
        raise BadDefinition(f"event is the beginning of event names, 1 to {_EVENT} bytes")
    if not event.isprintable():
        raise BadDefinition("event has only printable characters")
    if event.startswith(OWN_PREFIXES):
        raise BadDefinition(f"event {event}: no webhook is triggered by those of webhooks")
    return event


def _url(url: Any) -> str:
    if not isinstance(url, str) or not url:
        raise BadDefinition("url is missing")
    # The host may come from a template; what it has become is checked with each request.
    if not url.lower().startswith(("http://", "https://", "{{")):
        raise BadDefinition("url begins with http:// or https://")
    if fixed(url):
        try:
            addresses.parse(url)
        except ValueError as error:
            raise BadDefinition(f"url: {error}") from error
    return url


def fixed(text: str) -> bool:
    """Tell whether a template is a text that no event changes."""
    return "{{" not in text


def _method(method: Any) -> str:
    if str(method).upper() not in METHODS:
        raise BadDefinition(f"requestType is one of {', '.join(METHODS)}")
    return str(method).upper()


def _switch(name: str, value: Any) -> bool:
    if value is None:
        return _SWITCHES[name]
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise BadDefinition(f"{name} is true or false")
    return text in _TRUE


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadDefinition(f"{name} is a text")
    return value


def _table(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, str):  # in a form everything is text
        value = _parsed(name, value)
    if not isinstance(value, dict):
        raise BadDefinition(f"{name} is an object of names and texts")
    table = {}
    for key, item in value.items():
        if isinstance(item, (dict, list)) and name != "form":
            raise BadDefinition(f"{name} is an object of names and texts")
        table[key] = item if isinstance(item, str) else strict_json.dumps(item)
    if name == "auth" and (not table or set(table) - {"username", "password"}):
        raise BadDefinition("auth has username and password")
    if name == "auth" and all(map(fixed, table.values())):
        try:
            addresses.basic(table)
        except ValueError as error:
            raise BadDefinition(str(error)) from error
    if name == "headers":
        for key, text in table.items():
            if not key.isascii() or not key.replace("-", "").replace("_", "").isalnum():
                raise BadDefinition(f"headers: {key!r} is no name of a header")
            if key.lower() in _NOT_HEADERS:
                raise BadDefinition(f"headers: {key} cannot be set")
            try:
                addresses.check_header(key, text if fixed(text) else "")
            except ValueError as error:
                raise BadDefinition(f"headers: {error}") from error
    return table


def _parsed(name: str, text: str) -> Any:
    try:
        return strict_json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDefinition(f"{name} is an object of names and texts") from error


def _content(name: str, value: Any) -> Any:
    if isinstance(value, str) or (name == "json" and isinstance(value, (dict, list))):
        return value
    raise BadDefinition(f"{name} is a text" + (" or an object" if name == "json" else ""))


def _agree(fields: dict[str, Any]) -> None:
    bodies = [name for name in _BODIES if name in fields]
    if len(bodies) > 1:
        raise BadDefinition(f"{' and '.join(bodies)}: a request has one body")
    if bodies and fields["requestType"] == "GET":
        raise BadDefinition(f"A GET request has no {bodies[0]}: use query, or another requestType")


def listed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that a list of webhooks shows."""
    return {
        "event": fields["event"],
        "url": fields["url"],
        "requestType": fields["requestType"],
        "name": fields.get("name"),
        "deviceID": fields.get("deviceID"),
        "disabled": fields["disabled"],
        "integration_type": _TYPE,
    }


_TEMPLATES = (
    *("url", "query", "headers", "form", "json", "body", "auth"),
    *("responseTopic", "errorResponseTopic", "responseTemplate"),
)


class Compiled:
    """The templates of checked fields, each parsed once. Raises BadDefinition."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._templates: dict[str, Template] = {}
        for name in _TEMPLATES:
            try:
                for text in _texts(fields.get(name)):
                    if text not in self._templates:
                        self._templates[text] = Template(text)
            except TemplateError as error:
                raise BadDefinition(f"{name}: {error}") from error
            except RecursionError as error:
                raise BadDefinition(f"{name} is nested too deep") from error

    def render(self, text: str, *scopes: Any) -> str:
        """Fill in a text of the definition. Raises TemplateError."""
        return self._templates[text].render(*scopes)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
