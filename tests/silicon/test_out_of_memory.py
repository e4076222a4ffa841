"""Memory ends at any allocation of a handshake and of a publish: MemoryError, and life goes on.

The emulated board lets one allocation fail (boards/QEMU_M3/board_memory.c) or has little
left; then memory is free again, and the same client connects and publishes.
"""

import re

import pytest

from particle_tools import ROOT
from particle_tools.local import LocalCloud
from silicon import cortex_m3
from silicon.m3_board import M3Board

_APPLICATION = ROOT / "tests" / "silicon" / "m3_memory_app.py"
_ID = "3b" * 12
_HEAP = 128 << 10
_SECONDS = 500  # ten times what it takes

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def board(need, tmp_path):
    """Give a provisioned board of a running cloud, over UDP."""
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cloud = LocalCloud(tmp_path)
    yield M3Board(tmp_path / "board", cloud, _ID, "udp")
    cloud.stop()


def tried(board, trial, numbers, seconds):
    """Run trials; return the allocations of connect and publish, and how each number ended."""
    text = " ".join([trial, *map(str, numbers)])
    said = board.run(
        _APPLICATION, heap=_HEAP, seconds=seconds, files={"trials.txt": text.encode()}
    )
    assert "Traceback" not in said, said
    found = re.findall(r"^trial (\d+) (.+) then (.+)$", said, re.MULTILINE)
    assert [int(number) for number, _, _ in found] == list(numbers), said
    for _, end, then in found:
        good = ("done", "MemoryError", "timeout") if trial == "small" else ("done", "MemoryError")
        assert end in good and then == "done", said
    counts = {name: int(n) for name, n in re.findall(r"^(connect|publish) (\d+)$", said, re.M)}
    return counts, {int(number): end for number, end, _ in found}


def spread(last, first, ratio):
    """Return numbers from `first` to `last`, each about `ratio` times the one before."""
    numbers = []
    n = first
    while n < last:
        numbers.append(n)
        n = max(n + 1, int(n * ratio))
    return numbers


def test_handshake(board):
    counts, ends = tried(board, "handshake", spread(80_000, 1, 1.4), _SECONDS)
    assert counts["connect"] > 70_000
    assert list(ends.values()).count("MemoryError") > len(ends) // 2


def test_publish(board):
    counts, ends = tried(board, "event", spread(2000, 1, 1.25), _SECONDS)
    assert counts["publish"] > 100
    assert "MemoryError" in ends.values()


def test_little_memory(board):
    """From far too little to enough."""
    _, ends = tried(board, "small", (1, 2, 4, 6, 8, 10, 12, 16, 24, 64), _SECONDS)
    # what comes may be lost for want of room, until the time is over
    assert ends[1] in ("MemoryError", "timeout") and ends[64] == "done"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_every_allocation_before_the_mathematics(board, part):
    tried(board, "handshake", range(1 + part, 1200, 4), 3000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_every_allocation_of_a_publish(board, part):
    tried(board, "event", range(1 + part, 1800, 4), 3000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_so_many(board):
    tried(board, "handshake", range(1200, 80_000, 113), 3000)
