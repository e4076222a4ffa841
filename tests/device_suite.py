"""The unit-test files of the device library, and one way to run one of them on an interpreter."""

import os
import subprocess
import tempfile
from pathlib import Path

from support import OWN

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ("wire", "crypto", "session", "net", "store", "client")

FILES = sorted(
    str(path.relative_to(ROOT))
    for group in GROUPS
    for path in ROOT.glob(f"tests/{group}/test_*.py")
)


def run(argv: list[str], file: str, seconds: float = 100, first: str = "") -> str:
    """Run one file with the MicroPython started by `argv`; return its output.

    first: a folder where it looks for modules first.
    Raises AssertionError with the whole output when a test failed or none ran.
    Standard output and error are merged: ports differ in where tracebacks go.
    """
    path = (first and first + ":") + "lib:tests:.frozen"
    with tempfile.TemporaryDirectory(prefix="particle-tests-") as own:
        done = subprocess.run(
            [*argv, "tests/mp_runner.py", file],
            cwd=ROOT,
            env=os.environ | {"MICROPYPATH": path, OWN: own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    last = done.stdout.rstrip().rpartition("\n")[2]
    good = done.returncode == 0 and last.endswith(" passed, 0 failed") and last[0] != "0"
    assert good, f"{file}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout
