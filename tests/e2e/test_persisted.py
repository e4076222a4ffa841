"""publish(..., persist=True) at a reader of the cloud: exactly once, whatever happens to the board
(DESIGN decision 7).
"""

import random
import time

import pytest

from e2e.desk import Board
from particle_tools.errors import UserError
from particle_tools.sim import image
from relay import UdpRelay, Weather

# Every boot stores one event before it connects and more after that; each is told to the console
# when it is on flash.
BOOTS = """
import machine
import os
import particle

boot = len([f for f in os.listdir() if f.startswith("boot-")])
open("boot-%d" % boot, "w").close()

def keep(n):
    data = "%d.%d" % (boot, n)
    try:
        particle.publish("kept", data, persist=True)
        print("stored", data)
    except particle.QueueFull:
        print("full")

keep(0)
for n in range(1, 200):
    try:
        particle.connect(5)
    except particle.Error as e:
        print(e)
    keep(n)
    particle.wait_until(lambda: False, 0.3)
    if n % 7 == 6:
        machine.reset()
"""

# Sends what is left.
LAST = """
import particle
particle.connect(60)
print("flushed", particle.flush(60), particle.usage())
particle.wait_until(lambda: False)
"""


@pytest.fixture
def start(tmp_path, cloud):
    """Start the same board again with a program."""
    boards = []

    def run(text, server=None, where=cloud, options=()):
        script = tmp_path / "program.py"
        script.write_text(text)
        folder = tmp_path / "board"
        options = ("--time-scale", "1", *options)
        board = Board(
            folder, where, script=script, server=server, transport="udp", options=options
        )
        boards.append(board)
        return board

    yield run
    for board in boards:
        board.stop()


def collect(events, seconds):
    """Return the data of the events that come in `seconds`."""
    end = time.monotonic() + seconds
    found = []
    while True:
        try:
            found.append(events.wait("kept", max(0.01, end - time.monotonic()))["data"])
        except UserError:
            return found


def check(lines, got):
    """Every event that was stored came exactly once and in order; return how many there were."""
    stored = [x.split()[1] for x in lines if x.startswith("stored ")]
    assert sorted(set(got)) == sorted(got), [x for x in got if got.count(x) > 1]
    # what the power cut kept from being told to the console may have come too
    assert set(stored) <= set(got), sorted(set(stored) - set(got))
    pairs = [tuple(map(int, x.split("."))) for x in got]
    assert pairs == sorted(pairs)
    return len(stored)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_exactly_once_over_kills_and_resets_in_bad_weather(cloud, events, start, kills):
    rng = random.Random(6)
    weather = Weather(loss=0.1, double=0.1, delay=0.05)
    relay = UdpRelay(cloud.ready["udp_port"], seed=6, weather=weather)
    got = []
    try:
        server = f"127.0.0.1:{relay.port}"
        told = 0
        for _ in range(kills):
            board = start(BOOTS, server)
            board.said("stored ", 90, told + 1)
            got += collect(events, rng.uniform(0.5, 3.5))
            relay.replay(list(relay.down)[-30:])
            board.kill()
            told = sum(line.startswith("stored ") for line in board.lines())
        relay.storm.weather = Weather()
        board = start(LAST, server)
        board.said("flushed True", 90)
        got += collect(events, 1)
    finally:
        relay.close()
    assert check(board.lines(), got) >= kills
    assert relay.numbers.repeated == []
    board.kill()
    fs = image.open_image(board.log.with_name("board") / "flash.img")
    assert fs.listdir("/pt/queue") == ["next"]
