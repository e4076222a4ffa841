"""Shared by all pytest runs: device code finds MicroPython's modules, optional peers are honest.

`pyproject.toml` puts tests/shims/cpython first on sys.path; importing
`micropython` here pins the stand-in before anything can load the module of the
same name that the interpreter's wheel installs.
"""

import gc
import os
import tempfile
from pathlib import Path

import micropython
import pytest

import support

ROOT = Path(__file__).resolve().parents[1]

assert Path(micropython.__file__).is_relative_to(ROOT / "tests" / "shims"), micropython.__file__


def pytest_configure(config):
    os.chdir(ROOT)
    own = tempfile.TemporaryDirectory(prefix="particle-tests-")
    config.add_cleanup(own.cleanup)
    os.environ[support.OWN] = own.name


def pytest_collection_finish(session):
    # device code collects garbage now and then: what pytest holds need not be looked at each time
    gc.collect()
    gc.freeze()


@pytest.fixture
def need(request):
    """Give `need(name, available, command)`: without a peer, list the test as NOT RUN.

    With STRICT=1 a missing peer fails. `command` is what would run the test.
    """

    def check(name, available, command):
        if available:
            return
        if os.environ.get("STRICT") == "1":
            pytest.fail(f"{name} is missing and STRICT=1: {command}", pytrace=False)
        pytest.skip(f"NOT RUN: {name} is missing; {command}")

    return check


def pytest_terminal_summary(terminalreporter):
    """List what was not run, each with the command that would run it."""
    lines = set()
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if "NOT RUN: " in reason:
            lines.add(reason.split("NOT RUN: ", 1)[1])
    if lines:
        terminalreporter.section("NOT RUN")
        for line in sorted(lines):
            terminalreporter.write_line(line)
