"""Every power cut of an update, alone and followed by a second one (ota-and-boot 4.4)."""

import re

import pytest

import device_suite
from particle_tools import interpreter

_LEAST = {"boot": 10000, "start": 10000, "romfs": 8000, "mboot": 8000, "firmware": 5000}


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "kind",
    ["good", "bad", "packed", "start_good", "start_bad", "romfs_good", "romfs_bad", "romfs_packed"]
    + ["mboot_good", "mboot_bad", "mboot_lost", "firmware_good", "firmware_bad"],
)
def test_all_cuts(kind):
    argv = [*interpreter.find(), "-X", "heapsize=64m"]
    which = kind.rpartition("_")[0] or "boot"
    done = device_suite.start(argv, f"tests/{which}_cuts.py", kind, seconds=1700)
    last = done.stdout.rstrip().rpartition("\n")[2]
    said = re.fullmatch(kind + r": (\d+) cuts, always the old or the new one", last)
    assert done.returncode == 0 and said and int(said[1]) >= _LEAST[which], done.stdout[-2000:]
