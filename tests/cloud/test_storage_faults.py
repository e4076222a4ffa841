"""A full disk and a locked database: 503 and the reason, nothing lost, no restart needed."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from cloud.device import ACK, CON, pack
from cloud.running import USER, Api, Running, new_ec_key, provision, provision_ec
from particle_tools.cloud import accounts, database
from particle_tools.cloud.settings import Settings


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """A cloud that does not wait long for a lock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_BUSY_MS", 200)
        patch.setitem(accounts._SCRYPT, "n", 2)
        running = Running(Settings(data=tmp_path_factory.mktemp("faults") / "d", user=USER))
        yield running
        running.stop()


@contextmanager
def locked(cloud):
    """Another program writes, for as long as it likes."""
    with closing(sqlite3.connect(cloud.cloud.settings.data / "cloud.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(cloud):
    """No page can be added: what SQLite meets on a full disk."""
    limit = "PRAGMA max_page_count = {}"
    pages = cloud.call(cloud.services.db.one, "PRAGMA page_count")[0]
    cloud.run(cloud.services.db.write(lambda db: db.execute(limit.format(pages)).fetchone()))
    # What is free inside is used up first.
    filler = "INSERT INTO users VALUES (NULL, hex(randomblob(8)), x'', x'', ?, 0)"
    for size in (4000, 400, 40, 1):
        try:
            while True:
                cloud.run(cloud.services.db.execute(filler, "x" * size))
        except sqlite3.OperationalError as error:
            assert "full" in str(error)
    yield
    cloud.run(cloud.services.db.write(lambda db: db.execute(limit.format(1 << 30)).fetchone()))
    cloud.run(cloud.services.db.execute("DELETE FROM users WHERE created_at = 0"))


_FAULTS = pytest.mark.parametrize(
    ("fault", "words"),
    [(locked, "Another program holds the database"), (full, "The disk is full")],
)


@_FAULTS
def test_rest(cloud, api, keys, fault, words):
    device_id = provision(api, keys[0])
    path = f"/v1/devices/{device_id}"
    key = keys[1].public_key().export_key("PEM").decode()
    big = "n" * 4000
    writes = (
        ("PUT", path, {"notes": big}),
        ("POST", "/v1/provisioning/" + "ab" * 12, {"publicKey": key}),
        *[("POST", "/v1/device_claims", {})] * 50,
    )
    with fault(cloud):
        answers = [api(*write) for write in (writes if fault is full else writes[:3])]
        failed = [answer for answer in answers if answer[0] != 200]
        assert failed
        for status, body in failed:
            assert (
                status == 503 and words in body["error"] and "nothing was changed" in body["error"]
            )
            assert body["ok"] is False and body["error_description"] == body["error"]
        # Reading goes on, and what was refused did not happen.
        assert api("GET", path)[1]["notes"] == (big if answers[0][0] == 200 else None)
        assert api("GET", "/v1/user")[0] == 200
        assert api("POST", "/v1/devices/events", {"name": "x"})[0] == 200
    for write in writes[:3]:
        assert api(*write)[0] == 200
    assert api("GET", path)[1]["notes"] == big
    assert api("DELETE", "/v1/devices/" + "ab" * 12)[0] == 200


@_FAULTS
def test_logins(cloud, fault, words):
    """No token is given out that is not stored; the failure is not a wrong password."""
    api = Api(cloud.url)
    grant = {"grant_type": "password", "username": USER[0], "password": USER[1]}
    with fault(cloud):
        for _ in range(30):
            status, body = api("POST", "/oauth/token", grant, form=True)
            assert status in (200, 503) and (status == 200 or words in body["error"])
            if status == 503:
                break
        assert status == 503
    assert Api(cloud.url).login()("GET", "/v1/user")[0] == 200


def test_persisted_events_are_not_acknowledged_while_locked(cloud, api):
    key = new_ec_key()
    device_id = provision_ec(api, key)
    with cloud.udp_device(key, device_id).connect() as device:

        def publish(mid):
            options = [(11, b"E"), (11, b"p"), (65000, (7).to_bytes(4, "big"))]
            device.send(pack(CON, 2, mid, options=options, payload=b"kept"))

        mid = device.next_mid()
        kept = f"/local/v1/devices/{device_id}/persisted-events"
        with locked(cloud):
            publish(mid)
            assert device.recv(1) is None
            assert api("GET", kept) == (200, [])
        publish(mid)
        answer = device.recv()
        assert (answer.type, answer.mid) == (ACK, mid)
        assert [row["number"] for row in api("GET", kept)[1]] == [7]


def test_a_device_may_connect_when_the_lock_is_gone(cloud, api, keys):
    device_id = provision(api, keys[0])
    with locked(cloud), cloud.device(keys[0], device_id) as device:
        device.exchange_keys()
    with cloud.device(keys[0], device_id).connect() as device:
        device.ping()
    assert api("GET", f"/v1/devices/{device_id}")[1]["last_handshake_at"]
