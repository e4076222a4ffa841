"""How make is run: nothing of an outer make, no build without an end."""

import os
import threading

import pytest

from particle_tools.errors import UserError
from particle_tools.firmware import make


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Give a function that replaces make by lines of shell."""

    def replace(*lines):
        program = tmp_path / "make"
        program.write_text("#!/bin/sh\n" + "".join(line + "\n" for line in lines))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return replace


def test_variables_and_lines(tool, monkeypatch):
    for name in ("MAKEFLAGS", "DEBUG", "CFLAGS_EXTRA"):
        monkeypatch.setenv(name, "1")
    line = 'echo "$1 $A $LC_ALL <$MAKEFLAGS$DEBUG$CFLAGS_EXTRA>"'
    tool(line, "echo Error is a word", "echo last")
    said = []
    make.run("it", ["one"], seconds=60, environment={"A": "a"}, heard=said.append)
    assert said == ["one a C <>", "Error is a word", "last"]


def test_first_telling_line(tool):
    tool("echo CC one.c", "echo 'undefined reference to x'", "echo 'make: *** Error 1'", "exit 2")
    with pytest.raises(UserError, match="^building it: undefined reference to x$"):
        make.run("it", [], seconds=60)


def test_it_has_an_end(tool):
    tool("echo CC one.c", "exec sleep 100")
    with pytest.raises(UserError, match="^building it: not done after 0.5 s$"):
        make.run("it", [], seconds=0.5)


def test_interrupted_it_ends_what_it_started(tool, tmp_path):
    noted = tmp_path / "pid"
    tool(f"echo $$ > {noted}", "echo CC one.c", "exec sleep 100")

    def heard(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make.run("it", [], seconds=60, heard=heard)
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


def test_interrupted_while_its_limit_starts(tool, monkeypatch):
    """The limit kept the process until it was over, 20 minutes."""
    limits = []

    class Limit(threading.Timer):
        def start(self):
            super().start()
            limits.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Timer", Limit)
    tool("exec sleep 100")
    with pytest.raises(KeyboardInterrupt):
        make.run("it", [], seconds=100)
    limits[0].join(30)
    assert not limits[0].is_alive()
