"""Every wait of the cloud for a device is bounded: handshake, silence, answers, unread bytes."""

import struct

import pytest

from cloud.device import ACK, CON, pack, random_id
from cloud.test_refusals import refused
from cloud.test_session import run_beside
from particle_tools.cloud.settings import Limits


@pytest.fixture(scope="module")
def cloud(held_cloud):
    """A cloud whose time the tests let pass."""
    return held_cloud(limits=Limits(unsent=4096))


def too_late(cloud, device):
    """Let the ten seconds of a handshake pass; return the refusal."""
    refusals = cloud.services.refusals
    before = refusals.total
    cloud.pass_time(9.8)
    assert refusals.total == before
    cloud.pass_time(0.4)
    return refused(cloud, device)


def greeted(device):
    """Wait for the nonce: from then on the cloud waits for the device."""
    device.waiting = device.recv_exactly(40)


def test_silence_is_a_link_matter(cloud, keys):
    with cloud.device(keys[0], random_id()) as device:
        greeted(device)
        assert too_late(cloud, device) == ("link", "the peer sent nothing within 10 s")


@pytest.mark.parametrize("n", [1, 100, 255])
def test_short_client_message_times_out(cloud, keys, n):
    with cloud.device(keys[0], random_id()) as device:
        greeted(device)
        device.send_raw(bytes(n))
        stage, reason = too_late(cloud, device)
        assert stage == "transport"
        assert reason == f"only {n} of the 256 bytes of the client message came within 10 s"


def test_52_byte_form_with_a_wrong_private_key(cloud, keys, device_id):
    with cloud.device(keys[0], device_id, short=True) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        device.recv_exactly(384)  # would not decrypt: the device says nothing more
        stage, reason = too_late(cloud, device)
        assert stage == "device key"
        assert "did not answer the key exchange" in reason


def test_hello_too_late(cloud, keys, device_id):
    with cloud.device(keys[0], device_id) as device:
        device.exchange_keys()
        stage, reason = too_late(cloud, device)
        assert (stage, reason) == (
            "device key",
            "the device did not answer the key exchange with a Hello within 10 s",
        )


def test_idle_device_is_dropped(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        for _ in range(3):
            cloud.pass_time(30)
            device.ping()  # a byte of the device starts the time again
        cloud.pass_time(30)
        assert cloud.services.sessions.get(device_id)
        cloud.pass_time(1.5)
        assert device.ended()
    assert cloud.last_end(device_id) == "no byte from the device for 31 s"


def test_what_the_cloud_sends_does_not_keep_a_silent_device(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("tick")
        for _ in range(8):
            assert cloud.services.sessions.get(device_id)
            api("POST", "/v1/devices/events", {"name": "tick"})
            cloud.pass_time(4)
    assert cloud.last_end(device_id) == "no byte from the device for 31 s"


def test_a_device_that_does_not_read_is_dropped(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("flood")
        device.sock.setsockopt(1, 8, 4096)  # SO_RCVBUF
        for _ in range(20_000):
            if cloud.services.sessions.get(device_id) is None:
                break
            # Through the bus, not REST: kernel buffers take megabytes.
            cloud.call(publish, cloud, device_id, 20)
    assert cloud.last_end(device_id) == "the device does not read"


def publish(cloud, device_id, count):
    """Publish large events to the owner of a device."""
    from particle_tools.cloud.events import Event

    owner = cloud.services.devices.get(device_id).owner
    for _ in range(count):
        cloud.services.bus.publish(Event("flood", bytes(1000), "api", owner, 0.0))


def test_no_answer_is_bounded_and_keeps_the_session(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["slow"], {"v": 2})
        value = run_beside(api, "POST", f"/v1/devices/{device_id}/slow", {"arg": ""})
        call = device.recv()
        assert call.options[-1] == (15, b"")
        device.acknowledge(call)
        cloud.pass_time(19)
        session = cloud.services.sessions.get(device_id)
        assert len(session.exchanges._by_token) == 1
        cloud.pass_time(1.5)
        status, body = value()
        assert status == 408 and body["error"] == "Timed out."
        device.answer(call, 0x44, struct.pack(">i", 1))  # too late: ignored
        value = run_beside(api, "GET", f"/v1/devices/{device_id}/v")
        ask = device.recv()
        assert ask.token != call.token
        device.answer(call, 0x44, struct.pack(">i", 2))  # twice, and to the wrong question
        device.answer(ask, 0x45, struct.pack(">i", 7))
        assert value()[1]["result"] == 7
        device.ping()


def test_ping_over_rest(cloud, api, keys, device_id):
    assert api("PUT", f"/v1/devices/{device_id}/ping") == (200, {"online": False, "ok": True})
    with cloud.device(keys[0], device_id).connect() as device:
        value = run_beside(api, "PUT", f"/v1/devices/{device_id}/ping")
        ping = device.recv()
        assert ping.raw == pack(CON, 0, ping.mid)
        device.send(pack(ACK, 0, ping.mid))
        assert value() == (200, {"online": True, "ok": True})
        value = run_beside(api, "PUT", f"/v1/devices/{device_id}/ping")
        assert device.recv().raw[:2] == pack(CON, 0, 0)[:2]
        cloud.pass_time(5.5)
        assert value() == (200, {"online": False, "ok": True})
