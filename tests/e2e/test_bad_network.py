"""Days of bad network and hundreds of power cuts on a fake clock (DESIGN decisions 2, 3 and 7).

Cloud and device are the real ones in one process (fake_world.py); test_udp.py shows the same on
real sockets and processes.
"""

import time

import pytest

from fake_board import Publisher
from fake_world import World
from particle_tools.cloud.udp.outbox import Outbox
from relay import Weather

DAY = 86400
MANY = pytest.param(200, marks=pytest.mark.soak)
FAIR = Weather(delay=0.05)
STORM = Weather(
    loss=0.2,
    double=0.1,
    corrupt=0.03,
    truncate=0.02,
    delay=0.5,
    replay=0.1,
    rebind=0.01,
    dark=0.002,
    blackout=600,
)


@pytest.fixture
def world(tmp_path):
    """Give a world in fair weather."""
    with World(tmp_path, seed=4, weather=FAIR) as found:
        yield found


def connected(board):
    return lambda: board.client is not None and board.client.connected()


def started(world, period=60, persist=None, **values):
    """Return a connected board that publishes every `period` seconds, and its program."""
    program = Publisher(period, **({"persist": True} if persist else {}))
    board = world.board(program, **values)
    assert world.run(60, connected(board))
    return board, program


def nothing_lost(world, *pairs):
    """Let things settle in fair weather; check what must hold whatever has happened."""
    world.storm.weather, world.storm.until = FAIR, 0.0
    for board, program in pairs:
        program.left = 0
        board.countdown = None
    world.run(400)
    for board, program in pairs:
        arrived = [int(data) for data in world.events_of(board, "n")]
        assert program.acked <= set(arrived)
        assert len(program.calls) == len(set(program.calls))
        assert not board.numbers.repeated
        assert world.run(300, connected(board))
    assert not world.numbers.repeated


def usage(board):
    return board.client.usage()


def storm_for(world, seconds, board):
    """Let a board publish in bad weather, and the cloud call it now and then."""
    end = world.time + seconds
    called = 0
    while world.time < end:
        world.run(world.random.uniform(100, 1000))
        world.call(board, "led", f"call {called}")
        called += 1
    return called


def in_the_storm(world, loss, seconds, period=60):
    board, program = started(world, period)
    world.storm.weather = Weather(**{**vars(STORM), "loss": loss})
    called = storm_for(world, seconds, board)
    nothing_lost(world, (board, program))
    arrived = {int(data) for data in world.events_of(board, "n")}
    # eight transmissions may all be lost; then the application was told so
    missing = program.taken - arrived
    assert missing <= {number for number, _ in program.failed}
    assert len(missing) <= program.number * loss**3
    assert program.number > seconds / period / 3
    assert set(program.calls) <= {f"call {n}" for n in range(called)}
    counts = world.storm.counts
    print(
        f"{seconds / DAY:g} days, loss {loss}: {program.number} published, {len(arrived)} arrived,"
        f" {len(program.acked)} acknowledged in time; {len(program.calls)} of {called} calls;"
        f" {usage(board)}, {counts}"
    )
    rare = ("dark",) if seconds < DAY // 2 else ()  # a blackout is not sure to come
    assert min(count for name, count in counts.items() if name not in rare) > 0
    return board, program


def test_half_a_day_of_bad_weather(world):
    in_the_storm(world, 0.2, DAY // 2)


def test_hours_in_which_two_of_five_datagrams_are_lost(world):
    in_the_storm(world, 0.4, DAY // 8)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("loss", (0.05, 0.2, 0.4))
def test_ten_days_of_bad_weather(world, loss):
    in_the_storm(world, loss, 10 * DAY)


@pytest.mark.parametrize(
    ("days", "values"),
    [
        (0.25, {}),
        (3, {"keep_alive": 1380}),
        pytest.param(5, {}, marks=pytest.mark.soak),
        pytest.param(30, {"keep_alive": 1380}, marks=pytest.mark.soak),
    ],
)
def test_quiet_days_need_one_handshake(world, days, values):
    board, program = started(world, 3600, **values)
    world.run(days * DAY)
    nothing_lost(world, (board, program))
    used = usage(board)
    assert (used["handshakes"], used["resumes"], used["drops"]) == (1, 0, 0)
    assert len(program.acked) == program.number >= days * 23


@pytest.mark.timeout(600)
@pytest.mark.parametrize("cuts", [30, MANY])
def test_power_cuts_of_the_board(world, cuts):
    board, program = started(world, 3)
    world.storm.weather = Weather(loss=0.05, double=0.05, delay=0.2, replay=0.3)
    handshakes = 0
    for cut in range(cuts):
        boots = board.boots
        board.countdown = world.random.randrange(60)
        assert world.run(900, lambda boots=boots: board.boots > boots), cut
        handshakes += usage(board)["handshakes"]
    nothing_lost(world, (board, program))
    assert board.boots == cuts + 1
    assert len(board.numbers.seen) > 5 * cuts
    print(
        f"{cuts} cuts: {len(board.numbers.seen)} records of the board,"
        f" {len(world.numbers.seen)} of the cloud, none twice;"
        f" {program.number} published, {handshakes} handshakes"
    )
    assert handshakes < max(4, cuts / 10)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [40, MANY])
def test_kills_of_the_cloud(world, kills):
    board, program = started(world, 3)
    world.storm.weather = Weather(loss=0.05, double=0.05, delay=0.2, rebind=0.02)
    for kill in range(kills):
        world.run(world.random.expovariate(1 / 20))
        if kill % 4 == 0:
            world.call(board, "led", f"call {kill}")
            world.run(world.random.random() / 10)
        world.kill_cloud()
    nothing_lost(world, (board, program))
    print(
        f"{kills} kills: {len(world.numbers.seen)} records of the cloud,"
        f" {len(board.numbers.seen)} of the board, none twice;"
        f" {program.number} published, {usage(board)}"
    )
    assert usage(board)["handshakes"] < 5


def arrived_once(world, board, program):
    numbers = [int(data) for data in world.events_of(board, "n")]
    assert len(numbers) == len(set(numbers))
    assert program.taken <= set(numbers) <= set(range(1, program.number + 1))
    assert program.acked <= set(numbers)
    return len(numbers)


@pytest.mark.parametrize("turns", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_persisted_events_arrive_once_whatever_happens_to_the_board(world, turns):
    board, program = started(world, 20, persist=True)
    for turn in range(turns):
        fair = turn % 4 == 0
        world.storm.weather = FAIR if fair else Weather(**{**vars(STORM), "blackout": 60})
        boots = board.boots
        board.countdown = world.random.randrange(100)
        world.run(world.random.uniform(0, 600), lambda boots=boots: board.boots > boots)
    nothing_lost(world, (board, program))
    world.run(1200)
    count = arrived_once(world, board, program)
    print(f"{count} of {program.number} events, each once, over {board.boots} boots")
    assert board.boots > turns / 3 and count > 3 * turns


def test_persisted_events_are_stored_once_whatever_happens_to_the_cloud(world):
    # a reader that was cut off with the cloud may miss one, but none comes twice
    board, program = started(world, 5, persist=True)
    for turn in range(100):
        world.run(world.random.expovariate(1 / 10))
        world.kill_cloud(forget=turn % 10 == 9)
    nothing_lost(world, (board, program))
    world.run(600)
    heard = [int(data) for data in world.events_of(board, "n")]
    assert len(heard) == len(set(heard))
    rows = world.services.db.all("SELECT data FROM persisted_events")
    stored = [int(row["data"]) for row in rows]
    assert len(stored) == len(set(stored)) == min(512, len(program.taken))
    assert set(stored) >= set(sorted(program.taken)[-len(stored) :])
    print(f"{len(stored)} stored and {len(heard)} heard of {program.number}")


@pytest.mark.parametrize("persist", (False, True))
def test_records_of_earlier_boots_mean_nothing(world, persist):
    board, program = started(world, 5, persist)
    for turn in range(20):
        world.call(board, "led", f"call {turn}")
        world.run(30)
        assert f"call {turn}" in program.calls
        old, sent = list(board.down), len(board.up)
        board.countdown = 0
        boots = board.boots
        assert world.run(60, lambda boots=boots: board.boots > boots)
        before = usage(board)
        for _ in range(3):  # before the first answer, around it, and later
            for datagram in old:
                board.sock.inbox.append(datagram)
            board.wake.set()
            world.run(0.5)
        assert usage(board)["handshakes"] == before["handshakes"] == 0
        assert len(board.up) - sent < 8  # nothing was answered
    nothing_lost(world, (board, program))
    assert len(program.calls) == 20
    assert usage(board)["handshakes"] == 0


def test_a_new_address_in_the_middle_costs_nothing(world):
    board, program = started(world, 10)
    for turn in range(100):
        world.run(25)
        world.rebind(board.sock)
        world.call(board, "led", f"lost {turn}") if turn % 5 == 0 else None
    nothing_lost(world, (board, program))
    used = usage(board)
    assert (used["handshakes"], used["resumes"]) == (1, 0)
    assert len(program.acked) == program.number


@pytest.mark.parametrize("values", ({}, {"keep_alive": 1380}))
def test_a_message_that_is_never_acknowledged_costs_no_session(world, monkeypatch, values):
    board, program = started(world, 600, **values)
    mute = set()

    def deaf(original):
        def write(self, data):
            if data[0] != 0x60 or (data[2] << 8 | data[3]) not in mute:
                original(self, data)

        return write

    monkeypatch.setattr(Outbox, "write", deaf(Outbox.write))
    ops = []
    for _ in range(6):
        ops.append(world.inside(board.client.publish, "unwanted"))
        mute.add(board.client._conn._mid)
        world.run(400)
    nothing_lost(world, (board, program))
    used = usage(board)
    assert (used["handshakes"], used["resumes"], used["drops"]) == (1, 0, 0)
    assert [op.error.errno for op in ops] == [-160] * 6
    assert len(world.events_of(board, "unwanted")) == 6
    assert not board.client._conn._open and len(program.acked) == program.number


def test_a_cloud_that_lost_its_table(world):
    board, program = started(world, 20)
    times = []
    for _ in range(5):
        world.run(200)
        before = usage(board)["handshakes"]
        world.kill_cloud(forget=True)
        start = world.time
        assert world.run(300, lambda n=before: usage(board)["handshakes"] > n)
        times.append(round(world.time - start))
    nothing_lost(world, (board, program))
    print(f"after a lost table a new session is there within {times} s")
    assert max(times) < 120
    assert usage(board)["handshakes"] == 6
    assert program.acked | {n for n, _ in program.failed} == set(range(1, program.number + 1))
    arrived = {int(data) for data in world.events_of(board, "n")}
    assert arrived == set(range(1, program.number + 1))


def test_a_restart_of_the_cloud_costs_no_handshake(world):
    board, program = started(world, 20)
    for _ in range(20):
        world.run(100)
        world.kill_cloud()
    nothing_lost(world, (board, program))
    assert usage(board)["handshakes"] == 1
    assert len(program.acked) == program.number


def test_two_boards_with_one_identity(world):
    # a cloned flash: they take the session from each other, but neither floods nor dies
    one, first = started(world, 60)
    second = Publisher(60)
    two = world.board(second, like=one)
    world.run(3600)
    sent = [sum(map(len, board.up)) for board in (one, two)]
    handshakes = [usage(board)["handshakes"] for board in (one, two)]
    print(f"an hour of two boards with one identity: {sent} bytes up, {handshakes} handshakes")
    assert max(handshakes) < 60 and max(sent) < 125_000
    for board, program in ((one, first), (two, second)):
        arrived = {int(data) for data in world.events_of(board, "n")}
        assert program.acked <= arrived
        assert not board.numbers.repeated
    # the clone is switched off: the other one is well
    two.task.cancel()
    before = len(first.acked)
    world.run(1200)
    assert one.client.connected() and len(first.acked) > before + 15


def test_clocks_that_jump(world, monkeypatch):
    board, program = started(world, 30)
    clock = world.services.clock
    ticks = time.ticks_ms
    skew = [0]
    monkeypatch.setattr(time, "ticks_ms", lambda: (ticks() + skew[0]) % (1 << 30))
    for jump in (3600, -7200, 400 * DAY, -3000 * DAY, DAY):
        clock.jump += jump  # the cloud's date
        world.run(300)
    for jump in (100, 60_000, 3600_000, DAY * 1000, 5 * DAY * 1000):
        skew[0] += jump  # the board slept and did not know it
        board.wake.set()
        world.run(300)
    nothing_lost(world, (board, program))
    assert usage(board)["handshakes"] == 1
    assert program.number > 60


@pytest.mark.parametrize("kind", ("connect", "read", "write"))
def test_a_socket_that_fails_at_every_call(world, kind):
    """The n-th call raises, for every n, alone and with all that follow for a minute."""
    board, program = started(world, 15)
    calls = [0]
    bad = [None, 0.0]  # the number of the call, the time until which all fail

    def fails(name):
        if name != kind:
            return False
        calls[0] += 1
        if calls[0] == bad[0]:
            bad[1] = world.time + (60 if calls[0] % 3 == 0 else 0)
            return True
        return world.time < bad[1]

    board.faults = fails
    for n in range(1, 25):
        calls[0], bad[0] = 0, n
        if kind == "connect":
            world.inside(board.client.disconnect)  # the next connection opens a socket
            world.run(2)
            bad[0] = 1 + n % 2
            world.inside(board.client.connect)
        world.run(120)
        assert world.run(300, connected(board)), n
    board.faults = None
    nothing_lost(world, (board, program))
    assert usage(board)["handshakes"] == 1
