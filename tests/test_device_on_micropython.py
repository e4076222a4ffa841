"""The device unit tests once more, under the MicroPython unix port: one pytest case per file."""

import pytest

import device_suite
from particle_tools import interpreter


@pytest.mark.parametrize("file", device_suite.FILES)
def test_on_micropython(file):
    device_suite.run(interpreter.find(), file)
