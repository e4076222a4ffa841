"""Boards over UDP: sessions that go on, a network that does not help (DESIGN decisions 2, 3)."""

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

    def run(program, name="board", relay=None, where=cloud):
        script = tmp_path / (name + ".py")
        script.write_text(program)
        server = f"127.0.0.1:{relay.port}" if relay else None
        board = Board(tmp_path / name, where, script=script, server=server, transport="udp")
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


def test_ten_power_cuts_without_a_handshake(api, start):
    board = start(REMOTE.format(setup=SETUP))
    board.said("connected")
    device = board.device_id
    wait_for(lambda: api.device(device)["functions"], LIMIT)
    for turn in range(1, 11):
        time.sleep(0.05 * turn)
        board.kill()
        board = start(REMOTE.format(setup=SETUP))
        assert wait_for(lambda n=turn: api.usage(device)["resumes"] >= n, LIMIT)
        assert api.read(device, "temp") == 21.5
    assert api.usage(device)["handshakes"] == 1


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


def test_bad_weather_loses_nothing_that_was_acknowledged(api, cloud, events, start):
    weather = Weather(loss=0.2, double=0.1, corrupt=0.05, truncate=0.03, delay=0.05)
    relay = start.network(cloud.ready["udp_port"], seed=7, weather=weather)
    board = start(COUNTING, relay=relay)
    seen = set(wait_number(events, 12, 110))
    acked = {int(x.split()[1]) for x in board.output().splitlines() if x.startswith("acked")}
    assert {n for n in acked if n <= 12} <= seen
    assert len(seen) >= 12
    assert api.usage(board.device_id)["handshakes"] >= 1


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


def test_records_of_earlier_boots_are_nothing(api, cloud, start):
    relay = start.network(cloud.ready["udp_port"])
    board = start(REMOTE.format(setup=SETUP), relay=relay)
    board.said("connected")
    for text in ("particle.get_name()", "1 + 1", "heard"):
        board.did(api, text)
    calls = len(relay.down)
    assert calls > 8
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
