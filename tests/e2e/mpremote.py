"""Unmodified mpremote as a command, against the serial port of a board."""

import subprocess
import sys

_LIMIT_S = 120


def run(port, *arguments, cwd=None):
    """Run mpremote; return its status and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, "resume", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
        cwd=cwd,
        check=False,
    )
    return done.returncode, done.stdout


def mpremote(port, *arguments, cwd=None):
    """Run mpremote, which must succeed; return what it printed."""
    status, said = run(port, *arguments, cwd=cwd)
    assert status == 0, said
    return said


def refused(port, *arguments):
    """Run mpremote, which must fail; return what it printed."""
    status, said = run(port, *arguments)
    assert status == 1, said
    return said
