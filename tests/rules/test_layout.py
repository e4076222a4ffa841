"""The shape of the tree: few and short files, no annotations on the device, docstrings."""

import ast
import os
import re
import subprocess

import pytest

from particle_tools import packing
from rules.source_tree import (
    LIB,
    ROOT,
    device_files,
    host_files,
    module_name,
    tracked,
    tree,
    where,
)

_LINES = 450
_TEST_LINES = 600
_NO_KEYWORDS = ("from_bytes", "to_bytes")  # `signed` differs between versions of MicroPython


def relative(path):
    """Name a file in a test id."""
    return path.relative_to(ROOT).as_posix()


def test_no_package_file_below_the_first():
    assert [p for p in LIB.rglob("__init__.py") if p.parent != LIB] == []


@pytest.mark.parametrize("component", sorted(packing.COMPONENTS))
def test_component_is_small_in_files(component):
    modules = packing.present(component)
    folders = {module.rpartition("/")[0] for module in modules}
    assert len(modules) <= 20  # each costs a block of flash: flash_core_udp_bytes of `make bench`
    assert len(folders) <= 6


def test_every_library_file_belongs_to_a_component():
    listed = {module for modules in packing.COMPONENTS.values() for module in modules}
    assert {module_name(path) for path in LIB.rglob("*.py")} <= listed


def test_file_names_are_unique():
    """The bare name is what a traceback of a packed file shows."""
    names = [path.name for path in LIB.rglob("*.py")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", device_files() + host_files(), ids=relative)
def test_file_is_short(path):
    assert len(path.read_text().splitlines()) <= _LINES


def test_test_files_are_short():
    for path in (ROOT / "tests").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= _TEST_LINES, path


@pytest.mark.parametrize("path", device_files(), ids=relative)
def test_device_file_runs_on_micropython(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.arg):
            assert node.annotation is None, where(path, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.returns is None, where(path, node)
            assert not node.args.posonlyargs, where(path, node)
        elif isinstance(node, (ast.AnnAssign, ast.Match)):
            raise AssertionError(where(path, node))
        elif isinstance(node, ast.ExceptHandler):
            assert node.type is not None, "bare except: " + where(path, node)
        elif isinstance(node, ast.Attribute):
            assert node.attr != "hexdigest", where(path, node)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _NO_KEYWORDS:
            assert not node.keywords, where(path, node)


@pytest.mark.parametrize(
    "path", [p for p in device_files() if LIB in p.parents] + host_files(), ids=relative
)
def test_public_code_has_docstrings(path):
    assert ast.get_docstring(tree(path)), path
    documented = set()
    if path == LIB / "__init__.py":  # its verbs are the client's methods and documented there
        documented = {node.name for node in ast.walk(tree(LIB / "client.py")) if is_public(node)}
    for scope in ast.walk(tree(path)):
        if scope is not tree(path) and not (isinstance(scope, ast.ClassDef) and is_public(scope)):
            continue
        for node in filter(is_public, scope.body):
            # a method that overrides one of this file's says nothing new
            assert ast.get_docstring(node) or node.name in documented, where(path, node)
            documented.add(node.name)


def is_public(node):
    """Tell whether a node defines a public function or class."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, kinds) and node.name[0] != "_"


def test_private_constants_vanish_from_the_device():
    """`_X = 3` stays in the module's dictionary; `_X = const(3)` does not."""
    for path in LIB.rglob("*.py"):
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                plain = isinstance(node.value, ast.Constant) and isinstance(node.value.value, int)
                assert not (plain and re.fullmatch(r"_[A-Z0-9_]+", name)), where(path, node)


def test_no_trace_of_a_workplace():
    """Paths and package hosts of the machine that runs this must not be in the tree."""
    words = {str(ROOT) + "/", os.path.expanduser("~") + "/"} - {"/"}
    for command in (
        ["pip", "config", "get", "global.index-url"],
        ["npm", "config", "get", "registry"],
    ):
        words.add(host(output(command)))
    for folder in ("/etc/apt/sources.list", "/etc/apt/sources.list.d"):
        words |= set(map(host, output(["grep", "-rhoE", "https?://[^ /]+", folder]).split()))
    words -= {"", "localhost", "127.0.0.1"}
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        for word in words:
            assert word not in text, f"{relative(path)} names {word}"


def host(url):
    """Return the host of a URL, without user and port."""
    match = re.match(r"\w+://(?:[^/@]*@)?([^/:\s]+)", url)
    return match[1] if match else ""


def output(command):
    """Return a command's output, empty when it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
