"""The OpenAPI document of the REST interface, made from the route table.

What a route takes and answers is said in described/NAME.py for the routes of routes/NAME.py, as
OPERATIONS: (method, path as in the route table) -> Operation. A test compares both.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Union

from particle_tools import __version__
from particle_tools.cloud import described
from particle_tools.cloud.rest import BASIC, BEARER, OPEN, OWN_PAGES, Route

Schema = dict[str, Any]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
_PART = re.compile(r"{(\w+)(?::[^{}]*)?}")
# Any route may give these: a bad body, token or path, one too large, too many, no storage.
_ANY = (400, 401, 404, 405, 413, 415, 429, 503)

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
DATE: Schema = {"type": "string", "format": "date-time"}
ANYTHING: Schema = {}


def record(required: Schema, optional: Schema | None = None) -> Schema:
    """Describe an object: the properties that are always there, and those that may be."""
    properties = {**required, **(optional or {})}
    found: Schema = {"type": "object", "properties": properties}
    return found | ({"required": list(required)} if required else {})


def many(schema: Schema) -> Schema:
    """Describe an array."""
    return {"type": "array", "items": schema}


def nullable(schema: Schema) -> Schema:
    """Describe a value that may be null."""
    return {**schema, "nullable": True}


def ref(name: str) -> Schema:
    """Refer to one of the SCHEMAS of described/."""
    return {"$ref": f"#/components/schemas/{name}"}


OK: Schema = record({"ok": {"type": "boolean", "enum": [True]}})
ERROR: Schema = record(
    {"error_description": TEXT},
    {
        "ok": {"type": "boolean", "enum": [False]},
        "code": NUMBER,
        "error": TEXT,
        "errors": many(ANYTHING),
        "info": TEXT,
    },
)


@dataclass(frozen=True)
class Media:
    """An answer that is not JSON."""

    type: str
    binary: bool = False


Answer = Union[Schema, Media, "tuple[Schema | Media, ...]", None]


@dataclass(frozen=True)
class Operation:
    """One row of the table. Only what is wrong with a request's own content is an error here.

    answers: status -> JSON schema, Media, a tuple of both, or None for no body. body: JSON schema
    of an object; a form with the same fields is taken, too, unless `forms` says otherwise.
    parts: schemas of parts of the path, other than any text.
    """

    summary: str
    answers: dict[int, Answer] = field(default_factory=lambda: {200: OK})
    errors: tuple[int, ...] = ()
    query: dict[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    forms: tuple[str, ...] = (JSON, FORM)
    parts: dict[str, Schema] = field(default_factory=dict)
    description: str = ""

    def to_json(self, route: Route) -> Schema:
        """Return the OpenAPI form of the operation of a route."""
        found: Schema = {
            "operationId": operation_id(route),
            "summary": self.summary,
            "parameters": [
                *(
                    {
                        "name": name,
                        "in": "path",
                        "required": True,
                        "schema": self.parts.get(name, {"type": "string", "minLength": 1}),
                    }
                    for name in _PART.findall(route.path)
                ),
                *(
                    {"name": name, "in": "query", "schema": schema}
                    for name, schema in self.query.items()
                ),
            ],
            "responses": self._responses(),
            "security": _SECURITY[route.auth],
        }
        if self.description:
            found["description"] = self.description
        if self.body is not None:
            found["requestBody"] = {
                "required": bool(self.body.get("required")),
                "content": {form: {"schema": self.body} for form in self.forms},
            }
        return found

    def _responses(self) -> Schema:
        found: Schema = {}
        for status in {*_ANY, *self.errors}:
            found[str(status)] = _response(status, ref("Error"))
        for status, answer in self.answers.items():
            found[str(status)] = _response(status, answer)
        return dict(sorted(found.items()))


_SECURITY: dict[str, list[Schema]] = {
    OPEN: [],
    OWN_PAGES: [],
    BASIC: [{"basic": []}, {"bearer": []}],
    BEARER: [{"bearer": []}],
}


def _response(status: int, answer: Answer) -> Schema:
    found: Schema = {"description": HTTPStatus(status).phrase}
    forms = answer if isinstance(answer, tuple) else () if answer is None else (answer,)
    if forms:
        found["content"] = dict(map(_content, forms))
    return found


def _content(form: Schema | Media) -> tuple[str, Schema]:
    if isinstance(form, Media):
        kind = {"type": "string"} | ({"format": "binary"} if form.binary else {})
        return form.type, {"schema": kind}
    return JSON, {"schema": form}


def for_products(
    found: dict[tuple[str, str], Operation], start: str = "/v1/"
) -> dict[tuple[str, str], Operation]:
    """Return the same operations below /v1/products/{product}, of the paths that begin so."""
    return {
        (method, "/v1/products/{product}" + path[3:]): replace(
            operation, errors=(*operation.errors, 404)
        )
        for (method, path), operation in found.items()
        if path.startswith(start)
    }


def operation_id(route: Route) -> str:
    """Name an operation after its method and path."""
    words = re.findall(r"\w+", path_of(route))
    return "_".join([route.method.lower(), *words, *(["all"] if route.path[-1] == "/" else [])])


def path_of(route: Route) -> str:
    """Return the path of a route as OpenAPI writes it."""
    return _PART.sub(r"{\1}", route.path)


def operations() -> dict[tuple[str, str], Operation]:
    """Return what described/ says, by method and path of the route table."""
    found: dict[tuple[str, str], Operation] = {}
    for module in _modules():
        found |= module.OPERATIONS
    return found


def _modules() -> list[Any]:
    names = [module.name for module in pkgutil.iter_modules(described.__path__)]
    return [importlib.import_module(f"{described.__name__}.{name}") for name in sorted(names)]


def document(routes: Iterable[Route], server: str = "/") -> Schema:
    """Return the OpenAPI 3 document of these routes; undescribed ones get an empty description."""
    known = operations()
    paths: dict[str, Schema] = {}
    for route in routes:
        operation = known.get((route.method, route.path)) or Operation(f"{route.handler.__name__}")
        paths.setdefault(path_of(route), {})[route.method.lower()] = operation.to_json(route)
    schemas: Schema = {"Error": ERROR}
    for module in _modules():
        schemas |= getattr(module, "SCHEMAS", {})
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Local cloud of particle-mp",
            "version": __version__,
            "description": "What the Particle tools use of the device cloud, and /local/v1.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }
