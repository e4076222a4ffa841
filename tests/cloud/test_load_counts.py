"""What a burst of messages costs, counted: commits, statements, datagrams, texts that are made."""

import json
import threading
from contextlib import contextmanager
from unittest import mock

import pytest

from cloud.device import ACK, CON, pack, unpack
from cloud.running import provision_ec
from particle_tools.cloud import coap
from particle_tools.cloud.events import Event
from particle_tools.cloud.routes.events import Stream
from particle_tools.cloud.udp.store import State

MESSAGES = 240  # fewer than may wait of one device
TURN = 64  # datagrams that are read at once


@pytest.fixture
def device(held, rest, ec_key):
    with held.udp_device(ec_key, provision_ec(rest, ec_key)).connect() as found:
        yield found


@contextmanager
def stopped(cloud):
    """Have the cloud do nothing, so that what is sent meanwhile waits in its socket."""
    asleep, awake = threading.Event(), threading.Event()

    def sleep():
        asleep.set()
        awake.wait(30)

    cloud.loop.call_soon_threadsafe(sleep)
    assert asleep.wait(30)
    try:
        yield
    finally:
        awake.set()


def counted(owner, name):
    """Count the calls of a method, which does what it does."""
    return mock.patch.object(owner, name, wraps=getattr(owner, name))


def burst(device, names):
    """Send events and return the IDs that wait for an acknowledgement."""
    waiting = set()
    for name in names:
        mid = device.next_mid()
        options = [(11, b"E"), (11, name)]
        device.send(pack(CON, 2, mid, options=options, payload=b"%d" % mid))
        waiting.add(mid)
    return waiting


def acknowledged(device, waiting):
    """Take every acknowledgement; return in how many datagrams they came."""
    datagrams = 0
    while waiting:
        data = device.recv_raw()
        assert data is not None, f"{len(waiting)} messages are not acknowledged"
        datagrams += 1
        for content in device.client.datagram(data)[1]:
            message = unpack(content)
            assert (message.type, message.code) == (ACK, 0)
            waiting.remove(message.mid)
    return datagrams


def test_messages_share_commits_and_acknowledgements_datagrams(held, device):
    gateway = held.services.doors.udp
    heard = []
    listener = heard.append
    owner = held.call(held.services.devices.get, device.id).owner
    held.call(held.services.bus.listen, owner, listener)
    turns = -(-MESSAGES // TURN)
    with counted(gateway.store, "update") as update:
        with stopped(held):
            waiting = burst(device, [b"tick"] * MESSAGES)
        datagrams = acknowledged(device, waiting)
    held.call(held.services.bus.forget, owner, listener)
    # one more for what came while a commit was under way, one for record numbers
    assert update.call_count <= turns + 2
    assert datagrams <= 2 * turns + 2
    sent = [event.data for event in heard if event.name == "tick"]
    assert sent == sorted(sent, key=int) and len(sent) == MESSAGES


def test_the_options_of_a_name_are_read_once(held, device):
    before = coap._options.cache_info().misses
    with stopped(held):
        waiting = burst(device, [b"often"] * MESSAGES)
    acknowledged(device, waiting)
    assert coap._options.cache_info().misses <= before + 1


def test_long_options_are_not_remembered():
    """Whoever can send would fill the memory with them."""
    before = coap._options.cache_info().currsize
    for n in range(3):
        query = b"%08d" % n + bytes(60000)
        assert coap.decode(pack(CON, 2, n, options=[(11, b"E"), (15, query)])).query == query
    assert coap._options.cache_info().currsize == before


@pytest.mark.parametrize(("states", "most"), [(1, 1), (64, 1), (127, 7), (500, 10)])
def test_many_states_are_few_statements(held, device, states, most):
    """Each statement is a wait for Python's lock, which the messages need."""
    gateway, db = held.services.doors.udp, held.services.db
    stored = held.call(gateway.store.get, device.id)
    changed = stored.state._replace(keep_alive=77.0, address=("127.0.0.9", 9), online=False)
    nobody = State(("127.0.0.1", 1), 0, 1, 0, 0, 0.0, 0.0, True)
    rows = [(f"{n:024x}", b"", nobody) for n in range(states - 1)]
    statements = []

    def trace(on):
        return held.run(db.write(lambda connection: connection.set_trace_callback(on)))

    trace(statements.append)
    try:
        held.run(gateway.store.update([*rows, (device.id, stored.key_block, changed)]))
    finally:
        trace(None)
    updates = [text for text in statements if text.startswith("UPDATE udp_sessions")]
    assert len(updates) <= most
    assert held.call(gateway.store.get, device.id).state == changed
    held.run(gateway.store.update([(device.id, b"another session's", stored.state)]))
    assert held.call(gateway.store.get, device.id).state == changed


def test_a_device_is_looked_at_when_a_time_out_may_be_due(held, rest, ec_key):
    """Not each second: ten thousand of them would stop everything for 10 ms each time."""
    with held.udp_device(ec_key, provision_ec(rest, ec_key)).connect() as device:
        held.pass_time(61)  # the last flight of its handshake is not repeated any more
        device.ping()
        link = held.services.doors.udp._by_device[device.id]
        with counted(link, "sweep") as sweep:
            for _ in range(6):
                held.pass_time(25)
                device.ping()
        assert 1 <= sweep.call_count <= 150 / 25
        held.pass_time(50)
        assert held.services.sessions.get(device.id) is not None
        with counted(link, "sweep") as sweep:
            held.pass_time(2)
            assert held.last_end(device.id) == "nothing came from the device for 50 s"
            held.pass_time(300)  # and while it is gone
        assert sweep.call_count <= 2 + 300 / 50


def test_an_event_is_written_once_for_all_streams(held):
    event = Event("x", b"1", "d", 1, 0.0)
    selection = mock.Mock(services=held.services)
    selection.shown = lambda shown: shown.json
    streams = [Stream(10, selection) for _ in range(5)]
    for stream in streams:
        stream.transport = mock.Mock()
    with mock.patch.object(Event, "text", autospec=True, return_value="1") as text:
        for stream in streams:
            stream.offer(event)
    assert text.call_count == 1
    assert json.loads(event.json) == {
        "data": "1",
        "ttl": 60,
        "published_at": "1970-01-01T00:00:00.000Z",
        "coreid": "d",
    }
    (queued,) = {stream._waiting[0] for stream in streams}
    assert queued[1].startswith(b'event: x\ndata: {"data": "1"')
