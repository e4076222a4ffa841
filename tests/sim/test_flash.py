"""The flash chip and what a file operation leaves behind when power fails in it."""

import os

import pytest

from particle_tools.sim import image
from particle_tools.sim.supervisor import POWER_CUT, Supervisor

_OLD = b"old " * 100
_NEW = b"new! " * 500
_REPLACE = """
import os
with open("/flash/state.new", "wb") as f:
    f.write(b"new! " * 500)
os.rename("/flash/state.new", "/flash/state")
"""
_TEARS = ("none", "half", "most", "all")


def test_nor_rules(bench):
    # the last block of a nearly empty chip is nobody's
    program = """
    from _flash import Flash
    f = Flash("")
    print(f.ioctl(4, 0), f.ioctl(5, 0))
    page = bytearray(256)
    f.ioctl(6, 255)
    f.readblocks(255, page, 256)
    print(page == b"\\xff" * 256)
    f.writeblocks(255, b"\\xf0" * 256, 256)
    f.writeblocks(255, b"\\x3c" * 256, 256)
    f.readblocks(255, page, 256)
    print(page == b"\\x30" * 256)
    f.writeblocks(255, b"\\x55" * 4096)
    f.readblocks(255, page, 256)
    print(page == b"\\x55" * 256)
    for at, n in ((1, 256), (0, 255), (4096, 256)):
        try:
            f.writeblocks(255, bytes(n), at)
            print("programmed", at, n)
        except OSError as e:
            print(e.errno)
    try:
        f.ioctl(6, 256)
    except OSError as e:
        print(e.errno)
    """
    _, lines = bench.run(bench.board(), program)
    assert lines == ["256 4096", "True", "True", "True", "22", "22", "22", "22"]


def test_operations_are_counted_over_resets(bench):
    board = bench.board()
    program = """
    import machine
    with open("x", "w") as f:
        f.write("1")
    if machine.reset_cause() == 1:
        machine.reset()
    """
    bench.run(board, program)
    operations, programs, erases = board.flash_counts()
    assert operations == programs + erases
    assert programs >= 2
    bench.run(board, "pass")
    assert board.flash_counts() == (0, 0, 0)


def _run(board, script, cut=""):
    lock = board.lock()
    try:
        return Supervisor(board, lock, script=script, cut=cut).run()
    finally:
        os.close(lock)


@pytest.mark.parametrize("tear", _TEARS)
def test_replacing_a_file_leaves_old_or_new_whatever_happens(bench, tear):
    board = bench.board()
    image.write(board.flash, {"/state": _OLD, "/other": b"other" * 500})
    script = bench.script(_REPLACE)
    before = board.flash.read_bytes()
    assert _run(board, script) == 0
    total = board.flash_counts()[0]
    assert total >= 5
    seen = []
    for cut in range(1, total + 1):
        board.flash.write_bytes(before)
        assert _run(board, script, f"{cut}:{tear}") == POWER_CUT
        # what the host finds, and what the board itself finds at its next boot
        seen.append(image.read(board.flash, "/state"))
        assert image.read(board.flash, "/other") == b"other" * 500
        assert _run(board, bench.script("open('/flash/state').close()")) == 0
        assert _run(board, bench.script(_REPLACE)) == 0
        assert image.read(board.flash, "/state") == _NEW
    assert set(seen) <= {_OLD, _NEW}
    # once new, never old again: the cut moves forward
    assert seen == sorted(seen, key=[_OLD, _NEW].index)
    assert seen[0] == _OLD


def test_without_a_rename_a_cut_can_lose_the_file(bench):
    # shows that the cuts bite: overwriting in place is not safe for every program
    board = bench.board()
    image.write(board.flash, {"/state": _OLD})
    before = board.flash.read_bytes()
    script = bench.script("""
    import os
    os.remove("/flash/state")
    with open("/flash/state", "wb") as f:
        f.write(b"new! " * 500)
    """)
    _run(board, script)
    seen = set()
    for cut in range(1, board.flash_counts()[0] + 1):
        board.flash.write_bytes(before)
        _run(board, script, f"{cut}:half")
        seen.add(image.read(board.flash, "/state"))
    assert not seen <= {_OLD, _NEW}


def test_cut_of_the_command_line(bench):
    board = bench.board()
    program = _REPLACE + "print('not cut')\n"
    status, lines = bench.run(board, program, "--cut", "1")
    assert (status, lines) == (POWER_CUT, [])
    status, lines = bench.run(board, program, "--cut", "1000:all")
    assert (status, lines) == (0, ["not cut"])
    for wrong in ("0", "x", "3:most:", "3:some", "-1"):
        status, lines = bench.run(board, program, f"--cut={wrong}")
        assert status == 1
        assert len(lines) == 1


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda data: data[:-1], "1048575 bytes"),
        (lambda data: b"", "0 bytes"),
        (lambda data: b"\xff" * len(data), "damaged"),
        (lambda data: bytes(len(data)), "damaged"),
    ],
)
def test_damaged_flash_is_one_line(bench, damage, text):
    board = bench.board()
    board.flash.write_bytes(damage(board.flash.read_bytes()))
    status, lines = bench.run(board, "print('ran')")
    assert status == 1
    assert len(lines) == 1
    assert text in lines[0]


def test_damaged_board_json_is_one_line(bench):
    board = bench.board()
    for content in ("", "{}", '{"unique_id": "12"}', "[1]"):
        (board.path / "board.json").write_text(content)
        status, lines = bench.run(board, "print('ran')")
        assert status == 1
        assert len(lines) == 1
        assert "board.json is damaged" in lines[0]
    (board.path / "board.json").unlink()
    status, lines = bench.run(board, "print('ran')")
    assert (status, len(lines)) == (1, 1)
