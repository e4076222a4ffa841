"""100 000 damaged inputs for each reader of DTLS, on three interpreters."""

import os
import subprocess
import sys

import pytest

from particle_tools import ROOT, interpreter
from silicon import debian32

pytestmark = pytest.mark.soak


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("parser", ["records", "handshake", "channel"])
@pytest.mark.parametrize("where", ["cpython", "unix", "32-bit"])
def test_damaged_input(need, where, parser):
    environment = os.environ | {"MICROPYPATH": "lib:tests:.frozen"}
    if where == "cpython":
        argv = [sys.executable]
        paths = ["tests/shims/cpython", "lib", "tests"]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    elif where == "unix":
        argv = interpreter.find()
    else:
        argv = debian32.find()
        need("32-bit MicroPython (Debian i386)", argv, debian32.COMMAND)
    seed = str(20 + ["cpython", "unix", "32-bit"].index(where))
    done = subprocess.run(
        [*argv, "tests/dtls_mutated.py", parser, "100000", seed],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.rstrip().endswith("ok"), done.stdout[-3000:]
