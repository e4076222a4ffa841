"""Every power cut while a firmware is replaced, alone and followed by a second one (ota-and-boot
3.2).
"""

import re

import pytest

import device_suite
from particle_tools import interpreter


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["good", "bad"])
def test_all_cuts(kind):
    argv = [*interpreter.find(), "-X", "heapsize=64m"]
    done = device_suite.start(argv, "tests/firmware_cuts.py", kind, seconds=1700)
    last = done.stdout.rstrip().rpartition("\n")[2]
    said = re.fullmatch(kind + r": (\d+) cuts, always the old or the new one", last)
    assert done.returncode == 0 and said and int(said[1]) >= 5000, done.stdout[-2000:]
