"""The native .mpy on the unix port: the unit tests and all published vectors, as in Python."""

import os
import subprocess

import pytest

import device_suite
from cmodule import natmods
from particle_tools import interpreter
from particle_tools.firmware import natmod
from reference import check

_ASK = """
try:
    import particle.crypto.{0}
except ImportError as error:
    print(error)
else:
    import sys
    print("particle.crypto.native" in sys.modules)
"""


@pytest.fixture
def folder(need, tmp_path):
    """Give a folder that holds the module for this machine."""
    (tmp_path / f"{natmod.NAME}.mpy").write_bytes(natmods.have(need, "x64"))
    return str(tmp_path)


def ask(code, *paths):
    """Run code on the unix port and return what it prints."""
    done = subprocess.run(
        [*interpreter.find(), "-c", code],
        cwd=device_suite.ROOT,
        env=os.environ | {"MICROPYPATH": ":".join([*paths, "lib", ".frozen"])},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("user", ["p256", "ccm"])
def test_it_is_chosen_when_it_is_there(folder, user):
    assert ask(_ASK.format(user), folder) == "True"
    assert ask(_ASK.format(user)) == "False"


@pytest.mark.parametrize("user", ["p256", "ccm"])
def test_one_for_another_processor_is_not_used(need, tmp_path, user):
    (tmp_path / f"{natmod.NAME}.mpy").write_bytes(natmods.have(need, "armv7m"))
    assert ask(_ASK.format(user), str(tmp_path)) == "False"


def test_without_cryptolib():
    # as on nRF; native_checks does this with the module
    code = "import sys; sys.modules['cryptolib'] = None\n" + _ASK.format("ccm")
    assert "aes" in ask(code)


def test_what_it_refuses(folder):
    device_suite.run(interpreter.find(), natmods.CHECKS, first=folder)


@pytest.mark.parametrize("file", natmods.FILES)
def test_unit_tests(folder, file):
    device_suite.run(interpreter.find(), file, first=folder)


@pytest.mark.parametrize("group", check.GROUPS)
def test_vectors(folder, group, tmp_path):
    assert check.compare(interpreter.find(), check.GROUPS[group](), tmp_path, first=folder)
