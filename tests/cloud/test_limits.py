"""Every wait of the cloud for a device is bounded: handshake, silence, answers, unread bytes."""

import struct
import time

import pytest

from cloud.device import ACK, CON, pack, random_id
from cloud.test_refusals import refused
from cloud.test_session import run_beside
from particle_tools.cloud.settings import Limits


@pytest.fixture(scope="module")
def limits():
    return Limits(handshake_s=1.0, idle_s=1.5, answer_s=1.0, ping_s=0.5, unsent=4096)


def test_silence_is_a_link_matter(cloud, keys):
    with cloud.device(keys[0], random_id()) as device:
        assert refused(cloud, device) == ("link", "the peer sent nothing within 1 s")


@pytest.mark.parametrize("n", [1, 100, 255])
def test_short_client_message_times_out(cloud, keys, n):
    with cloud.device(keys[0], random_id()) as device:
        device.send_raw(bytes(n))
        stage, reason = refused(cloud, device)
        assert stage == "transport"
        assert reason == f"only {n} of the 256 bytes of the client message came within 1 s"


def test_52_byte_form_with_a_wrong_private_key(cloud, keys, device_id):
    with cloud.device(keys[0], device_id, short=True) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        device.recv_exactly(384)  # would not decrypt: the device says nothing more
        stage, reason = refused(cloud, device)
        assert stage == "device key"
        assert "did not answer the key exchange" in reason


def test_hello_too_late(cloud, keys, device_id):
    with cloud.device(keys[0], device_id) as device:
        device.exchange_keys()
        stage, reason = refused(cloud, device)
        assert (stage, reason) == (
            "device key",
            "the device did not answer the key exchange with a Hello within 1 s",
        )


def test_idle_device_is_dropped(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        time.sleep(0.9)
        device.ping()  # a byte of the device starts the time again
        time.sleep(0.9)
        device.ping()
        start = time.monotonic()
        assert device.ended()
        assert 1.2 < time.monotonic() - start < 5
    assert cloud.last_end(device_id) == "no byte from the device for 1.5 s"


def test_what_the_cloud_sends_does_not_keep_a_silent_device(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("tick")
        stop = time.monotonic() + 8
        while cloud.services.sessions.get(device_id) and time.monotonic() < stop:
            api("POST", "/v1/devices/events", {"name": "tick"})
            time.sleep(0.2)
    assert cloud.last_end(device_id) == "no byte from the device for 1.5 s"


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
        start = time.monotonic()
        value = run_beside(api, "POST", f"/v1/devices/{device_id}/slow", {"arg": ""})
        call = device.recv()
        assert call.options[-1] == (15, b"")
        device.acknowledge(call)
        status, body = value()
        assert status == 408 and body["error"] == "Timed out."
        assert 0.9 < time.monotonic() - start < 8
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
        assert api("PUT", f"/v1/devices/{device_id}/ping") == (200, {"online": False, "ok": True})
