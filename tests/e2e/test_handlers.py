"""Handlers that do what nobody expects, on both transports: the board is served all the same."""

import pytest

from e2e.desk import Desk
from particle_tools.errors import UserError
from particle_tools.local import wait_for

PROGRAM = """
import particle

heard = []
leave = []

@particle.function("busy")
def busy(text):
    # everything that a function may do with the library, and what it must not
    heard.append(text)
    particle.publish("from/handler", text, ack=True)
    particle.function("made", lambda text: 42)
    particle.variable("heard", len(heard))
    particle.subscribe("more", lambda name, data: heard.append(data))
    done = [particle.process(), particle.connected(), "handshakes" in particle.usage()]
    try:
        particle.wait_until(lambda: True, 1)
    except particle.Error as e:
        done.append(e.errno)
    for bad in ("n" * 65, "", None):
        for verb in (particle.function, particle.variable, particle.subscribe):
            try:
                verb(bad, print)
            except ValueError:
                done.append(1)
    print("done", done)
    return len(done)

particle.function("alive", len)
particle.function("leave", lambda text: leave.append(text) or len(leave))
particle.subscribe("off", lambda name, data: particle.disconnect())
particle.subscribe("bye", lambda name, data: particle.disconnect(graceful=True))
particle.subscribe("again", lambda name, data: particle.config(product_version=int(data)))
while True:
    particle.connect(30)
    print("online")
    particle.wait_until(lambda: leave or particle.disconnected())
    if leave:
        print("bye", leave.pop())
        particle.disconnect(graceful=True, timeout=0)
        continue
    print("offline")
    particle.wait_until(lambda: False, 1)
"""


@pytest.fixture(scope="module", params=["tcp", "udp"])
def transport(request):
    return request.param


@pytest.fixture(scope="module")
def board(cloud, api, tmp_path_factory, transport):
    desk = Desk(tmp_path_factory.mktemp(transport), cloud)
    board = desk.board(PROGRAM, transport=transport)
    board.said("online")
    assert wait_for(lambda: api.device(board.device_id)["functions"], 30)
    yield board
    desk.close()


def subscriptions(api, board):
    """Return what the cloud knows that the board wants to hear."""
    sessions = {each["id"]: each for each in api.get("/local/v1/sessions")}
    return sessions.get(board.device_id, {}).get("subscriptions", ())


def served(api, board):
    """Tell whether the board can be called."""
    try:
        return api.call(board.device_id, "alive", "four") == 4
    except UserError:
        return False


def waits(board):
    """Tell whether the program waits for the end of its connection."""
    text = board.output()
    return text.rfind("online\n") > max(text.rfind("offline\n"), text.rfind("bye "))


def test_a_function_that_calls_the_library(api, events, board):
    assert api.call(board.device_id, "busy", "\u00fc") == 13
    assert events.wait("from/handler")["data"] == "\u00fc"
    board.said("done [0, True, True, -210, 1, 1, 1, 1, 1, 1, 1, 1, 1]")
    # what it registered is announced and works
    assert wait_for(lambda: "made" in api.device(board.device_id)["functions"], 30)
    assert api.call(board.device_id, "made", "") == 42
    assert api.read(board.device_id, "heard") == 1


@pytest.mark.parametrize(("name", "data"), [("off", ""), ("bye", ""), ("again", "7")])
def test_an_event_handler_that_ends_the_connection(api, board, name, data):
    assert wait_for(lambda: waits(board), 30)
    before = board.output().count("offline")
    assert wait_for(lambda: name in subscriptions(api, board), 30)
    api.publish(name, data)
    board.said("offline", count=before + 1)
    assert wait_for(lambda: served(api, board), 30), board.output()
    assert board.alive() and "Traceback" not in board.output()


def test_connecting_while_the_goodbye_is_on_its_way(api, board, transport):
    assert wait_for(lambda: waits(board), 30)
    before, count = api.usage(board.device_id), board.output().count("online\n")
    assert api.call(board.device_id, "leave", "now") == 1
    board.said("bye now")
    board.said("online", count=count + 1)
    assert wait_for(lambda: served(api, board), 30), board.output()
    after = api.usage(board.device_id)
    changed = [after[name] - before[name] for name in ("handshakes", "resumes")]
    assert changed == ([0, 1] if transport == "udp" else [1, 0]), (before, after)
