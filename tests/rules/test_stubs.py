"""The type stub of the package says what the package does: same names, same arguments."""

import ast

import pytest

from rules.public_names import ALL, KINDS, SIGNATURES
from rules.source_tree import LIB
from rules.test_public_names import PENDING_NAMES

STUB = ast.parse((LIB / "__init__.pyi").read_text())
_DEF = (ast.FunctionDef, ast.AsyncFunctionDef)
WRITTEN = ALL - PENDING_NAMES


def names(body):
    """Return the names that a stub's body declares, without the private ones."""
    found = set()
    for node in body:
        if isinstance(node, (*_DEF, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            found.add(node.target.id)
    return {name for name in found if name[0] != "_"}


def functions(body):
    """Return name -> function of a stub's body."""
    return {node.name: node for node in body if isinstance(node, _DEF)}


def arguments(node, skip=0):
    """Return `(a, b=1, *, c=None)` of a declared function, without its annotations."""
    plain = ast.parse(ast.unparse(node)).body[0].args
    for arg in [*plain.args, *plain.kwonlyargs, plain.vararg, plain.kwarg]:
        if arg is not None:
            arg.annotation = None
    del plain.args[:skip]
    return f"({ast.unparse(plain)})".replace(" = ", "=")


def test_same_names():
    assert names(STUB.body) == WRITTEN


@pytest.mark.parametrize("name", sorted(set(KINDS["verbs"]) & WRITTEN))
def test_same_arguments(name):
    client = next(n for n in STUB.body if isinstance(n, ast.ClassDef) and n.name == "Cloud")
    function = functions(STUB.body)[name]
    method = functions(client.body)[name]
    wanted = "(key=None, **values)" if name == "config" else SIGNATURES.get(name, "()")
    assert arguments(function) == wanted
    assert arguments(method, skip=1) == wanted
