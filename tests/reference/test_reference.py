"""The device's cryptography against published vectors and another implementation."""

import sys

import pytest

from particle_tools import interpreter
from reference import check


@pytest.mark.parametrize("group", check.GROUPS)
def test_on_cpython(group, tmp_path):
    assert check.compare([sys.executable], check.GROUPS[group](), tmp_path)


@pytest.mark.parametrize("group", check.GROUPS)
def test_on_micropython(group, tmp_path):
    assert check.compare(interpreter.find(), check.GROUPS[group](), tmp_path)
