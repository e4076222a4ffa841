"""What board and cloud tell each other about themselves: last reset, key change (4.12, 4.14)."""

import time

import pytest

from cloud.running import USER, Running
from e2e.desk import Desk
from particle_tools.cloud import coap
from particle_tools.cloud.settings import Settings
from particle_tools.errors import UserError
from particle_tools.local import Api, wait_for

# Tells what it is told to do with its power, and how it is connected.
PROGRAM = """
import machine
import particle

particle.function("reset", lambda text: later.append(text) or 1)
particle.function("handshakes", lambda text: particle.usage()["handshakes"])
particle.function("drops", lambda text: particle.usage()["drops"])
particle.function("again", lambda text: later.append("again") or 1)
later = []
particle.connect(20)
particle.publish("up", "", ack=True)
while True:
    particle.wait_until(lambda: later)
    what = later.pop()
    if what == "reset":
        machine.reset()
    if what == "watchdog":
        machine.WDT(timeout=500)
        while True:
            pass
    particle.disconnect()
    particle.connect(20)
    particle.publish("up", "", ack=True)
"""


def told(events):
    """Return the reasons that the board gave before it was up."""
    found = []
    while True:
        name, event = events.next(30)
        if name == "spark/device/last_reset":
            found.append(event["data"])
        if name == "up":
            return found


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_last_reset_is_told_once_per_boot(desk, api, events, transport):
    board = desk.board(PROGRAM, transport=transport)
    assert told(events) == ["power_down"]
    api.call(board.device_id, "again", "")
    assert told(events) == []
    # over UDP a reset goes on with its session, and costs no message for what is ordinary
    api.call(board.device_id, "reset", "reset")
    assert told(events) == (["pin_reset"] if transport == "tcp" else [])
    api.call(board.device_id, "reset", "watchdog")
    assert told(events) == ["watchdog"]


class Inside(Running):
    """A cloud of this process, so that it can be made to send what REST cannot ask for."""

    user = ":".join(USER)

    def key_change(self, device_id, kind, query=b"\x01"):
        """Send PUT /k?QUERY; return the session it went over and its message ID."""
        session = self.services.sessions.get(device_id)

        def send():
            mid = session.next_mid()
            session._send(coap.encode(kind, coap.PUT, mid, path=("k",), query=(query,)), "other")
            return session, mid

        return self.call(send)


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    cloud = Inside(Settings(data=tmp_path_factory.mktemp("inside") / "data", user=USER))
    yield cloud
    cloud.stop()


@pytest.fixture
def switched_on(inside, tmp_path):
    """Give a function that switches a board on; what it heard is in the cloud of this process."""
    desk = Desk(tmp_path, inside)

    def board(transport):
        found = desk.board(PROGRAM, transport=transport)
        assert wait_for(lambda: inside.services.sessions.get(found.device_id), 30)
        assert wait_for(lambda: handshakes(inside, found) == 1, 30)
        return found

    yield board
    desk.close()


def handshakes(inside, board, name="handshakes"):
    """Return what the board says of itself, None while it cannot be asked."""
    api = Api(inside.url)
    api.login(inside.user)
    try:
        return api.call(board.device_id, name, "")
    except UserError:
        return None


def acknowledged(inside, device_id, seen):
    """Collect the ACKs of a device's session in `seen`."""
    session = inside.services.sessions.get(device_id)
    real = session.receive

    async def receive(message):
        if message.type == coap.ACK and message.code == coap.EMPTY:
            seen.append(message.mid)
        return await real(message)

    session.receive = receive


@pytest.mark.parametrize("kind", [coap.CON, coap.NON])
def test_key_change_over_tcp_is_acknowledged_and_nothing_else(inside, switched_on, kind):
    board = switched_on("tcp")
    seen = []
    acknowledged(inside, board.device_id, seen)
    session, mid = inside.key_change(board.device_id, kind)
    assert kind != coap.CON or wait_for(lambda: mid in seen, 30)
    time.sleep(1)  # and no other
    assert seen.count(mid) == (kind == coap.CON)
    assert inside.services.sessions.get(board.device_id) is session
    assert handshakes(inside, board) == 1


def test_key_change_over_udp_makes_a_new_session(inside, switched_on):
    board = switched_on("udp")
    inside.key_change(board.device_id, coap.CON, b"\x00")  # says nothing
    time.sleep(1)
    assert handshakes(inside, board) == 1
    inside.key_change(board.device_id, coap.CON)
    assert wait_for(lambda: handshakes(inside, board) == 2, 30)
    assert handshakes(inside, board, "drops") == 0
