"""What a board's storage and twin do to its sessions over UDP (DESIGN decisions 2 and 3)."""

import time

import pytest

from e2e.desk import LIMIT, store, stored
from particle_tools.errors import UserError
from particle_tools.local import wait_for
from particle_tools.sim.board_dir import BoardDir

# Resets itself after each acknowledged event: nothing but the flash and the RTC memory remains.
RESETS = """
import machine
import particle
boots = particle.retained.get("boots", 0)
particle.retained["boots"] = boots + 1
particle.connect(30)
p = particle.publish("boot", str(boots), ack=True)
print("boot", boots, p.done(), particle.usage()["full_handshakes"])
if boots < 12:
    machine.reset()
print("end of it")
particle.wait_until(lambda: False)
"""

# A function that resets the board, and how often that has happened.
ENDS = """
import machine
import particle
boots = particle.retained.get("boots", 0)
particle.retained["boots"] = boots + 1
particle.function("end", lambda text: machine.reset())
particle.variable("boots", boots)
print("boot", boots)
particle.run()
"""

WHY = """
import particle
particle.connect(30)
done = particle.publish("x", ack=True).done()
particle.wait_until(lambda: False, 0.3)
print("why", int(done), particle.usage()["full_handshakes"])
particle.wait_until(lambda: False)
"""

TWIN = """
import particle
particle.connect(60)
n = 0
while True:
    particle.wait_until(particle.connected)
    try:
        p = particle.publish("twin", str(n), ack=True)
        print("acked" if p else "lost", n)
    except particle.Error as e:
        print("refused", n)
    n += 1
    particle.wait_until(lambda: False, 1)
"""


def test_resets_cost_no_write_to_flash(desk, api, events):
    board = desk.board(RESETS, transport="udp")
    board.said("end of it")
    lines = [x for x in board.lines() if x.startswith("boot ")]
    assert lines == ["boot 0 True {'none': 1}"] + [f"boot {i} True {{}}" for i in range(1, 13)]
    assert [events.wait("boot")["data"] for _ in range(13)] == [str(i) for i in range(13)]
    usage = api.usage(board.device_id)
    assert usage["handshakes"] == 1 and usage["resumes"] > 0
    # operations since power-on, over all resets: the first session, and what was provisioned
    operations, _, _ = BoardDir(desk.folder / "board").flash_counts()
    assert operations < 40, operations
    board.kill()
    # the power is off: what the RTC had is gone, the session goes on from the flash
    board = desk.board(RESETS, transport=None)
    board.said("boot 0 True {}")
    assert api.usage(board.device_id)["handshakes"] == 1


def test_a_call_that_resets_the_board_comes_once(desk, api):
    """It is acknowledged before the function runs (cloud-protocol 4.6)."""
    board = desk.board(ENDS, transport="udp")
    assert wait_for(lambda: api.device(board.device_id)["functions"], LIMIT)
    with pytest.raises(UserError):  # the answer never comes
        api.call(board.device_id, "end", "")
    assert wait_for(lambda: api.usage(board.device_id)["resumes"], LIMIT)
    assert api.read(board.device_id, "boots") == 1
    assert [line for line in board.lines() if line.startswith("boot ")] == ["boot 0", "boot 1"]


def test_two_boards_with_one_identity(desk, cloud, api):
    # a copied flash: each new handshake ends the session of the other
    desk.made("one", transport="udp")
    desk.copy("one", "two")
    options = ("--time-scale", "8")
    boards = [desk.board(TWIN, name, transport=None, options=options) for name in ("one", "two")]
    for board in boards:
        assert wait_for(lambda b=board: b.output().count("acked") > 2, LIMIT), board.output()
    time.sleep(3)
    usage = api.usage(boards[0].device_id)
    # they take turns, but do not storm the cloud
    assert usage["handshakes"] < 30, usage
    assert all(board.alive() for board in boards)
    assert "Traceback" not in boards[0].output() + boards[1].output()
    # alone again, one works as if nothing had been
    boards[1].kill()
    count = boards[0].output().count("acked")
    assert wait_for(lambda: boards[0].output().count("acked") > count + 3, LIMIT)


def test_session_files_that_cannot_be_used(desk, api):
    board = desk.board(WHY, transport="udp")
    board.said("why 1 {'none': 1}")
    folder = desk.folder / "board"
    board.kill()
    good = stored(folder)["session"]
    newer = good[:3] + b"\x02" + good[4:]
    # one handshake each; what a newer version wrote is kept, and no session stored then
    cases = [newer, good[: len(good) // 2], bytes(len(good)), b"something else"]
    for data in cases:
        store(folder, "session", data)
        count = board.output().count("why 1")
        board = desk.board(WHY, transport=None)
        assert "{'damaged': 1}" in board.said("why 1", count=count + 1)
        board.kill()
        assert (stored(folder)["session"] == data) == (data == newer)
    assert api.usage(board.device_id)["handshakes"] == 1 + len(cases)
