"""The OpenAPI document says what the route table has, both ways."""

import importlib
import pkgutil

from particle_tools.cloud import described, routes
from particle_tools.cloud.openapi import document, operation_id, operations
from particle_tools.cloud.rest import BEARER, OPEN, OWN_PAGES, all_routes

# Whoever knows no token may use these; every other route needs one.
_OPEN = {
    ("GET", "/metrics"),  # asks for a token itself, unless the operator decided otherwise
    ("POST", "/oauth/token"),
    ("POST", "/v1/users"),
    ("POST", "/v1/user/password-reset"),
    ("DELETE", "/v1/access_tokens/{token}"),
    ("GET", "/local/v1/info"),
    ("GET", "/local/v1/openapi.json"),
    ("GET", "/local/v1/server-key"),
    ("GET", "/mip/{path:.+}"),
}


def table():
    return {(route.method, route.path) for route in all_routes()}


def test_each_route_has_its_description_and_each_description_its_route():
    assert set(operations()) - table() == set()
    assert table() - set(operations()) == set(), "describe them in cloud/described/"
    names = {module.name for module in pkgutil.iter_modules(described.__path__)}
    assert names <= {module.name for module in pkgutil.iter_modules(routes.__path__)}
    for name in names:
        of_routes = importlib.import_module(f"{routes.__name__}.{name}").ROUTES
        of_descriptions = importlib.import_module(f"{described.__name__}.{name}").OPERATIONS
        assert set(of_descriptions) <= {(r.method, r.path) for r in of_routes}, name


def test_operations_have_names_of_their_own():
    names = [operation_id(route) for route in all_routes()]
    assert len(names) == len(set(names))


def test_the_document_is_complete(anonymous):
    status, found = anonymous("GET", "/local/v1/openapi.json")
    assert status == 200 and found == document(all_routes())
    count = 0
    for path, methods in found["paths"].items():
        for operation in methods.values():
            count += 1
            assert operation["summary"]
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in named)
            assert path.count("{") == len(named)
            assert operation["responses"]
    assert count == len(table())
    assert _references(found) <= {
        f"#/components/schemas/{name}" for name in found["components"]["schemas"]
    }


def _references(part):
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*map(_references, part.values()))
    if isinstance(part, list):
        return set().union(*map(_references, part))
    return set()


def test_open_routes_are_these():
    assert {(r.method, r.path) for r in all_routes() if r.auth in (OPEN, OWN_PAGES)} <= _OPEN
    assert sum(r.auth == BEARER for r in all_routes()) > len(_OPEN)
