"""How make is run: nothing of an outer make, no build without an end."""

import os

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
