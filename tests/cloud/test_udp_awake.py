"""A device that is silent when the cloud is back from a restart: it is reached all the same."""

import struct

import pytest

from cloud.device import ACK, CON, pack, random_id
from cloud.dtls_client import OLD_DEVICE_OS
from cloud.running import Restarted, provision_ec
from cloud.test_session import run_beside
from cloud.test_udp_session import listening, state_of, wait_for
from particle_tools.cloud.settings import Limits

FORMS = {"cid": {}, "old": {"extensions": OLD_DEVICE_OS}}
PATIENT = 13  # a platform on cellular: silence ends it after 46 minutes only


@pytest.fixture
def restarted(tmp_path):
    """Give a cloud that can be stopped and started, and repeats nothing on a slow host."""
    found = Restarted(tmp_path / "d", held=True)
    yield found
    found.cloud.stop()


@pytest.fixture(params=FORMS)
def device(restarted, ec_key, request):
    """A connected device that waits."""
    device_id = provision_ec(restarted.api, ec_key)
    form = FORMS[request.param]
    with restarted.cloud.udp_device(ec_key, device_id, **form) as device:
        device.connect(platform=PATIENT)
        device.describe(["relay"], {"temp": 9})
        device.subscribe("door")
        yield device


def fresh(device, message, used):
    """A message of the new process came under numbers no earlier one has used."""
    assert message is not None, "nothing came"
    assert len(set(device.client.server_numbers)) == len(device.client.server_numbers)
    assert message.mid not in used
    used.add(message.mid)
    return message


def test_everything_reaches_a_silent_device(restarted, device):
    used = set()
    for turn in range(3):  # the device's own requests come only as answers
        restarted.start()
        api, path = restarted.api, f"/v1/devices/{device.id}"
        assert api("GET", path)[1]["online"] is True
        value = run_beside(api, "POST", path + "/relay", {"args": "on"})
        call = fresh(device, device.recv(), used)
        assert call.path == ["f", "relay"] and call.all(15) == [b"on"]
        device.answer(call, 0x44, struct.pack(">i", turn))
        assert value()[1]["return_value"] == turn
        restarted.start()
        api = restarted.api
        value = run_beside(api, "GET", path + "/temp")
        device.answer(fresh(device, device.recv(), used), 0x45, struct.pack("<d", 21.5))
        assert value()[1]["result"] == 21.5
    restarted.start()
    value = run_beside(restarted.api, "PUT", path + "/ping")
    device.acknowledge(fresh(device, device.recv(), used))
    assert value()[1] == {"online": True, "ok": True}
    restarted.start()
    value = run_beside(restarted.api, "PUT", path, {"signal": "1"})
    signal = fresh(device, device.recv(), used)
    device.send(pack(ACK, 0x44, signal.mid, signal.token))
    assert value()[1]["signaling"] is True
    usage = restarted.api("GET", f"/local/v1/usage/{device.id}")[1]
    assert usage["handshakes"] == 1 and usage["resumes"] == 0


def test_events_are_delivered_to_a_silent_device(restarted, device):
    used = set()
    for turn in range(3):
        restarted.start()
        for n in range(2):
            data = f"{turn} {n}"
            restarted.api("POST", "/v1/devices/events", {"name": "door/1", "data": data})
            got = fresh(device, device.recv(), used)
            assert got.path == ["E", "door", "1"] and got.payload == data.encode()
            device.acknowledge(got)
        # what waits is sent once more by a cloud that takes its time to stop
        wait_for(lambda: not state_of(restarted.api, device.id)["unacknowledged"])
    restarted.api("POST", "/v1/devices/events", {"name": "window", "data": ""})
    assert device.recv(0.2) is None
    device.ping()


def test_a_device_that_is_gone_is_a_time_out_and_its_session_stays(tmp_path, ec_key):
    restarted = Restarted(tmp_path / "d", held=True, limits=Limits(answer_s=0.5, ping_s=0.5))
    path, used, seen = f"/v1/devices/{random_id()}", set(), set()
    asked = [("POST", path + "/f", {"args": ""}), ("GET", path + "/v"), ("PUT", path + "/ping")]
    try:
        device_id = provision_ec(restarted.api, ec_key, path.rpartition("/")[2])
        with restarted.cloud.udp_device(ec_key, device_id) as device:
            device.connect(platform=PATIENT)
            for _ in range(2):
                cloud = restarted.start()
                for words in asked:
                    value = run_beside(restarted.api, *words)
                    message = device.recv()
                    while message and message.raw in seen:  # repeated by a cloud that stops
                        message = device.recv()
                    seen.add(fresh(device, message, used).raw)
                    cloud.pass_time(0.6)
                    status, body = value()
                    assert status == 408 or body["online"] is False
            numbers = device.client.server_numbers
            assert len(numbers) == len(set(numbers)) > 6
            heard, stop = listening(cloud, device_id)
            device.resume(253)
            device.ping()
            stop()
            assert [e.data for e in heard if e.name == "spark/status"] == [b"offline", b"online"]
            assert restarted.api("GET", f"/local/v1/usage/{device_id}")[1]["handshakes"] == 1
    finally:
        restarted.cloud.stop()


def test_without_an_acknowledgement_it_goes_offline(tmp_path, ec_key):
    """Four transmissions and no word: offline, as in a session that never saw a restart (3.3)."""
    restarted = Restarted(tmp_path / "d", held=True)
    try:
        device_id = provision_ec(restarted.api, ec_key)
        with restarted.cloud.udp_device(ec_key, device_id) as device:
            device.connect(platform=PATIENT)
            cloud = restarted.start()
            path = f"/v1/devices/{device_id}/f"
            value = run_beside(restarted.api, "POST", path, {"args": ""})
            first = device.recv()
            cloud.pass_time(20.1)
            assert value()[0] == 408
            cloud.pass_time(72)
            assert cloud.last_end(device_id) == "the device acknowledges nothing"
            assert {device.recv().raw for _ in range(3)} == {first.raw}
            assert device.recv(0) is None
            device.ping()  # the keys are there
            assert state_of(restarted.api, device_id)["online"]
    finally:
        restarted.cloud.stop()


def _goodbye(restarted, device):
    assert device.request(2, [(11, b"x")], token=device.next_token()).code < 0x80


def _set_offline(restarted, device):
    restarted.api("POST", f"/local/v1/devices/{device.id}/offline")


def _silence(restarted, device):
    # As if the cloud had not run for so long: what it stores when it stops is that old.
    silence = restarted.cloud.cloud._udp._by_device[device.id].silence
    silence.since -= silence.limit + 1


@pytest.mark.parametrize("end", [_goodbye, _set_offline, _silence])
def test_who_was_offline_stays_offline(restarted, device, end):
    end(restarted, device)
    if end is not _silence:
        wait_for(lambda: not state_of(restarted.api, device.id)["online"])
    heard = restarted.api("GET", f"/v1/devices/{device.id}")[1]["last_heard"]
    restarted.start()
    body = restarted.api("GET", f"/v1/devices/{device.id}")[1]
    assert body["online"] is False and body["last_heard"][:18] <= heard[:18]
    # at once: the 20 s of an answer never pass
    assert restarted.api("POST", f"/v1/devices/{device.id}/relay", {"args": ""})[0] == 408
    restarted.api("POST", "/v1/devices/events", {"name": "door", "data": ""})
    assert device.recv(0.2) is None
    device.ping()
    assert state_of(restarted.api, device.id)["online"] is True
    restarted.start()  # and now it was online
    assert state_of(restarted.api, device.id)["online"] is True


def test_what_a_goodbye_has_overtaken_puts_nobody_online_after_a_restart(restarted, device):
    """The event counts; its device has gone (rest-api 7.3)."""
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"last")])
    late, mid = device.seal(event), device.mid
    _goodbye(restarted, device)
    wait_for(lambda: not state_of(restarted.api, device.id)["online"])
    seen, stop = listening(restarted.start(), device.id)
    device.send_raw(late)
    assert device.recv().raw == pack(ACK, 0, mid)
    path = f"/v1/devices/{device.id}"
    assert restarted.api("GET", path)[1]["online"] is False
    device.ping()
    assert restarted.api("GET", path)[1]["online"] is True
    stop()
    assert [event.name for event in seen] == ["last", "spark/status"]


def test_a_slow_keep_alive_is_not_forgotten(tmp_path, ec_key):
    restarted = Restarted(tmp_path / "d", held=True)
    try:
        device_id = provision_ec(restarted.api, ec_key)
        with restarted.cloud.udp_device(ec_key, device_id) as device:
            device.connect()
            restarted.cloud.pass_time(40)  # where 25 are usual
            device.ping()
            restarted.start()
            assert state_of(restarted.api, device_id)["keep_alive_s"] == 40
    finally:
        restarted.cloud.stop()


def test_two_old_devices_of_one_address(restarted, ec_key):
    """Without connection ID the address belongs to the device that was heard last."""
    form = FORMS["old"]
    ids = [provision_ec(restarted.api, ec_key) for _ in range(2)]
    first = restarted.cloud.udp_device(ec_key, ids[0], **form)
    second = restarted.cloud.udp_device(ec_key, ids[1], **form)
    first.connect()
    second.close()
    second.sock = first.sock
    restarted.cloud.pass_time(1)
    second.connect()
    restarted.start()
    second.send(pack(CON, 0, second.next_mid()))
    assert second.recv().type == ACK
    first.sock = None
    first.rebind()
    first.moved = 254
    first.ping()
    first.close()
    second.ping()
    second.close()


def test_a_publish_from_before_a_restart_is_not_published_again(restarted, ec_key):
    device_id = provision_ec(restarted.api, ec_key)
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        first = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"once")])
        device.send(first)
        answer = device.recv()
        assert answer.raw == pack(ACK, 0, device.mid)
        seen, stop = listening(restarted.start(), device_id)
        device.send(first)  # its acknowledgement was lost
        assert device.recv().raw == answer.raw
        device.publish("twice")
        stop()
        assert [e.name for e in seen if not e.name.startswith("spark/")] == ["twice"]
