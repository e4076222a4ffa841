"""A missing peer is listed with the command that would run it; with STRICT=1 it fails."""

import os
import subprocess
import sys

import pytest

from particle_tools import ROOT

_FILE = "tests/silicon/test_device_on_32bit.py"


@pytest.mark.parametrize("strict", ["", "1"])
def test_missing_peer(tmp_path, strict):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", _FILE, "-k", "32_bit_and_1_25"],
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path), "STRICT": strict},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if strict:
        assert done.returncode == 1
        assert "MicroPython (Debian i386) is missing and STRICT=1: make fetch" in done.stdout
    else:
        assert done.returncode == 0
        listed = done.stdout.partition(" NOT RUN ")[2].splitlines()
        assert "32-bit MicroPython (Debian i386) is missing; make fetch" in listed
