"""Who may import whom (DESIGN section 2): wire, crypto <- session <- client; adapters apart."""

import pytest

from rules.source_tree import LIB, device_files, host_files, imports, module_name

_PURE = {"struct", "hashlib", "cryptolib", "binascii", "micropython", "gc"}
_CORE_RINGS = {
    "wire": {"wire", "crypto"},
    "crypto": {"wire", "crypto"},
    "session": {"session", "wire", "crypto", "errors"},
}
_ADAPTERS = ("net", "store", "setup", "ota", "runtime")
# What an application sees; the first puts adapters and session together, and so do the
# client's parts that are loaded on first use.
_ASSEMBLERS = {
    "__init__",
    "client",
    "listening",
    "optional",
    "persisted",
    "updating",
    "verbs",
    "wireless",
}
_CLIENT_PARTS = {
    "operation": {"errors", "session"},
    "tasks": {"operation", "session", "wire"},
    "values": {"errors", "operation", "wire"},
}
# Absent on ports or boards, or too large for them (micropython-platform 1.2).
_NOT_ON_BOARDS = {
    "hmac",
    "functools",
    "typing",
    "logging",
    "dataclasses",
    "enum",
    "ssl",
    "unittest",
    "datetime",
}

LIBRARY = sorted(LIB.rglob("*.py"))


def split(path):
    """Return (groups of our own package, foreign top-level modules) that a file imports."""
    own, foreign = set(), set()
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "particle":
            foreign.add(parts[0])
        elif len(parts) > 1:
            own.add(parts[1])
    return own & groups(), foreign


def groups():
    """Return the directories and modules directly below the package."""
    return {path.stem for path in LIB.iterdir() if path.suffix == ".py" or path.is_dir()}


@pytest.mark.parametrize("path", LIBRARY, ids=module_name)
def test_library_file_knows_only_its_ring(path):
    own, foreign = split(path)
    group = module_name(path).partition("/")[0]
    assert not foreign & _NOT_ON_BOARDS
    if group in _CORE_RINGS:
        assert own <= _CORE_RINGS[group]
        if module_name(path) == "crypto/native":
            foreign.remove("_particle_crypto")
        assert foreign <= _PURE, f"{foreign - _PURE} in {group}: bytes and `now` come in, no clock"
    elif group in _ADAPTERS:
        assert own <= {"wire", "crypto", "errors", group}
    elif group in _CLIENT_PARTS:
        assert own <= _CLIENT_PARTS[group]
    elif group not in _ASSEMBLERS:
        assert group == "errors", f"{group} is not a room of the house"
        assert own <= {"errors"}


@pytest.mark.parametrize(
    "path", [p for p in host_files() if "cloud" in p.parts], ids=lambda p: p.name
)
def test_cloud_is_an_independent_witness(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"particle", "cryptolib", "micropython"}


def test_board_profiles_hold_constants_only():
    for path in device_files():
        if path.name == "particle_board.py" and "UNIX_SIM" not in path.parts:
            # `particle_variant`: constants too, of a variant of the firmware
            allowed = {"micropython", "particle_variant"}
            assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_there_is_something_to_check():
    assert LIBRARY
