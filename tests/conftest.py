"""Shared by all pytest runs: device code finds MicroPython's modules, optional peers are honest.

`pyproject.toml` puts tests/shims/cpython first on sys.path; importing
`micropython` here pins the stand-in before anything can load the module of the
same name that the interpreter's wheel installs.
"""

import gc
import os
import sys
import tempfile
from pathlib import Path

import micropython
import pytest

import support

ROOT = Path(__file__).resolve().parents[1]
FLAKY_AT_MOST = 2  # of one run
# A run starts hundreds of processes: what one has compiled is there for the others and for the
# next run, away from the sources, and also where the environment wants no such files.
COMPILED = ROOT / "build" / "pycache"

assert Path(micropython.__file__).is_relative_to(ROOT / "tests" / "shims"), micropython.__file__

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(COMPILED)
sys.dont_write_bytecode = False


def pytest_configure(config):
    os.chdir(ROOT)
    own = tempfile.TemporaryDirectory(prefix="particle-tests-")
    config.add_cleanup(own.cleanup)
    os.environ[support.OWN] = own.name


@pytest.fixture(scope="module", autouse=True)
def _little_to_collect():
    # device code collects garbage now and then: what pytest holds, and what the modules before
    # have imported and left, need not be looked at each time
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    # RETRY=1: a run that decides about hours of work asks a failed test once more
    if os.environ.get("RETRY") == "1":
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=1))


def _flaky(terminal):
    # first failures of tests that were asked again; the second may have failed too
    return terminal.stats.get("rerun", ()) if terminal else ()


def pytest_sessionfinish(session):
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if len(_flaky(terminal)) > FLAKY_AT_MOST and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
    """List what was not run, each with the command that would; show what failed at first."""
    flaky = _flaky(terminalreporter)
    if flaky:
        terminalreporter.section(f"FLAKY: {len(flaky)}, at most {FLAKY_AT_MOST}; each is a defect")
        for report in flaky:
            terminalreporter.write_sep("_", report.nodeid)
            terminalreporter.write_line(report.longreprtext)
    lines = set()
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if "NOT RUN: " in reason:
            lines.add(reason.split("NOT RUN: ", 1)[1])
    if lines:
        terminalreporter.section("NOT RUN")
        for line in sorted(lines):
            terminalreporter.write_line(line)
