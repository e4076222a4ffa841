"""100 000 damaged inputs for each reader of DTLS, on three interpreters."""

import sys

import pytest

import device_suite
from particle_tools import interpreter
from silicon import debian32

pytestmark = pytest.mark.soak


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("parser", ["records", "handshake", "channel"])
@pytest.mark.parametrize("where", ["cpython", "unix", "32-bit"])
def test_damaged_input(need, where, parser):
    if where == "cpython":
        argv = [sys.executable]
    elif where == "unix":
        argv = interpreter.find()
    else:
        argv = debian32.find()
        need("32-bit MicroPython (Debian i386)", argv, debian32.COMMAND)
    seed = str(20 + ["cpython", "unix", "32-bit"].index(where))
    words = ("tests/dtls_mutated.py", parser, "100000", seed)
    done = device_suite.start(argv, *words, seconds=3000)
    assert done.returncode == 0 and done.stdout.rstrip().endswith("ok"), done.stdout[-3000:]
