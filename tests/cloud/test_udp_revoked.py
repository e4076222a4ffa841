"""A session that was ended from outside does not come back, whatever the database does."""

import gc
import logging
import sqlite3

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.dtls_client import Alert
from cloud.running import USER, new_ec_key, provision_ec
from cloud.test_udp_session import wait_for


@pytest.fixture(scope="module")
def time_stands():
    return True


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def stored(cloud, device_id):
    return cloud.call(cloud.cloud._udp.store.get, device_id)


async def fails(*_):
    raise sqlite3.OperationalError("database is locked")


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device."""
    with cloud.udp_device(ec_key, udp_id) as device:
        yield device.connect()


def test_another_key_and_no_session_of_the_old_one_are_one_commit(
    cloud, api, device, monkeypatch, caplog
):
    monkeypatch.setattr(cloud.cloud._udp.store, "delete", fails)
    assert stored(cloud, device.id) is not None
    provision_ec(api, device.client.key, device.id)
    assert stored(cloud, device.id) is not None
    provision_ec(api, new_ec_key(), device.id)
    assert stored(cloud, device.id) is None
    assert "another key" in cloud.last_end(device.id)
    wait_for(lambda: "cannot be stored: database is locked" in caplog.text)


@pytest.mark.parametrize("how", ["forget", "drop"])
def test_a_session_that_cannot_be_forgotten_goes_on(cloud, api, device, monkeypatch, how):
    path = f"/local/v1/devices/{device.id}/{how}-session"
    with monkeypatch.context() as patch:
        patch.setattr(cloud.cloud._udp.store, "delete", fails)
        assert api("POST", path)[0] == 503
        device.ping()
    assert api("POST", path)[0] == 200
    assert stored(cloud, device.id) is None


@pytest.mark.parametrize("when", ["before the session is stored", "after"])
def test_a_key_that_changes_during_the_hello(cloud, api, ec_key, udp_id, monkeypatch, when):
    other = new_ec_key()
    devices = cloud.services.devices
    user = cloud.run(cloud.services.accounts.login(*USER))
    owner, name = (cloud.cloud._udp.store, "replace") if "before" in when else (devices, "greeted")
    go_on = getattr(owner, name)

    async def changed(*args):
        await devices.register(user, udp_id, "ec", spki(other))
        return await go_on(*args)

    with cloud.udp_device(ec_key, udp_id).handshake() as device:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, changed)
            with pytest.raises(Alert):
                device.hello()
        reason = cloud.last_refusal(device.address).reason
    assert reason == "the device's key is not the registered one"
    assert stored(cloud, udp_id) is None and cloud.services.sessions.get(udp_id) is None
    with cloud.udp_device(other, udp_id) as device:
        device.connect()


def test_what_a_session_does_beside_is_looked_at(cloud, ec_key, udp_id, monkeypatch, caplog):
    monkeypatch.setattr(cloud.services.updates, "before_offer", fails)
    with caplog.at_level(logging.ERROR), cloud.udp_device(ec_key, udp_id) as device:
        device.connect()
        text = f"what was done beside the messages of {udp_id} failed: database is locked"
        wait_for(lambda: text in caplog.text)
        device.ping()
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_what_is_done_beside_is_looked_at(cloud, caplog):
    with caplog.at_level(logging.ERROR):
        cloud.call(cloud.cloud._udp.spawn, fails())
        wait_for(lambda: "cannot be stored: database is locked" in caplog.text)
    assert "never retrieved" not in caplog.text
