"""What a board and a cloud do for each other all day: events, functions, variables, descriptions.

Every test uses one board that is online, and asks the cloud what happened.
"""

import base64
import json
import time

import pytest

from e2e.desk import Desk
from particle_tools.errors import UserError
from particle_tools.local import wait_for

LONG = "n" * 64  # the longest name

SETUP = """
import math

particle.keep_alive(300)  # no pings between what is counted

@particle.function("broken")
def broken(text):
    raise KeyError("on purpose")

class Lamp:
    level = 0
    def set(self, text):
        self.level = int(text)
        return self.level
    def read(self):
        return self.level

lamp = Lamp()
particle.function("lamp", lamp.set)
particle.function("size", lambda text: len(text.encode()))
particle.function("{long}", lambda text: len(text))
particle.function("grüße", lambda text: sum(ord(c) for c in text))
particle.function("none", lambda text: None)
particle.function("yes", lambda text: True)
particle.function("huge", lambda text: 1 << 31)
particle.function("least", lambda text: -1 << 31)

flag = particle.variable("flag", True)
count = particle.variable("count", -2147483648)
temp = particle.variable("temp", 21.5)
words = particle.variable("text", "grüße")
particle.variable("level", lamp.read)
particle.variable("failing", lambda: 1 // lamp.level, type=int)
particle.variable("long", lambda: "ö" * 600, type=str)
particle.variable("nan", lambda: math.nan, type=float)
"""


@pytest.fixture(scope="module")
def board(cloud, tmp_path_factory):
    """Give the board that all tests here use."""
    desk = Desk(tmp_path_factory.mktemp("story"), cloud)
    try:
        board = desk.remote(SETUP.replace("{long}", LONG), options=("--time-scale", "5"))
        assert wait_for(lambda: cloud.api().device(board.device_id)["functions"], 30)
        yield board
    finally:
        desk.close()


@pytest.fixture
def spent(api, board):
    """Give a function: what the cloud counted for the board since the last call."""
    last = {}

    def change():
        now = {k: v for k, v in api.usage(board.device_id).items() if isinstance(v, int)}
        gone = {k: now[k] - last.get(k, 0) for k in now}
        last.update(now)
        return gone

    change()
    return change


def test_description(api, board):
    device = api.device(board.device_id)
    functions = "broken do grüße huge lamp least none size yes".split()
    # what another test announced later may be there
    assert {f for f in device["functions"] if "late_" not in f} == {*functions, LONG}
    assert {v: kind for v, kind in device["variables"].items() if "late_" not in v} == {
        "flag": "bool",
        "count": "int32",
        "temp": "double",
        "text": "string",
        "level": "int32",
        "failing": "int32",
        "long": "string",
        "nan": "double",
    }
    assert device["online"] is True
    assert device["platform_id"] == 3


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("None", None),
        ("''", None),
        ("'21.5'", "21.5"),
        ("'ö€😀 \\t\"'", 'ö€😀 \t"'),
        ("7", "7"),
        ("-0.5", "-0.5"),
        ("True", "true"),
        ("{'a': [1, None, 'ü']}", {"a": [1, None, "ü"]}),
        ("[]", []),
        ("b'\\x00\\xff\\n'", b"\x00\xff\n"),
        ("bytearray(3)", bytes(3)),
        ("memoryview(b'abc')[1:]", b"bc"),
        ("'x' * 1024", "x" * 1024),
        ("bytes(1024)", bytes(1024)),
    ],
)
@pytest.mark.parametrize("ack", [True, False])
def test_publish(api, board, events, spent, expression, data, ack):
    result = board.did(api, f"bool(event('a/b', {expression}, ack={ack}))")
    assert result == "= True"
    event = events.wait("a/b")
    assert event["coreid"] == board.device_id
    assert event["ttl"] == 60
    found = event["data"]
    if isinstance(data, bytes):
        kind, _, found = found.partition(",")
        assert kind == "data:application/octet-stream;base64"
        found = base64.b64decode(found)
    elif isinstance(data, (dict, list)):
        found = json.loads(found)
    assert found == data
    gone = spent()
    assert gone["events_up"] == 1
    # the call that asked for it: request, ACK and result; then the event and its ACK
    assert gone["messages_up"] == 3
    assert gone["messages_down"] == (2 if ack else 1)


def test_the_longest_event(api, board, events):
    name = "e" * 64
    assert board.did(api, "bool(event('e' * 64, 'ö' * 512, ack=True))") == "= True"
    assert events.wait(name)["data"] == "ö" * 512
    assert board.did(api, "bool(event('e' * 64, bytes(1024), ttl=9, ack=True))")
    assert events.wait(name)["ttl"] == 9


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("particle.publish('')", "ValueError"),
        ("particle.publish('n' * 65)", "ValueError"),
        ("particle.publish('ö' * 33)", "ValueError"),
        ("particle.publish(None)", "ValueError"),
        ("particle.publish('a', 'x' * 1025)", "Error data of 1025 bytes, at most 1024 (-190)"),
        ("particle.publish('a', 'ö' * 513)", "Error data of 1026 bytes, at most 1024 (-190)"),
    ],
)
def test_what_cannot_be_published_is_an_error_and_costs_nothing(
    api, board, spent, expression, error
):
    assert board.did(api, expression).startswith("! " + error)
    gone = spent()
    assert gone["events_up"] == 0
    assert gone["messages_up"] == 2  # of the call that asked for it


def test_many_events_keep_their_order(api, board, events):
    assert board.did(api, "[bool(event('n', i, ack=i % 2 == 0)) for i in range(12)]") == (
        "= " + str([True] * 12)
    )
    assert [events.wait("n")["data"] for _ in range(12)] == [str(i) for i in range(12)]


def test_more_than_four_events_in_a_second_are_refused(api, board, events, spent):
    board.did(api, "particle.wait_until(lambda: False, 1)")
    spent()
    burst = "[heard.append(particle.publish('burst', i)) for i in range(90)]"
    assert board.did(api, burst) == "! Error more than 4 events in a second (-200)"
    events_up = spent()["events_up"]
    assert 4 <= events_up < 20  # four, and those of the next second on a busy host
    assert [events.wait("burst")["data"] for _ in range(events_up)] == list(
        map(str, range(events_up))
    )
    assert board.did(api, "[p.status for p in heard]") == "= " + str(["SENT"] * events_up)
    # what was refused counts too; after a second all is well
    assert board.did(api, "bool(event('burst', 'again', ack=True))") == "= True"
    assert events.wait("burst")["data"] == "again"


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [
        ("lamp", "7", 7),
        ("lamp", "-7", -7),
        ("size", "", 0),
        ("size", "grüße €", 11),
        ("size", "a=b&c?d/e\nf", 11),
        ("size", "x" * 1024, 1024),
        ("size", "ö" * 512, 1024),
        (LONG, "y" * 900, 900),
        ("grüße", "ö", 0xF6),
        ("none", "", 0),
        ("yes", "", 1),
        ("least", "", -0x80000000),
        ("huge", "", -1),
        ("broken", "", -1),
        ("lamp", "no number", -1),
        ("LAMP", "3", 3),  # the cloud ignores case (cloud-protocol 4.6)
    ],
)
def test_function(api, board, spent, name, argument, result):
    assert api.call(board.device_id, name, argument) == result
    gone = spent()
    assert gone["calls"] == 1
    assert (gone["messages_down"], gone["messages_up"]) == (1, 2)


def test_longest_name_and_longest_argument(api, board):
    assert api.call(board.device_id, LONG, "z" * 1024) == 1024


def test_a_handler_that_raises_is_shown_on_the_console(api, board):
    before = board.output().count("KeyError: on purpose")
    assert api.call(board.device_id, "broken", "x") == -1
    board.said("KeyError: on purpose", count=before + 1)
    assert api.call(board.device_id, "size", "still here") == 10


@pytest.mark.parametrize(
    ("name", "argument", "status"), [("unknown", "", 404), ("size", "x" * 1025, 400)]
)
def test_calls_that_the_cloud_refuses(api, board, spent, name, argument, status):
    with pytest.raises(UserError, match=f"HTTP {status}"):
        api.call(board.device_id, name, argument)
    assert spent()["messages_down"] == 0


def test_variables_of_all_four_types(api, board, spent):
    def read(name):
        return api.read(board.device_id, name)

    assert read("flag") is True
    assert read("count") == -0x80000000
    assert read("temp") == 21.5
    assert read("text") == "grüße"
    assert spent()["reads"] == 4
    for expression in (
        "setattr(flag, 'value', False)",
        "setattr(count, 'value', 0x7fffffff)",
        "setattr(temp, 'value', -1e-300)",
        "setattr(words, 'value', '')",
    ):
        assert board.did(api, expression) == "= None"
    assert read("flag") is False
    assert read("count") == 0x7FFFFFFF
    assert read("temp") == -1e-300
    assert read("text") == ""
    assert board.did(api, "setattr(count, 'value', 1 << 31)").startswith("! ValueError")
    assert read("count") == 0x7FFFFFFF


def test_computed_variables(api, board):
    api.call(board.device_id, "lamp", "5")
    assert api.read(board.device_id, "level") == 5
    api.call(board.device_id, "lamp", "0")
    before = board.output().count("ZeroDivisionError")
    with pytest.raises(UserError, match="HTTP"):
        api.read(board.device_id, "failing")
    board.said("ZeroDivisionError", count=before + 1)
    api.call(board.device_id, "lamp", "1")
    assert api.read(board.device_id, "failing") == 1
    # 1200 bytes of text are an error on both sides, not half a value
    with pytest.raises(UserError, match="HTTP"):
        api.read(board.device_id, "long")
    board.said("variable long: 1200 bytes")
    assert api.read(board.device_id, "nan") is None  # JSON has no such number
    with pytest.raises(UserError, match="HTTP 404"):
        api.read(board.device_id, "unknown")


def test_late_registration_is_announced(api, board):
    name = f"late_{len(api.device(board.device_id)['functions'])}"
    assert name not in api.device(board.device_id)["functions"]
    board.did(api, f"particle.function('{name}', lambda text: 42)")
    board.did(api, f"particle.variable('{name}', 1.5)")
    device = wait_for(lambda: (d := api.device(board.device_id))["variables"].get(name) and d, 30)
    assert device and name in device["functions"]
    assert api.call(board.device_id, name, "") == 42
    assert api.read(board.device_id, name) == 1.5


def test_events_between_two_boards_and_from_rest(cloud, api, board, events, tmp_path):
    before = api.usage(board.device_id)["events_down"]
    desk = Desk(tmp_path, cloud)
    try:
        listener = desk.remote(
            """
            def show(kind):
                def handler(name, data):
                    print(kind, name, data)
                return handler

            particle.subscribe("chat/", show("text"))
            particle.subscribe("chat/bin", show("binary"), binary=True)
            particle.subscribe("chat/", show("second"))

            @particle.subscribe("bad")
            def bad(name, data):
                raise IndexError(data)
            """,
            "listener",
        )

        def subscriptions():
            found = {s["id"]: s for s in api.get("/local/v1/sessions")}
            return set(found[listener.device_id]["subscriptions"])

        wanted = {"particle", "spark", "chat/", "chat/bin", "bad"}
        assert wait_for(lambda: subscriptions() == wanted, 30), subscriptions()
        board.did(api, "event('chat/one', 'grüße')")
        listener.said("text chat/one grüße")
        listener.said("second chat/one grüße")
        board.did(api, "event('chat', 'no match')")
        board.did(api, "event('Chat/two', 'no match')")
        board.did(api, "event('chat/', None)")
        listener.said("text chat/ None")
        board.did(api, "event('chat/bin/x', b'\\x00\\xff')")
        listener.said("binary chat/bin/x b'\\x00\\xff'")
        board.did(api, "event('bad/one', 'index')")
        listener.said("IndexError: index")
        api.publish("chat/rest", "from outside")
        listener.said("text chat/rest from outside")
        api.publish("chat/long", "y" * 1000)
        listener.said("text chat/long " + "y" * 1000)
        # its own events come back too
        listener.did(api, "event('chat/own', 'me')")
        listener.said("text chat/own me")
        said = listener.output()
        assert "no match" not in said
        assert "text chat/bin" not in said
        assert said.count("chat/one") == 2
        assert api.usage(board.device_id)["events_down"] == before
    finally:
        desk.close()


def test_what_a_device_can_ask_the_cloud(api, board):
    api.put(f"/v1/devices/{board.device_id}", name="story-board")
    assert board.did(api, "particle.get_name()") == "= 'story-board'"
    assert board.did(api, "particle.get_ip()") == "= '127.0.0.1'"
    first = board.did(api, "particle.get_random()")
    assert len(first) == len("= ''") + 40 and first != board.did(api, "particle.get_random()")
    told = int(board.did(api, "particle.sync_time()").removeprefix("= "))
    assert abs(told - time.time()) < 60
    assert board.did(api, "particle.time.valid()") == "= True"


def test_one_connection_carried_it_all(api, board):
    assert api.usage(board.device_id)["handshakes"] == 1
    session = next(s for s in api.get("/local/v1/sessions") if s["id"] == board.device_id)
    assert session["online"] and session["last_end"] is None
    assert session["dropped_events"] == 0 and session["own_id_acks"] == 0
    assert api.get("/local/v1/refusals") == []
