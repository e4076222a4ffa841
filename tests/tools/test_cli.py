"""The command line: verbs are found, mistakes are one line."""

import os
import signal
import subprocess
import sys

import pytest

from particle_tools import arguments, cli, interpreter
from particle_tools.errors import UserError
from particle_tools.sim import first_start
from particle_tools.sim.board_dir import BoardDir


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


def test_output_that_has_no_room_is_one_line():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "particle_tools", "boards", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "particle-mp boards: No space left on device: make room on that disk\n"


def test_a_reader_that_has_gone_is_no_traceback():
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "particle_tools", "boards"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_names_that_the_terminal_cannot_show(tmp_path, monkeypatch):
    assert cli.main(["keys", "make", "--dir", str(tmp_path)]) == 0
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    out = tmp_path / "schlüssel.pem"
    done = run("keys", "export", "device.ec", "--dir", str(tmp_path), str(out))
    assert (done.returncode, done.stderr) == (0, "") and out.exists()
    assert done.stdout.endswith("schl\\xfcssel.pem\n")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    file = tmp_path / "file"
    file.touch()
    refused(run("sim", "--data", str(file)), "particle-mp sim", f"{file}: ")
    home = {"XDG_CACHE_HOME": str(file)}
    code = "from particle_tools import cli, cache; from particle_tools.verbs import boards;"
    code += "boards.run = lambda args: cache.install('x', print); cli.main(['boards'])"
    done = subprocess.run(
        [sys.executable, "-c", code + " == 1 or exit(9)"],
        env=os.environ | home,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"particle-mp boards: {file}") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_ended_cleans_up(number):
    """A folder with keys, a cloud and boards were left."""
    code = "import signal, sys, time; from particle_tools import cli\n"
    code += "from particle_tools.verbs import boards\n"
    code += "def work(args):\n"
    code += "    try:\n"
    code += "        print('at work', flush=True)\n"
    code += "        time.sleep(60)\n"
    code += "    finally:\n"
    code += f"        signal.raise_signal({int(number)})\n"
    code += "        print('tidy')\n"
    code += "boards.run = work\n"
    code += f"signal.signal({int(number)}, signal.SIG_DFL)\n"  # these tests may run under nohup
    code += "sys.exit(cli.main(['boards']))\n"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout.readline() == "at work\n"
        it.send_signal(number)
        assert it.communicate(timeout=30)[0] == "tidy\n"
    assert it.returncode == 128 + number


def test_a_blank_board_needs_what_provision_makes(tmp_path, capsys):
    board = BoardDir(tmp_path / "board")
    lock = board.lock()
    board.unique_id()
    first_start.make_blank(board)
    os.close(lock)
    for command in (["doctor"], ["sim", "--server", "host"]):
        assert cli.main([*command, "--data", str(board.path)]) == 1
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1
        assert "particle-mp provision" in err and "sim --pty" in err
