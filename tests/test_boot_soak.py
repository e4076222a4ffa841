"""Every power cut of an update, alone and followed by a second one (ota-and-boot 4.4)."""

import re

import pytest

import device_suite
from particle_tools import interpreter

_LEAST = 10000


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["good", "bad", "packed"])
def test_all_cuts(kind):
    argv = [*interpreter.find(), "-X", "heapsize=64m"]
    done = device_suite.start(argv, "tests/boot_cuts.py", kind, seconds=1700)
    last = done.stdout.rstrip().rpartition("\n")[2]
    said = re.fullmatch(kind + r": (\d+) cuts, always the old or the new one", last)
    assert done.returncode == 0 and said and int(said[1]) >= _LEAST, done.stdout[-2000:]
