"""Every power cut in every change to the networks, on every back end (DESIGN decision 9)."""

import os
import re
import subprocess

import pytest

import device_suite
from particle_tools import interpreter

_LEAST = 5000


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_all_cuts():
    done = subprocess.run(
        [*interpreter.find(), "-X", "heapsize=16m", "tests/networks_cuts.py"],
        cwd=device_suite.ROOT,
        env=os.environ | {"MICROPYPATH": "lib:tests:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1700,
        check=False,
    )
    total = re.search(r"\n(\d+) cuts\n$", done.stdout)
    assert done.returncode == 0 and total and int(total[1]) >= _LEAST, done.stdout[-2000:]
    assert len(re.findall(r"nothing lost, nothing half-written", done.stdout)) == 4
