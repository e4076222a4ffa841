"""Boards over UDP: sessions that go on, a network that does not help (DESIGN decisions 2, 3)."""

import random
import sqlite3
import time

import pytest

from e2e.desk import LIMIT, REMOTE, Board
from particle_tools.errors import UserError
from particle_tools.local import LocalCloud, wait_for
from relay import UdpRelay, Weather

SETUP = """
import time
particle.variable("temp", 21.5)
particle.variable("count", 7)
particle.variable("name", "porch")
particle.variable("on", True)
particle.subscribe("order", lambda name, data: heard.append(data))
"""

# Publishes numbered events until it is stopped, the next when the last is acknowledged.
COUNTING = """
import particle
particle.connect(60)
turn = 0
while True:
    particle.wait_until(particle.connected)
    particle.wait_until(particle.can_publish)
    try:
        p = particle.publish("n", "%d", ack=True, timeout=60)
        print("acked" if p else "lost", turn)
    except particle.Error as e:
        print("refused", turn, e)
    turn += 1
""".replace('"%d"', "str(turn)")


@pytest.fixture
def start(tmp_path, cloud):
    """Start boards and relays; all are stopped in the end."""
    things = []

    def run(program, name="board", relay=None, where=cloud, options=()):
        script = tmp_path / (name + ".py")
        script.write_text(program)
        server = f"127.0.0.1:{relay.port}" if relay else None
        board = Board(
            tmp_path / name, where, script=script, server=server, transport="udp", options=options
        )
        things.append(board)
        return board

    def network(port, **more):
        relay = UdpRelay(port, **more)
        things.append(relay)
        return relay

    run.network = network
    yield run
    for thing in reversed(things):
        thing.stop() if isinstance(thing, Board) else thing.close()


def test_everything_that_passes(api, events, start):
    board = start(REMOTE.format(setup=SETUP))
    board.said("connected")
    assert wait_for(lambda: api.device(board.device_id)["variables"], LIMIT)
    names = ("temp", "count", "name", "on")
    assert [api.read(board.device_id, n) for n in names] == [21.5, 7, "porch", True]
    board.did(api, "event('up', 'x' * 1024, ack=True)")
    assert events.wait("up")["data"] == "x" * 1024
    for text, result in (("get_name()", "board-"), ("usage()", "'handshakes': 1")):
        assert result in board.did(api, "particle." + text)
    api.publish("order", "tea")
    assert wait_for(lambda: "tea" in board.did(api, "heard"), LIMIT)
    with pytest.raises(UserError, match="404"):
        api.call(board.device_id, "unknown", "")
    usage = api.usage(board.device_id)
    assert usage["handshakes"] == 1 and usage["resumes"] == 0


def test_five_power_cuts_without_a_handshake(api, start):
    board = start(REMOTE.format(setup=SETUP))
    board.said("connected")
    device = board.device_id
    wait_for(lambda: api.device(device)["functions"], LIMIT)
    for turn in range(1, 6):
        time.sleep(0.1 * turn)
        board.kill()
        board = start(REMOTE.format(setup=SETUP))
        assert wait_for(lambda n=turn: api.usage(device)["resumes"] >= n, LIMIT)
        assert api.read(device, "temp") == 21.5
    assert api.usage(device)["handshakes"] == 1
    # the clock, which power cuts stop, is asked for by a session that goes on, too (4.8)
    assert wait_for(lambda: "True" in board.did(api, "particle.time.valid()"), LIMIT)


def test_a_new_address_in_the_middle(api, cloud, events, start):
    relay = start.network(cloud.ready["udp_port"])
    board = start(COUNTING, relay=relay)
    for turn in range(3):
        wait_number(events, turn * 5)
        relay.rebind()
    wait_number(events, 16)
    usage = api.usage(board.device_id)
    assert usage["handshakes"] == 1
    assert "lost" not in board.output() and "refused" not in board.output()


def wait_number(events, number, seconds=LIMIT):
    """Return all numbers that came until `number` did."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(int(events.wait("n", seconds)["data"]))
        if found[-1] >= number:
            return found
    raise AssertionError(found)


def bad_weather(tmp_path, start, seconds, kills, seed):
    """Let a board publish through a storm, and cut its power; all of it ten times as fast."""
    source = random.Random(seed)
    scale = ("--time-scale", "10")
    weather = Weather(0.2, 0.1, 0.03, 0.02, 0.05, replay=0.1, rebind=0.01, dark=0.005, blackout=1)
    cloud = LocalCloud(tmp_path / "own", options=scale)
    try:
        api = cloud.api()
        events = api.events()
        relay = start.network(cloud.ready["udp_port"], seed=seed, weather=weather)

        def boot(turn):
            text = COUNTING.replace("str(turn)", f"'{turn}.%d' % turn")
            text = text.replace(", turn)", f", '{turn}.%d' % turn)")
            return start(text.replace(", turn, e", ", e"), relay=relay, where=cloud, options=scale)

        board = boot(0)
        for turn in range(1, kills + 1):
            time.sleep(source.uniform(0.2, 2 * seconds / kills))
            board.kill()
            board = boot(turn)
        relay.storm.weather = Weather()
        assert wait_for(lambda: f"acked {kills}." in board.output(), 60), board.output()
        acked = {x.split()[1] for x in board.lines() if x.startswith("acked")}
        seen = set()
        while not acked <= seen:
            seen.add(events.wait("n", 10)["data"])
        assert not relay.numbers.repeated
        assert "Traceback" not in cloud.output() + board.output()
        used = api.usage(board.device_id)
        print(f"{kills} kills: {len(acked)} acknowledged, {used}, {relay.storm.counts}")
        return used
    finally:
        cloud.stop()


@pytest.mark.timeout(200)
def test_bad_weather_and_power_cuts_lose_nothing_that_was_acknowledged(tmp_path, start):
    bad_weather(tmp_path, start, 12, 6, seed=7)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_minutes_of_bad_weather_and_200_power_cuts(tmp_path, start):
    used = bad_weather(tmp_path, start, 600, 200, seed=8)
    assert used["handshakes"] < 40


def test_a_restart_of_the_cloud(tmp_path, start):
    cloud = LocalCloud(tmp_path / "own")
    try:
        api = cloud.api()
        relay = start.network(cloud.ready["udp_port"])
        board = start(COUNTING, relay=relay, where=cloud)
        assert wait_for(lambda: "acked 3" in board.output(), LIMIT)
        cloud.kill()
        cloud = LocalCloud(tmp_path / "own")
        relay.target = cloud.ready["udp_port"]
        count = board.output().count("acked")
        assert wait_for(lambda: board.output().count("acked") > count + 3, 90), board.output()
        assert relay.up[-1][0] in (25, 253)
        first_byte = [d[0] for d in relay.up]
        assert first_byte.count(22) <= 3  # two hellos and the flight of one handshake, no more
        assert cloud.api().device(board.device_id)["online"]
        del api
    finally:
        cloud.stop()


def test_a_cloud_that_lost_its_table(tmp_path, start):
    scale = ("--time-scale", "10")
    cloud = LocalCloud(tmp_path / "own", options=scale)
    try:
        relay = start.network(cloud.ready["udp_port"])
        board = start(REMOTE.format(setup=SETUP), relay=relay, where=cloud, options=scale)
        board.said("connected")
        board.did(cloud.api(), "1 + 1")
        cloud.kill()
        with sqlite3.connect(tmp_path / "own" / "cloud" / "cloud.db") as database:
            assert database.execute("DELETE FROM udp_sessions").rowcount == 1
        cloud = LocalCloud(tmp_path / "own", options=scale)
        relay.target = cloud.ready["udp_port"]
        api = cloud.api()
        begin = time.monotonic()
        assert wait_for(lambda: api.device(board.device_id)["online"], LIMIT)
        print(f"a new session {10 * (time.monotonic() - begin):.0f} s after the loss")
        assert "'unanswered': 1" in board.did(api, "particle.usage()['full_handshakes']")
    finally:
        cloud.stop()


def test_records_of_earlier_boots_are_nothing(api, cloud, start):
    relay = start.network(cloud.ready["udp_port"])
    board = start(REMOTE.format(setup=SETUP), relay=relay)
    board.said("connected")
    for text in ("particle.get_name()", "1 + 1", "heard"):
        board.did(api, text)
    assert len(relay.down) > 3 + 3  # beyond the handshake: records that a board would act upon
    device = board.device_id
    for turn in range(1, 4):
        board.kill()
        old = list(relay.down)
        board = start(REMOTE.format(setup=SETUP), relay=relay)
        board.said("connected", count=2 * turn + 2)  # the library's word and the program's
        relay.replay(old)
        assert wait_for(lambda n=turn: api.usage(device)["resumes"] >= n, LIMIT)
        assert "= 4" in board.did(api, "2 + 2")
        relay.replay(old)
        assert "= 6" in board.did(api, "3 + 3")
        # no function ran that was not called
        assert board.output().count("did ") == 3 + 2 * turn, board.output()
    numbers = [d[3:11] for d in relay.up if d[0] in (25, 253)]
    assert len(set(numbers)) == len(numbers)
    assert api.usage(device)["handshakes"] == 1
