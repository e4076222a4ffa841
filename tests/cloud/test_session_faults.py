"""Bad input in a session: what closes it, what it survives, and that the reason is kept."""

import secrets
import struct
import threading
import time

import pytest

from cloud.device import ACK, CON, NON, RST, pack
from cloud.test_session import run_beside

CLOSING = {
    "a frame of length 0": lambda d: b"\x00\x00",
    "a frame length of 17": lambda d: b"\x00\x11" + bytes(17),
    "a frame of 2064 bytes": lambda d: b"\x08\x10" + bytes(2064),
    "a frame of 65520 bytes": lambda d: b"\xff\xf0",
    "bad padding": lambda d: d.seal(pack(CON, 0, d.next_mid()), bytes(12)),
    "no CoAP header": lambda d: d.seal(b"\xff\xff\xff\xff"),
    "bad token length": lambda d: d.seal(b"\x4f\x01\x00\x00" + bytes(15)),
    "bad options": lambda d: d.seal(b"\x40\x01" + d.next_mid().to_bytes(2, "big") + b"\xf0"),
    "a payload marker without payload": lambda d: d.seal(
        b"\x40\x02" + d.next_mid().to_bytes(2, "big") + b"\xb1E\xff"
    ),
    "an empty message with content": lambda d: d.seal(b"\x40\x00\x00\x00\xff1"),
}


@pytest.mark.parametrize("reason", CLOSING)
def test_unreadable_bytes_close_the_session(cloud, api, keys, device_id, reason):
    with cloud.device(keys[0], device_id).connect() as device:
        device.send_raw(CLOSING[reason](device))
        assert device.ended()
    assert reason in cloud.last_end(device_id)
    sessions = {s["id"]: s for s in api("GET", "/local/v1/sessions")[1]}
    assert reason in sessions[device_id]["last_end"]["reason"]
    assert sessions[device_id]["online"] is False


def test_random_bytes_close_the_session(cloud, keys, device_id):
    for _ in range(20):
        with cloud.device(keys[0], device_id).connect() as device:
            device.send_raw(secrets.token_bytes(100) + b"\x00\x00" * 2000)
            assert device.ended()


def test_connection_cut_inside_a_frame(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.send_raw(device.seal(pack(CON, 0, device.next_mid()))[:9])
    assert cloud.last_end(device_id) == "the device closed the connection"


def test_frames_in_any_split(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        frames = b"".join(device.seal(pack(CON, 0, device.next_mid())) for _ in range(5))
        for i in range(len(frames)):
            device.send_raw(frames[i : i + 1])
            if i % 7 == 0:
                time.sleep(0.002)
        answers = [device.recv().mid for _ in range(5)]
        assert answers == [(device.mid - 4 + i) & 0xFFFF for i in range(5)]


def test_a_gap_in_the_message_ids_closes(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.ping()
        device.next_mid()
        device.send(pack(CON, 0, device.next_mid()))
        assert device.ended()
    reason = cloud.last_end(device_id)
    assert reason == f"bad message id {device.mid:#06x}, {device.mid - 1 & 0xFFFF:#06x} was next"


def test_a_repeated_message_id_closes(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.send(pack(CON, 0, device.mid))
        assert device.ended()
    assert "bad message id" in cloud.last_end(device_id)


def test_acks_do_not_count(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        for mid in (device.server_mid, device.mid, 0x7777):
            device.send(pack(ACK, 0, mid))
            device.send(pack(RST, 0, mid))
        device.ping()
        assert cloud.services.sessions.get(device_id).own_id_acks == 0


def test_an_ack_that_spends_an_id_as_old_firmware_does(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        value = run_beside(api, "PUT", f"/v1/devices/{device_id}", {"signal": "1"})
        signal = device.recv()
        assert (signal.code, signal.options) == (3, [(11, b"s"), (15, b"\x01")])
        device.send(pack(ACK, 0x44, device.next_mid(), signal.token))
        assert value() == (200, {"id": device_id, "connected": True, "signaling": True})
        device.ping()
        assert cloud.services.sessions.get(device_id).own_id_acks == 1


def test_message_ids_wrap(cloud, keys, device_id):
    device = cloud.device(keys[0], device_id)
    with device:
        device.exchange_keys()
        device.mid = 0xFFFD
        device.hello()
        for _ in range(4):
            device.ping()
        assert device.mid == 2


def test_a_second_connection_replaces_the_first(cloud, api, keys, device_id):
    first = cloud.device(keys[0], device_id).connect()
    second = cloud.device(keys[0], device_id).connect()
    with first, second:
        assert first.ended()
        second.ping()
        assert api("GET", f"/v1/devices/{device_id}")[1]["online"] is True
        ended = cloud.services.sessions.ended(device_id)
        assert ended.reason == "replaced by a newer connection of the same device"
    assert cloud.last_end(device_id) == "the device closed the connection"


def test_parallel_requests_answered_in_reverse(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {})
        values = [
            run_beside(api, "POST", f"/v1/devices/{device_id}/f", {"arg": str(i)})
            for i in range(20)
        ]
        calls = [device.recv() for _ in values]
        assert len({call.token for call in calls}) == 20
        for call in reversed(calls):
            device.answer(call, 0x44, struct.pack(">i", int(call.all(15)[0])))
        assert [value()[1]["return_value"] for value in values] == list(range(20))


def test_device_gone_during_a_call(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {})
        start = time.monotonic()
        value = run_beside(api, "POST", f"/v1/devices/{device_id}/f", {"arg": "1"})
        device.recv()
    assert value()[0] == 408
    assert time.monotonic() - start < 10  # the limit for an answer is 20 s


def test_piggybacked_and_confirmable_answers(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe([], {"n": 2})
        value = run_beside(api, "GET", f"/v1/devices/{device_id}/n")
        ask = device.recv()
        device.send(pack(ACK, 0x45, ask.mid, ask.token, payload=struct.pack(">i", 5)))
        assert value()[1]["result"] == 5
        value = run_beside(api, "GET", f"/v1/devices/{device_id}/n")
        ask = device.recv()
        device.acknowledge(ask)
        device.answer(ask, 0x45, struct.pack(">i", 6), CON)
        assert device.recv().raw == pack(ACK, 0, device.mid)
        assert value()[1]["result"] == 6
        device.answer(ask, 0x45, b"late", CON)  # nobody waits, but a CON is acknowledged
        assert device.recv().raw == pack(ACK, 0, device.mid)


DEVICE_ERRORS = {0x84: 404, 0x80: 502, 0xA0: 502}


@pytest.mark.parametrize("code", DEVICE_ERRORS)
def test_error_answers_of_the_device(cloud, api, keys, device_id, code):
    status = DEVICE_ERRORS[code]
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {"n": 2})
        for method, path in (("POST", "f"), ("GET", "n")):
            value = run_beside(api, method, f"/v1/devices/{device_id}/{path}")
            ask = device.recv()
            device.acknowledge(ask)
            device.answer(ask, code)
            assert value()[0] == status
            value = run_beside(api, method, f"/v1/devices/{device_id}/{path}")
            ask = device.recv()
            device.send(pack(ACK, code, ask.mid))  # without token, as 4.00 for a long argument
            assert value()[0] == status


def test_nonsense_values(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {"n": 2, "d": 9, "s": 4})
        for method, path, payload, status in (
            ("POST", "f", b"", 502),
            ("POST", "f", b"12345", 502),
            ("GET", "n", b"123", 502),
            ("GET", "d", b"1234", 502),
            ("GET", "d", struct.pack("<d", float("nan")), 200),
            ("GET", "s", b"\xff\xfe", 200),
            ("GET", "s", b"", 200),
        ):
            value = run_beside(api, method, f"/v1/devices/{device_id}/{path}")
            ask = device.recv()
            device.answer(ask, 0x45, payload)
            code, body = value()
            assert code == status, (path, payload, body)


def test_rst_ends_a_call(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {})
        value = run_beside(api, "POST", f"/v1/devices/{device_id}/f", {"arg": "1"})
        device.send(pack(RST, 0, device.recv().mid))
        assert value()[0] == 502


BAD_REQUESTS = {
    "no path": [],
    "two characters": [(11, b"xx")],
    "event without name": [(11, b"E")],
    "event name of 65 bytes": [(11, b"E"), (11, b"x" * 65)],
    "event name not UTF-8": [(11, b"E"), (11, b"\xff\xfe")],
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_requests_are_answered_and_survived(cloud, keys, device_id, name):
    with cloud.device(keys[0], device_id).connect() as device:
        answer = device.request(2, BAD_REQUESTS[name], b"data", token=b"\x07")
        assert (answer.code, answer.token) == (0x80, b"\x07")
        device.request(2, BAD_REQUESTS[name], b"data", NON)
        assert device.request(1, [(11, b"e")]).code == 0x80  # an empty filter
        assert device.publish("big", bytes(1025), CON).code == 0x80
        device.ping()


def test_odd_tokens(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        for token in (b"", b"12", b"12345678"):
            answer = device.request(1, [(11, b"t")], token=token)
            assert (answer.code, answer.token) == (0x45, token)
        device.answer(pack_token(b"12"), 0x45, b"x")
        device.ping()


def pack_token(token):
    """A message that has nothing but a token."""
    from cloud.device import Msg

    return Msg(CON, 0, 0, token, [], b"", b"")


def test_unsubscribed_and_oversized_events(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect(tail=False) as device:
        device.subscribe("a")
        api("POST", "/v1/devices/events", {"name": "b", "data": "no"})
        api("POST", "/v1/devices/events", {"name": "a1", "data": "x" * 700})  # short Hello: 600
        api("POST", "/v1/devices/events", {"name": "a2", "data": "yes"})
        assert device.recv().path == ["E", "a2"]
        device.ping()
        assert cloud.services.sessions.get(device_id).dropped_events == 1


def test_concurrent_devices(cloud, api, keys):
    from cloud.running import provision

    ids = [provision(api, keys[0]) for _ in range(20)]
    failures = []

    def live(device_id):
        try:
            with cloud.device(keys[0], device_id).connect() as device:
                for _ in range(20):
                    device.ping()
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=live, args=(device_id,)) for device_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not failures
