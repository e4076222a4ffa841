"""The library installed on a provisioned board by unmodified mpremote, and used from there."""

import pytest

from e2e.mpremote import mpremote as remote
from particle_tools import packing
from particle_tools.local import LocalCloud, SimulatedBoard

# The board's own copy instead of the checkout's; the board's frozen modules stay.
_ALONE = (
    "import os, sys; os.chdir('/'); own = [p for p in sys.path if not p.endswith('/lib')];"
    " sys.path[:] = ['', '/flash/lib'] + own; "
)
_USE = (
    "import particle; print(particle.__file__); particle.connect(10);"
    " print(bool(particle.publish('installed', 'yes', ack=True)))"
)
_LEAVE = "; particle.disconnect()"  # a verb that is not of the core


@pytest.fixture
def cloud(tmp_path):
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.stop()


@pytest.fixture
def board(tmp_path, cloud):
    board = SimulatedBoard(tmp_path / "board", cloud, pty=True)
    yield board
    board.stop()


def mpremote(board, *arguments, cwd=None):
    """Run mpremote against the board and return what it printed."""
    return remote(board.serial, *arguments, cwd=cwd)


def use(board, leave=_LEAVE):
    """Connect with the installed library, in the root of the file system; return its path."""
    lines = mpremote(board, "exec", _ALONE + _USE + leave).splitlines()
    assert lines[-1] == "True", lines
    return lines[0]


def test_from_a_folder(board, tmp_path):
    packing.build_packages(tmp_path / "mip")
    mpremote(
        board, "mip", "install", "--target", "/flash/lib", "./package.json", cwd=tmp_path / "mip"
    )
    assert use(board) == "/flash/lib/particle/__init__.mpy"


@pytest.mark.parametrize("core", ["core-udp", "core-tcp"])
def test_only_what_is_needed(cloud, tmp_path, core):
    """One core and a link: an application that stays within them needs nothing else."""
    board = SimulatedBoard(tmp_path / "board", cloud, pty=True, transport=core[-3:])
    try:
        for component in (core, "host"):
            url = f"{cloud.url}/mip/{component}/package.json"
            mpremote(board, "mip", "install", "--target", "/flash/lib", url)
        assert use(board, leave="") == "/flash/lib/particle/__init__.mpy"
        sessions = mpremote(board, "fs", "ls", ":/flash/lib/particle/session").split()
        assert "conn.mpy" in sessions and ("dtls.mpy" in sessions) == (core == "core-udp")
        names = mpremote(board, "fs", "ls", ":/flash/lib/particle").split()
        assert "client.mpy" in names and not {"runtime/", "verbs.mpy"} & set(names)
    finally:
        board.stop()


def test_sources_from_the_checkout(board):
    target = ("--target", "/flash/lib")
    mpremote(board, "mip", "install", *target, "./package.json", cwd=packing.ROOT)
    assert use(board) == "/flash/lib/particle/__init__.py"
