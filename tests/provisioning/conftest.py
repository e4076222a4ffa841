"""One cloud, a bench of boards as from the shop, and the verb as a function."""

import json

import pytest

from particle_tools.cli import main
from particle_tools.local import LocalCloud
from sim.boards import Bench

OTHER = "bob@local.test:another secret"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    options = ("--user", OTHER)
    found = LocalCloud(tmp_path_factory.mktemp("cloud"), options=options)
    yield found
    found.stop()
    assert "Traceback" not in found.output(), found.output()


@pytest.fixture(scope="session")
def api(cloud):
    """Give REST as the user who gets the boards."""
    return cloud.api()


@pytest.fixture
def other():
    """Give NAME:PASSWORD of somebody else."""
    return OTHER


@pytest.fixture
def blank(tmp_path):
    """Give `blank(files)`: a new board with these files, at its prompt, with its serial `port`.

    `switch_on(*arguments)` starts one again whose `sim` was closed or has ended.
    """
    bench = Bench(tmp_path)
    made = []

    def start(files=None):
        board = bench.board(files, name=f"board{len(made)}")
        made.append(board)

        def switch_on(*arguments):
            board.sim = bench.start(board, None, "--pty", *arguments)
            board.port = board.sim.wait_for("serial ").split()[1]

        board.switch_on = switch_on
        switch_on()
        return board

    yield start
    for board in made:
        print(board.path.name, board.sim.process.poll(), board.sim.lines)
    bench.close()


@pytest.fixture
def provision(cloud, capsys):
    """Give `provision(*arguments)` -> (status, report or None, what was on stderr)."""

    def run(*arguments, user=None):
        who = ["--cloud", cloud.url, "--user", user or cloud.user]
        status = main(["provision", "--json", *who, *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run
