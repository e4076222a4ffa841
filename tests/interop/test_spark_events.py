"""Events between our board, spark-server and its other users."""

import time

import pytest

from interop.boards import eventually


@pytest.fixture(scope="module")
def _stream(_sparks):
    # this server sends the head of a stream with the first event or after 9 s
    events = _sparks.api().events()
    yield events
    events.close()


@pytest.fixture
def stream(board, request):
    """Give the stream of all events of the user's devices."""
    return request.getfixturevalue("_stream")


_PACE_S = 0.3  # a board publishes at most four events in a second (cloud-protocol 8)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("temp", "21.5"),
        ("up/one/two/three", "x"),
        ("up/ü", "grüße"),
        ("up/none", ""),
        ("up/json", '{"a": [1, 2]}'),
        ("up/" + "n" * 61, "name of 64 bytes"),
        ("up/long", "x" * 1000),
    ],
)
def test_from_the_board(spark, board, stream, name, data):
    time.sleep(_PACE_S)
    assert spark.api().call(board.device_id, "say", f"{name}={data}") == len(data.encode())
    event = stream.wait(name)
    assert (event["data"], event["coreid"]) == (data or None, board.device_id)


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize(("name", "data"), [("down/a", "hello"), ("down/b/c/ü", "grüße")])
def test_to_the_board(spark, board, name, data, private):
    spark.api().post("/v1/devices/events", name=name, data=data + str(private), private=private)
    assert board.says(f"heard {name} {data}{private}")


def test_without_data(spark, board):
    spark.api().publish("down/nothing", "")
    assert board.says("heard down/nothing None")


def test_what_was_not_asked_for(spark, board):
    spark.api().publish("downstairs", "x")
    spark.api().publish("down/last", "x")
    board.says("heard down/last")
    assert not [line for line in board.lines if "downstairs" in line]


def test_from_board_to_board(spark, board, new_board):
    other = new_board()
    spark.wait_online(other.device_id)
    spark.api().call(other.device_id, "say", "down/neighbour=hello")
    assert board.says("heard down/neighbour hello")
    # it subscribed, too
    assert other.says("heard down/neighbour hello")


def test_name_and_random_number(spark, board):
    api = spark.api()
    api.put(f"/v1/devices/{board.device_id}", name="porch")
    api.call(board.device_id, "say", "particle/device/name=")
    assert board.says("heard particle/device/name porch")
    api.call(board.device_id, "say", "particle/device/random=")
    lines = eventually(lambda: _heard(board, "particle/device/random"))
    assert len(lines[0]) == 40
    # two of our subscriptions match, and this server sends the event once for each
    api.call(board.device_id, "say", "particle/device/ip=")
    assert board.says("heard particle/device/name 127.0.0.1")


def test_verbs_that_ask(spark, new_board):
    # this server also sends our empty question back, and answers that of the address as "name"
    board = new_board("""
    import particle
    particle.connect()
    print("name", particle.get_name())
    print("random", len(particle.get_random()))
    try:
        print("ip", particle.get_ip(3))
    except particle.Error as error:
        print("ip", error.errno)
    print("name", particle.get_name())
    print("time", particle.sync_time() > 1_700_000_000)
    print("stages", [stage for stage, ok, _ in particle.diagnose() if not ok])
    """)
    board.says("stages")
    name = spark.api().device(board.device_id)["name"]
    said = [line for line in board.lines if not line.startswith(("cloud: ", "connected "))]
    assert said[:4] == [f"name {name}", "random 40", "ip -160", f"name {name}"]
    assert said[4:] == ["time True", "stages []"]


def _heard(board, name):
    start = f"heard {name} "
    found = [line[len(start) :] for line in list(board.lines) if line.startswith(start)]
    return [data for data in found if data != "None"]


def test_acknowledged_are_those_of_the_system_only(spark, board, stream):
    # any other event with ack=True times out there, and is delivered all the same
    api = spark.api()
    api.call(board.device_id, "say", "spark/mine+=1")
    api.call(board.device_id, "say", "up/mine+=1")
    assert stream.wait("up/mine")["data"] == "1"
    assert board.says("acknowledged spark/mine") == "acknowledged spark/mine"
    assert board.says("acknowledged up/mine") == "not acknowledged up/mine"
    assert api.call(board.device_id, "number", "7") == 7


def test_claim_code(spark, board):
    # the code belongs to the same user; what counts is that the session survives it
    code = spark.api().post("/v1/device_claims")["claim_code"]
    text = f"spark/device/claim/code={code}"
    assert spark.api().call(board.device_id, "say", text) == len(code)
    assert spark.api().call(board.device_id, "number", "7") == 7


def test_status_of_the_board(spark, board, stream, new_board):
    other = new_board()
    assert _status(stream, other) == "online"
    other.cut()
    assert _status(stream, other) == "offline"


def _status(stream, board):
    # boards of earlier tests may be going offline
    while True:
        event = stream.wait("spark/status", 40)
        if event["coreid"] == board.device_id:
            return event["data"]
