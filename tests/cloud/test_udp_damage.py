"""A damaged row is no session: the cloud starts, says so once, and all other devices go on."""

import sqlite3

import pytest

from cloud.dtls_client import OLD_DEVICE_OS
from cloud.running import provision_ec
from cloud.test_udp_session import wait_for
from particle_tools.cloud.udp import gateway as udp_gateway

DAMAGE = [
    ("address", ""),
    ("address", "[::1]:9"),
    ("address", "127.0.0.1 x"),
    ("address", "127.0.0.1 99999"),
    ("heard_at", "x"),
    ("heard_at", 1e300),
    ("keep_alive", "x"),
    ("keep_alive", float("inf")),
    ("write_limit", "x"),
    ("write_limit", -5),
    ("mid_limit", 99999999),
    ("read_top", 1 << 60),
    ("read_bits", "x"),
    ("cid", b"abc"),
    ("peer_cid", "x"),
    ("key_block", b"short"),
    ("hello", b""),
    ("done", "x"),
    ("subscriptions", "5"),
    ("subscriptions", "[[1, 2]]"),
    ("subscriptions", "[["),
]


def row(cloud, device_id):
    """Return the whole row of a device by column."""
    return dict(
        cloud.call(
            cloud.services.db.one, "SELECT * FROM udp_sessions WHERE device_id = ?", device_id
        )
    )


def damaged(cloud, device_id, column, value):
    """Damage a row as a failing disk would, beside the cloud."""
    cloud.run(
        cloud.services.db.execute(
            f"UPDATE udp_sessions SET {column} = ? WHERE device_id = ?", value, device_id
        )
    )


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device, of which nothing stays."""
    with cloud.udp_device(ec_key, udp_id) as device:
        yield device.connect()
    gone = "DELETE FROM udp_sessions WHERE device_id = ?"
    cloud.run(cloud.services.db.execute(gone, udp_id))


@pytest.mark.parametrize(("column", "value"), DAMAGE)
def test_a_damaged_row_is_no_session(cloud, device, caplog, column, value):
    store = cloud.cloud._udp.store
    assert cloud.call(store.get, device.id) is not None
    damaged(cloud, device.id, column, value)
    assert cloud.call(store.get, device.id) is None
    assert device.id not in [found[0] for found in cloud.call(store.index)]
    assert f"the session of {device.id} is damaged" in caplog.text
    cloud.run(store.online(cloud.services.clock.time()))
    heard = cloud.call(cloud.services.devices.get, device.id).last_heard
    assert isinstance(heard, float) and heard < 1e12


def test_the_cloud_starts_and_the_others_go_on(restarted, ec_key):
    api = restarted.api
    ids = [provision_ec(api, ec_key) for _ in range(len(DAMAGE) + 1)]
    with restarted.cloud.udp_device(ec_key, ids[-1]) as good:
        good.connect()
        cloud = restarted.cloud
        like = row(cloud, good.id)
        columns = ", ".join(like)
        marks = ", ".join("?" * len(like))
        for number, (device_id, (column, value)) in enumerate(zip(ids, DAMAGE, strict=False)):
            values = like | {"device_id": device_id, "cid": number.to_bytes(8, "big"), "online": 1}
            values[column] = value
            insert = f"INSERT INTO udp_sessions ({columns}) VALUES ({marks})"
            cloud.run(cloud.services.db.execute(insert, *values.values()))
        restarted.start()
        good.ping()
        for device_id in ids:
            status, body = restarted.api("GET", f"/v1/devices/{device_id}")
            assert (status, body["online"]) == (200, device_id == good.id)


def test_a_link_that_fails_does_not_stop_the_sweep(cloud, device, monkeypatch, caplog):
    gateway = cloud.cloud._udp
    link = cloud.cloud._udp._by_device[device.id]

    def broken(now):
        raise TypeError("x")

    monkeypatch.setattr(link, "sweep", broken)
    link.look = 0.0
    wait_for(lambda: link.ended)
    assert "time-outs" in caplog.text
    assert not any(task.done() for task in gateway._clocks)


def test_old_sessions_are_removed_after_the_database_failed(restarted, monkeypatch, caplog):
    monkeypatch.setattr(udp_gateway, "_EXPIRE_S", 0.01)
    store = restarted.start().cloud._udp.store
    tried = []

    async def expire(before):
        tried.append(before)
        if len(tried) == 1:
            raise sqlite3.OperationalError("database is locked")
        return []

    monkeypatch.setattr(store, "expire", expire)
    wait_for(lambda: len(tried) > 2)
    assert "old sessions cannot be removed: database is locked" in caplog.text


def test_two_devices_of_one_address(cloud, api, ec_key):
    """Whoever was heard there last has it; forgetting the other one does not take it away."""
    gateway = cloud.cloud._udp
    first, second = provision_ec(api, ec_key), provision_ec(api, ec_key)
    where = ("127.0.0.1", 9)

    def both():
        gateway._remember(first, b"", where)
        gateway._remember(second, b"", where)
        gateway._forget_stored(first)
        owner = gateway._stored_addresses.get(where)
        gateway._forget_stored(second)
        return owner, where in gateway._stored_addresses

    assert cloud.call(both) == (second, False)


def test_an_older_session_does_not_take_the_address_of_a_live_one(restarted, ec_key):
    """Both rows name one address; to forget the older one by REST does not disturb the other."""
    ids = [provision_ec(restarted.api, ec_key) for _ in range(2)]
    cloud = restarted.cloud
    with cloud.udp_device(ec_key, ids[0], extensions=OLD_DEVICE_OS) as older:
        older.connect()
    with cloud.udp_device(ec_key, ids[1], extensions=OLD_DEVICE_OS) as device:
        device.connect()
        cloud.call(cloud.services.sessions.get(ids[0]).close, "it is over")
        cloud.run(cloud.cloud._udp.store.left(ids[0]))
        damaged(cloud, ids[0], "address", "%s %d" % device.sock.getsockname())
        damaged(cloud, ids[0], "heard_at", cloud.services.clock.time() - 3600)
        restarted.start()
        path = f"/local/v1/devices/{ids[0]}/forget-session"
        assert restarted.api("POST", path)[1]["forgotten"]
        device.ping()
