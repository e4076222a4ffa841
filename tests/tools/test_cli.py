"""The command line: verbs are found, mistakes are one line."""

import subprocess
import sys

import pytest

from particle_tools import cli, interpreter
from particle_tools.errors import UserError


def run(*arguments):
    """Run `particle-mp ARGUMENTS`."""
    return subprocess.run(
        [sys.executable, "-m", "particle_tools", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_every_verb_has_help_of_its_own():
    assert {"cloud", "demo", "sim"} <= set(cli.verb_names())
    overview = run("--help").stdout
    for name in cli.verb_names():
        assert f"    {name} " in overview
        assert run(name, "--help").returncode == 0


def test_user_error_is_one_line_and_status_1(tmp_path):
    done = run("sim", "--data", str(tmp_path / "board"))
    assert done.returncode == 1
    assert done.stderr.startswith("particle-mp sim: ")
    assert len(done.stderr.splitlines()) == 1


def test_unknown_verb_lists_the_known_ones():
    done = run("fly")
    assert done.returncode == 2
    assert "cloud" in done.stderr


def test_interpreter_named_by_the_environment_must_be_micropython(monkeypatch):
    monkeypatch.setenv("MICROPYTHON", sys.executable)
    with pytest.raises(UserError, match="does not run MicroPython"):
        interpreter.find()


def test_interpreter_is_found_or_its_absence_explained(monkeypatch, tmp_path):
    monkeypatch.delenv("MICROPYTHON", raising=False)
    assert interpreter.find()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="make setup"):
        interpreter.find()


def test_old_micropython_is_refused(monkeypatch, tmp_path):
    old = tmp_path / "micropython"
    old.write_text("#!/bin/sh\necho micropython 1 24\n")
    old.chmod(0o755)
    monkeypatch.setenv("MICROPYTHON", str(old))
    with pytest.raises(UserError, match=r"is 1\.24"):
        interpreter.find()
