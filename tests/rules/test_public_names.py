"""The public names of the library: all there, none by accident, none hidden by a module."""

import inspect
import re
import types

import pytest

from particle import tasks, verbs
from particle.runtime import clock, power, vitals
from particle.runtime.led import Led
from particle.wireless import Wifi
from rules.public_names import ALL, EVENTS, KINDS, SIGNATURES
from rules.source_tree import LIB

particle = pytest.importorskip("particle")

# Names that do not exist yet, by the issue that brings them. A name that is
# written must leave this table, and nothing may be missing from it.
PENDING = {
    # No open issue brings these yet.
    None: "cellular ethernet ble ledger use_ledgers Ledger STRUCTURED",
}
PENDING_NAMES = {name for names in PENDING.values() for name in names.split()}


def exists(name):
    """Tell whether the package offers a name, directly or through __getattr__."""
    return hasattr(particle, name)


def test_the_list_was_read():
    assert len(KINDS["verbs"]) == 31
    assert len(KINDS["objects"]) == 12
    assert SIGNATURES["connect"] == "(timeout=None, *, background=True)"
    assert SIGNATURES["events"] == "(prefix='')"
    assert SIGNATURES["run_forever"] == "()"
    assert SIGNATURES["ledger"] == "(name)"


def test_no_module_carries_a_public_name():
    below = {path.stem for path in LIB.iterdir() if path.suffix == ".py" or path.is_dir()}
    # importing from the folder setup hides the object: listening.py takes it away again
    assert below & ALL <= {"setup"}


def test_pending_names_are_public_and_listed_once():
    listed = [name for names in PENDING.values() for name in names.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) <= ALL


@pytest.mark.parametrize("name", sorted(ALL))
def test_name_exists_or_is_pending(name):
    if name in PENDING_NAMES:
        assert not exists(name), f"{name} exists now: take it out of PENDING"
    else:
        assert exists(name), f"{name} is neither written nor pending"


def test_nothing_else_is_public():
    extra = {
        name
        for name, value in vars(particle).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert not extra - ALL


@pytest.mark.parametrize("name", sorted(set(KINDS["verbs"]) - PENDING_NAMES))
def test_verb_is_a_real_name_with_the_documented_signature(name):
    """Tab completion finds it without loading anything; the prompt shows how it is used."""
    verb = vars(particle)[name]
    # what is seldom needed is a function of the client in a file of its own
    home = next(home for home in (particle.Cloud, verbs, tasks) if hasattr(home, name))
    method = getattr(home, name).__get__(object())
    if name == "publish":  # the flags of a sketch are taken besides
        inspect.signature(verb).bind("name", "data", particle.PRIVATE, particle.NO_ACK)
    # What the module has hands on whatever it is given; the method checks it.
    signature = inspect.signature(method)
    use, _, what = repr(verb).partition("  ")
    assert what and "\n" not in what
    if name == "config":
        signature.bind("key")
        signature.bind(product_id=1, product_version=2)
        assert use == "config(**values)"
    else:
        assert name + str(signature) == use == name + SIGNATURES.get(name, "()")


def test_event_constants():
    for name in set(EVENTS) - PENDING_NAMES:
        assert getattr(particle, name) == EVENTS[name]


@pytest.mark.parametrize("name", sorted(set(KINDS["errors"]) - PENDING_NAMES))
def test_errors_are_oserrors(name):
    assert issubclass(getattr(particle, name), particle.Error)
    assert issubclass(particle.Error, OSError)


def test_help_of_the_objects():
    # not before all tests are collected: it hides the folder of that name
    from particle.listening import Setup

    shown = repr(particle.__doc__)
    rows = dict(re.findall(r"^  (\w+) -- (.*)$", shown, re.MULTILINE))
    assert set(rows) == set(KINDS["objects"]) - PENDING_NAMES
    kinds = {
        "led": Led,
        "setup": Setup,
        "system": power.System,
        "time": clock,
        "vitals": vitals,
        "wifi": Wifi,
    }
    for name, kind in kinds.items():
        for verb, options in re.findall(r"(\w+)(\(.*?\))?(?: |$)", rows[name]):
            method = getattr(kind, verb)
            if not options:
                assert isinstance(method, property), verb
                continue
            # the arguments that matter to a person who types: some have more, with defaults
            given = inspect.signature(method).parameters.values()
            told = ", ".join(str(one) for one in given if one.name != "self")
            assert told.replace("*, ", "").startswith(options[1:-1].replace("*, ", "")), verb
