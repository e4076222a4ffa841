"""The UDP side while the database fails: nothing counts that is not stored, and it recovers."""

import logging
import sqlite3

import pytest

from cloud.device import ACK, CON, pack
from cloud.test_udp_session import listening, state_of, wait_for


@pytest.fixture(scope="module")
def time_stands():
    return True


@pytest.fixture
def failing(cloud):
    """Give a function that makes every write fail, or work again."""
    write = cloud.services.db.write

    async def fails(job):
        raise sqlite3.OperationalError("disk I/O error")

    def switch(on):
        cloud.services.db.write = fails if on else write

    yield switch
    switch(False)


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device."""
    with cloud.udp_device(ec_key, udp_id) as device:
        yield device.connect()


def test_a_message_that_cannot_be_stored_is_as_if_lost(cloud, api, device, failing, caplog):
    seen, stop = listening(cloud, device.id)
    failing(True)
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"x")])
    device.send(event)
    wait_for(lambda: "cannot be stored" in caplog.text)
    assert device.recv(0.1) is None and seen == []
    failing(False)
    device.send(event)  # the device repeats it
    assert device.recv().raw == pack(ACK, 0, device.mid)
    stop()
    assert [e.name for e in seen] == ["x"]
    errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert errors and all("cannot be stored" in r.getMessage() for r in errors)


def test_a_hello_that_cannot_be_stored_is_not_acknowledged(cloud, ec_key, udp_id, failing, caplog):
    with cloud.udp_device(ec_key, udp_id).handshake() as device:
        failing(True)
        device.timeout = 1.0
        with pytest.raises(AssertionError, match="no ACK"):
            device.hello()
        device.timeout = 20.0
        wait_for(lambda: "is lost: disk I/O error" in caplog.text)
        failing(False)
        device.mid = 0
        device.hello()
        device.ping()
    assert "is lost: disk I/O error" in caplog.text


def test_a_subscription_that_cannot_be_stored_is_not_acknowledged(cloud, api, device, monkeypatch):
    store = cloud.cloud._udp.store

    tried = []

    async def fails(*_):
        tried.append(True)
        raise sqlite3.OperationalError("disk I/O error")

    message = pack(CON, 1, device.next_mid(), options=[(11, b"e"), (11, b"door")])
    with monkeypatch.context() as patch:
        patch.setattr(store, "subscribe", fails)
        device.send(message)
        wait_for(lambda: tried)
        assert device.recv(0.1) is None
        assert state_of(api, device.id)["subscriptions"] == []
    device.send(message)
    assert device.recv().raw == pack(ACK, 0, device.mid)
    assert state_of(api, device.id)["subscriptions"] == ["door"]
    link = cloud.cloud._udp._by_device[device.id]
    stored = cloud.call(link._gateway.store.get, device.id)
    assert [s.prefix for s in stored.subscriptions] == ["door"]


def test_messages_wait_for_numbers(cloud, api, device, failing):
    """When no numbers can be reserved nothing is sent; when they can be, all of it is."""
    device.subscribe("n")
    session = cloud.services.sessions.get(device.id)
    link = cloud.cloud._udp._by_device[device.id]
    failing(True)

    def exhaust():
        # As if all reserved numbers had been used.
        link.dtls.connection.limit = link.dtls.connection.number
        session.send_event("n", b"1")
        session.send_event("n", b"2")

    cloud.call(exhaust)
    assert device.recv(0.3) is None
    failing(False)
    cloud.call(session.send_event, "n", b"3")
    got = [device.recv() for _ in range(3)]
    assert [m.payload for m in got] == [b"1", b"2", b"3"]
    for message in got:
        device.acknowledge(message)
    device.ping()
    assert state_of(api, device.id)["online"]


def test_message_ids_wait_too(cloud, device):
    device.subscribe("n")
    session = cloud.services.sessions.get(device.id)
    link = cloud.cloud._udp._by_device[device.id]
    began = session.mid

    def skip():
        session.mid = (session.mid + 2000) & 0xFFFF  # far beyond what is reserved
        session.send_event("n", b"1")
        return list(link.dtls.out)

    assert cloud.call(skip) == []
    message = device.recv()
    assert message.mid == (began + 2001) & 0xFFFF
    device.acknowledge(message)
    row = cloud.call(
        cloud.services.db.one, "SELECT * FROM udp_sessions WHERE device_id = ?", device.id
    )
    assert (row["mid_limit"] - message.mid) & 0xFFFF < 0x8000


def test_no_number_is_left(cloud, device):
    """After 2 ** 48 records the session is of no use; nothing loops."""
    link = cloud.cloud._udp._by_device[device.id]

    def last():
        link.dtls.connection.number = (1 << 48) - 2
        link.dtls.connection.limit = 1 << 49

    cloud.call(last)
    device.ping()
    device.send(pack(CON, 0, device.next_mid()))
    assert device.recv(0.3) is None
    commits = []
    ask = link._gateway.checkpoints.ask
    link._gateway.checkpoints.ask = lambda session: commits.append(ask(session))
    device.send(pack(CON, 0, device.next_mid()))
    assert device.recv(0.3) is None and len(commits) <= 2
    link._gateway.checkpoints.ask = ask
