"""Images and bundles changed at random, for long, on both interpreters."""

import sys

import pytest

import device_suite
from particle_tools import interpreter


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("python", ["micropython", "cpython"])
def test_changed_at_random(python):
    argv = [sys.executable] if python == "cpython" else interpreter.find()
    done = device_suite.start(argv, "tests/images_fuzz.py", "1000", "300", seconds=1700)
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stdout[-2000:]
