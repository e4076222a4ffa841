"""The unit-test files of the device library, and one way to run one of them on an interpreter."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from support import OWN

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ("wire", "crypto", "session", "net", "store", "ota", "client", "setup")

FILES = sorted(
    str(path.relative_to(ROOT))
    for group in GROUPS
    for path in ROOT.glob(f"tests/{group}/test_*.py")
)


def start(
    argv: list[str], *words: str, seconds: float, first: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of the tests on CPython with the stand-ins, or on a MicroPython.

    argv: the interpreter. words: the program and its arguments. first: a folder where MicroPython
    looks for modules first. Output and errors are one: ports differ in where tracebacks go.
    """
    environment = os.environ | {
        "MICROPYPATH": (first and first + ":") + "lib:tests:firmware/boot:.frozen"
    }
    if argv[0] == sys.executable:  # the wheel's `micropython` is a program for CPython, too
        environment["PYTHONPATH"] = os.pathsep.join(
            ("tests/shims/cpython", "lib", "tests", "firmware/boot")
        )
    with tempfile.TemporaryDirectory(prefix="particle-tests-") as own:
        return subprocess.run(
            [*argv, *words],
            cwd=ROOT,
            env=environment | {OWN: own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )


def run(argv: list[str], file: str, seconds: float = 280, first: str = "") -> str:
    """Run one file of unit tests with the MicroPython started by `argv`; return its output.

    first: a folder where it looks for modules first.
    Raises AssertionError with the whole output when a test failed or none ran.
    """
    done = start(argv, "tests/mp_runner.py", file, seconds=seconds, first=first)
    last = done.stdout.rstrip().rpartition("\n")[2]
    good = done.returncode == 0 and last.endswith(" passed, 0 failed") and last[0] != "0"
    assert good, f"{file}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout
