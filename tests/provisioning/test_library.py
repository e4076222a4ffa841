"""A board without the library, or with an old one, is told what to do, or gets it."""

import subprocess
import sys

import pexpect

from particle_tools.sim import image

# the checkout's library is not there, as on a stock board
ALONE = "import sys; sys.path.remove('/rom')\n"
CONNECT = "import particle; print(particle.__file__); particle.connect(20)"


def test_missing_library_is_named_and_installed(blank, provision):
    board = blank({"/boot.py": ALONE})
    status, report, err = provision("--port", board.port)
    assert status == 1 and report["stage"] == "library"
    assert "--install puts core-udp repl networks keygen host on the board" in err
    assert len(err.splitlines()) == 1
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


def test_somebody_at_a_terminal_is_asked(blank, cloud):
    board = blank({"/boot.py": ALONE})
    argv = ["-m", "particle_tools", "provision", "--port", board.port]
    argv += ["--cloud", cloud.url, "--user", cloud.user]
    child = pexpect.spawn(sys.executable, argv, timeout=60)
    child.expect(r"Install it now\? \[y/N\] ")
    child.sendline("")
    child.expect("--install puts")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


OLD = {
    "an older version": ('version = "0.0.9"\n', "0.0.9, 0.1.0 is needed"),
    "no version": ("", "of no version, 0.1.0"),
    "a strange version": ('version = "new"\n', "is new, 0.1.0"),
}


def test_a_library_that_is_too_old(blank, provision):
    board = blank()
    for source, problem in OLD.values():
        board.sim.close()
        image.write(board.flash, {"/particle/__init__.py": source.encode()})
        board.restart()
        status, report, err = provision("--port", board.port)
        assert status == 1 and report["stage"] == "library", report
        assert problem in report["error"] and "--install" in err


def test_a_part_that_is_missing(blank, provision):
    files = {"/particle/__init__.py": 'version = "0.1.0"\n', "/particle/client.py": "x = 1\n"}
    status, report, _ = provision("--port", blank(files).port)
    assert status == 1 and "(component core-udp)" in report["error"]
