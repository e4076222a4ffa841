"""A board without the library, or with an old one, is told what to do, or gets it."""

import subprocess
import sys

import pexpect
import pytest

from particle_tools.provisioning import library
from particle_tools.provisioning.link import Board, LibraryMissing
from particle_tools.sim import image

# the checkout's library is not there, as on a stock board
ALONE = "import sys; sys.path.remove('/rom')\n"
CONNECT = "import particle; print(particle.__file__); particle.connect(20)"


def test_missing_library_is_named_and_installed(blank, provision, cloud):
    board = blank({"/boot.py": ALONE})
    status, report, err = provision("--port", board.port)
    assert status == 1 and report["stage"] == "library"
    assert "--install puts core-udp repl networks keygen host on the board" in err
    assert len(err.splitlines()) == 1
    # somebody at a terminal is asked, and says no
    argv = ["-m", "particle_tools", "provision", "--port", board.port]
    argv += ["--cloud", cloud.url, "--user", cloud.user]
    child = pexpect.spawn(sys.executable, argv, timeout=60)
    child.expect(r"Install it now\? \[y/N\] ")
    child.sendline("")
    child.expect("--install puts")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    status, report, err = provision("--port", board.port, "--install")
    assert status == 0, err
    assert report["changed"][0] == "library" and "settings" in report["changed"]
    status, report, _ = provision("--port", board.port, "--install")
    assert (status, report["changed"]) == (0, [])
    argv = [sys.executable, "-m", "mpremote", "connect", board.port, "exec", CONNECT]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("/flash/lib/particle/__init__.mpy")
    board.sim.close()
    fs = image.open_image(board.flash)
    assert not [name for name in fs.listdir("/lib/particle") if name.endswith(".new")]


@pytest.mark.parametrize("version", ["0.0.9", "0.0.10", "new", "of no version", ""])
def test_a_library_that_is_too_old(version):
    with pytest.raises(LibraryMissing, match="0.1.0 is needed"):
        library.check({"library": version, "missing": {"udp": []}}, "udp")


@pytest.mark.parametrize("version", ["0.1.0", "0.1.0.1", "0.10", "1.0"])
def test_a_library_that_is_not(version):
    library.check({"library": version, "missing": {"udp": []}}, "udp")


def test_the_transport_that_is_installed():
    bare = {"transport": "udp", "missing": {"udp": ["x"], "tcp": []}}
    assert library.transport_of(bare) == "tcp" and library.transport_of(bare, "udp") == "udp"
    assert library.transport_of(bare | {"missing": {"udp": ["x"], "tcp": ["y"]}}) == "udp"
    assert library.transport_of(bare | {"missing": {"udp": [], "tcp": []}}) == "udp"
    assert library.transport_of({"transport": "tcp"}) == "tcp"


def test_a_part_that_is_missing(blank, provision):
    files = {"/particle/__init__.py": 'version = "0.1.0"\n', "/particle/client.py": "x = 1\n"}
    board = blank(files)
    status, report, _ = provision("--port", board.port)
    assert status == 1 and "(component core-udp)" in report["error"]
    with Board(board.port) as link:
        link.write_file("/flash/particle/__init__.py", b"")
    status, report, _ = provision("--port", board.port)
    assert "of no version, 0.1.0 is needed" in report["error"] and "--install" in report["error"]
