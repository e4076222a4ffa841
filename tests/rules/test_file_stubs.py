"""A type stub beside a file of the library says what the file has: names, methods, arguments."""

import ast
import functools

import pytest

from rules.source_tree import LIB, module_name, tree
from rules.test_stubs import arguments

_DEF = (ast.FunctionDef, ast.AsyncFunctionDef)
STUBS = sorted(path for path in LIB.rglob("*.pyi") if path.name != "__init__.pyi")


def public(name):
    """Tell whether others may use a name."""
    return name[0] != "_" or name.endswith("__") and name not in ("__getattr__", "__repr__")


def is_property(node):
    """Tell whether a method is read like an attribute."""
    return any(
        ast.unparse(found).endswith(("property", "setter")) for found in node.decorator_list
    )


def is_set(node):
    """Tell whether this gives an attribute its value, of whatever object."""
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)


def targets(node):
    """Return the names that a statement gives a value or a type; of `self.name` the name."""
    found = getattr(node, "targets", [getattr(node, "target", None)])
    found = [one for t in found for one in (t.elts if isinstance(t, ast.Tuple) else [t])]
    names = {one.id for one in found if isinstance(one, ast.Name)}
    attributes = [one for one in found if isinstance(one, ast.Attribute)]
    return names, {one.attr for one in attributes if ast.unparse(one.value) == "self"}


def contents(body, known=()):
    """Return (name -> arguments of what is called, names of what is read) of a module or class.

    known: pairs of a constant that is the default of an argument, and its value.
    """
    called, read = {}, set()
    for node in body:
        if isinstance(node, _DEF) and is_property(node):
            read.add(node.name)
        elif isinstance(node, _DEF):
            called[node.name] = arguments(node)
            for name, value in known:
                called[node.name] = called[node.name].replace("=" + name, "=" + value)
            for inner in ast.walk(node):
                read |= targets(inner)[1]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            read |= targets(node)[0]
    called = {name: found for name, found in called.items() if public(name)}
    return called, {name for name in read if public(name)} - set(called)


def classes(body):
    """Return name -> class of what others may use."""
    return {n.name: n for n in body if isinstance(n, ast.ClassDef) and public(n.name)}


@functools.cache
def stub(path):
    """Return the statements of a stub."""
    return ast.parse(path.read_text()).body


def inherited(node):
    """Return `contents` of a stub's class, what it has from other stubs' classes included."""
    called, read = {}, set()
    every = {name: c for path in STUBS for name, c in classes(stub(path)).items()}
    for base in node.bases:
        if ast.unparse(base) in every:
            more, names = inherited(every[ast.unparse(base)])
            called |= more
            read |= names
    own, names = contents(node.body)
    return called | own, read | names


def differences(said, is_there, of):
    """List in words how two `contents` differ."""
    (called, read), (defined, kept) = said, is_there
    found = [f"{of}{name} is not declared" for name in defined.keys() - called.keys() - read]
    for name, wanted in called.items():
        if name in defined and defined[name] != wanted:
            found.append(f"{of}{name}{wanted} is {defined[name]}")
    return found + [f"{of}{name} is not declared" for name in kept - read - called.keys()]


def constants(body):
    """List (name, value) of what is `const(..)` in a module, as it is written."""
    found = [n for n in body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    pairs = [(n.targets[0].id, n.value) for n in found if ast.unparse(n.value.func) == "const"]
    return [(name, ast.unparse(value.args[0])) for name, value in pairs]


@pytest.mark.parametrize("path", STUBS, ids=module_name)
def test_the_same(path):
    declared, there = stub(path), tree(path.with_suffix(".py")).body
    ours, theirs = classes(declared), classes(there)
    said, is_there = contents(declared), contents(there, constants(there))
    set_here = {n.attr for n in ast.walk(tree(path.with_suffix(".py"))) if is_set(n)}
    is_there[1].difference_update(ours)  # a class that one in C may stand in for
    found = differences(said, is_there, "")
    found += [f"{name} is not there" for name in said[0].keys() - is_there[0].keys()]
    found += [f"{name} is not there" for name in said[1] - is_there[1]]
    found += [f"class {name}: on one side only" for name in ours.keys() ^ theirs.keys()]
    for name in ours.keys() & theirs.keys():
        has = contents(theirs[name].body)
        found += differences(inherited(ours[name]), has, name + ".")
        called, read = contents(ours[name].body)
        found += [f"{name}.{one} is not there" for one in called.keys() - has[0].keys()]
        if "__getattr__" not in {getattr(node, "name", None) for node in theirs[name].body}:
            found += [f"{name}.{one} is not there" for one in read - has[1] - set_here]
    assert not found, "\n".join(sorted(found))
