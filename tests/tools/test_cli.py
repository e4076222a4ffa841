"""The command line: verbs are found, mistakes are one line."""

import subprocess
import sys

import pytest

from particle_tools import arguments, cli, interpreter
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


def refused(done, who, problem):
    """Assert that a process ended with status 1 and one line on stderr."""
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(who + ": ") and problem in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_verb_has_help_of_its_own():
    assert {"cloud", "demo", "sim"} <= set(cli.verb_names())
    overview = run("--help").stdout
    for name in cli.verb_names():
        assert f"\n    {name}" in overview
        assert run(name, "--help").returncode == 0


def test_user_error_is_one_line_and_status_1(tmp_path):
    done = run("sim", "--data", str(tmp_path / "board"))
    assert done.returncode == 1
    assert done.stderr.startswith("particle-mp sim: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", ["cloud", "sim"])
@pytest.mark.parametrize("name", ["", " "])
def test_a_folder_without_a_name_is_refused(verb, name):
    """It would be the current folder, with flash.img or a database in it."""
    refused(run(verb, "--data", name), f"particle-mp {verb}", "the name of a folder is missing")


@pytest.mark.parametrize("user", ["me", "me:", ":secret", " : "])
def test_a_user_without_name_or_password_is_refused(user):
    done = run("cloud", "--data", "x", "--user", user)
    refused(done, "particle-mp cloud", "a user is NAME:PASSWORD")


def test_names_may_have_spaces():
    assert arguments.user("my name:a : b") == ("my name", "a : b")
    assert arguments.folder("my board").name == "my board"


def test_unknown_verb_lists_the_known_ones():
    refused(run("fly"), "particle-mp", "cloud")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "VERB"),
        (("sim",), "--data"),
        (("sim", "--data"), "--data"),
        (("sim", "--data", "x", "--transport", "ftp"), "ftp"),
        (("cloud", "--http-port", "many"), "many"),
        (("provision",), "--port"),
        (("provision", "--port", "p", "--product", "many"), "many"),
        (("keys",), "ACTION"),
        (("keys", "import-dct"), "keys import-dct"),
        (("firmware", "build", "--nothing"), "firmware build"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_1(arguments, problem, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == "" and problem in err and len(err.splitlines()) == 1
    assert err.startswith("particle-mp") and err.rstrip().endswith("--help")


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
