"""`particle-mp doctor --port`: what is wrong with a board, asked on the board itself."""

import json

import pytest

from particle_tools.cli import main
from particle_tools.provisioning.link import Board


@pytest.fixture
def doctor(cloud, capsys):
    """Give `doctor(board, *arguments)` -> (status, checks)."""

    def ask(board, *arguments):
        words = ["doctor", "--json", "--cloud", cloud.url, "--user", cloud.user]
        status = main([*words, "--port", board.port, *arguments])
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is (status == 0)
        return status, report["checks"]

    return ask


def failed(found, stage):
    """Assert that this is the first check that failed; return its texts."""
    status, checks = found
    bad = [check for check in checks if check["ok"] is False]
    assert status == 1 and bad[0]["stage"] == stage, checks
    return bad[0]["text"], bad[0]["remedy"]


def by_stage(checks):
    """Return the checks by stage."""
    return {check["stage"]: check for check in checks}


def test_from_a_new_board_to_one_that_is_ready(blank, doctor, provision):
    board = blank()
    text, remedy = failed(doctor(board), "address")
    assert "no server" in text and remedy.startswith("particle-mp provision")
    assert provision("--port", board.port, "--wifi", "home:Geheim77")[0] == 0
    before = board.flash_counts()
    status, checks = doctor(board)
    assert status == 0, checks
    assert [check["stage"] for check in checks if check["ok"]] == [
        *("library", "store", "networks", "board", "cloud", "clock", "port", "server key"),
        *("token", "id", "device key"),
    ]
    checks = by_stage(checks)
    assert "UNIX_SIM" in checks["library"]["text"] and "1 of 10" in checks["networks"]["text"]
    assert "KiB free" in checks["store"]["text"]
    assert board.flash_counts() == before  # it looks, it does not write
    status, checks = doctor(board, "--write")
    assert status == 0 and "2 writes" in by_stage(checks)["wear"]["text"]


WORN = """
import vfs
class Worn:
    cells = bytearray(b"\\xff" * 65536)
    worn = False
    def readblocks(self, n, buf, at=0):
        buf[:] = self.cells[n * 4096 + at : n * 4096 + at + len(buf)]
    def writeblocks(self, n, buf, at=0):
        if self.worn:
            raise OSError(5)
        self.cells[n * 4096 + at : n * 4096 + at + len(buf)] = buf
    def ioctl(self, op, arg):
        if op == 6:
            if self.worn:
                raise OSError(5)
            self.cells[arg * 4096 : arg * 4096 + 4096] = b"\\xff" * 4096
        return 16 if op == 4 else 4096 if op == 5 else 0
flash = Worn()
vfs.VfsLfs2.mkfs(flash, progsize=256)
vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/worn")
flash.worn = True
"""
PROFILE = """
NAME = "UNIX_SIM"
PLATFORM_ID = 3
NET = "host"
TRANSPORT = "udp"
STORE_ROOT = "/worn/pt"
"""


def test_a_flash_that_is_worn_out(blank, doctor, provision):
    board = blank({"/boot.py": WORN, "/particle_board.py": PROFILE})
    text, remedy = failed(doctor(board, "--write"), "wear")
    assert "cannot write" in text and "worn out" in remedy
    # keys are not made for nothing: nobody learns of one that is not stored
    status, report, _ = provision("--port", board.port)
    assert status == 1 and report["stage"] == "store" and "cannot write" in report["error"]


def test_damaged_and_newer_files(blank, doctor):
    board = blank({"/pt/wifi": "PT", "/pt/session": "PT\x01\x02", "/pt/config.json": "["})
    status, checks = doctor(board)
    assert status == 1
    found = {check["text"]: check["remedy"] for check in checks if check["stage"] == "store"}
    assert found == {
        "config.json is damaged": "It is replaced when it is set again",
        "wifi is damaged": "It is replaced when it is set again",
        "session is of a newer version: update, or erase it": "Update the library on the board,"
        " or erase the file",
    }
    with Board(board.port) as link:
        link.write_file("/flash/pt/config.json", b'{"v": 1, "server": "x", "transport": "ftp"}')
    checks = doctor(board)[1]
    assert "settings that cannot be used" in checks[-1]["text"] and checks[-1]["remedy"]
    with Board(board.port) as link:
        link.write_file("/flash/boot.py", b"import sys; sys.path.remove('/rom')")
    (check,) = doctor(board)[1]
    assert "not on the board" in check["text"] and "--install" in check["remedy"]


def test_what_goes_with_a_port(capsys):
    assert main(["doctor", "--write"]) == 1
    assert "--port" in capsys.readouterr().err
    assert main(["doctor", "--port", "/nowhere"]) == 1
    assert "cannot be opened" in capsys.readouterr().err
