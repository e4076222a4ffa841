"""Every power cut in every change to the networks, on every back end (DESIGN decision 9)."""

import re

import pytest

import device_suite
from particle_tools import interpreter

_LEAST = 5000


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_all_cuts():
    argv = [*interpreter.find(), "-X", "heapsize=16m"]
    done = device_suite.start(argv, "tests/networks_cuts.py", seconds=1700)
    total = re.search(r"\n(\d+) cuts\n$", done.stdout)
    assert done.returncode == 0 and total and int(total[1]) >= _LEAST, done.stdout[-2000:]
    assert len(re.findall(r"nothing lost, nothing half-written", done.stdout)) == 4
