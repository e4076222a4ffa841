"""The device unit tests on 32-bit MicroPython 1.25: small integers, objects, memory differ."""

import subprocess

import pytest

import device_suite
from silicon import debian32


@pytest.fixture
def micropython32(need):
    """Give the command of the 32-bit interpreter."""
    argv = debian32.find()
    need("32-bit MicroPython (Debian i386)", argv, debian32.COMMAND)
    return argv


def test_it_is_32_bit_and_1_25(micropython32):
    ask = "import sys; print(sys.maxsize == 0x7fffffff, sys.implementation.version[:2])"
    done = subprocess.run(
        [*micropython32, "-c", ask], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "True (1, 25)", done


@pytest.mark.parametrize("file", device_suite.FILES)
def test_on_32_bit(micropython32, file):
    device_suite.run(micropython32, file)
