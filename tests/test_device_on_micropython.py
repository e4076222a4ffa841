"""The device unit tests once more, under the MicroPython unix port: one pytest case per file."""

import pytest

import device_suite
from particle_tools import interpreter

# Waits of the client take no time here, either; those of test-silicon do
_SKIPPING = "tests/shims/skipping"


@pytest.mark.parametrize("file", device_suite.FILES)
def test_on_micropython(file):
    first = _SKIPPING if file.startswith("tests/client/") else ""
    device_suite.run(interpreter.find(), file, first=first)
