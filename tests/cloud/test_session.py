"""A device on the TCP gateway: what every message does."""

import struct
import threading
import time

from cloud.device import ACK, CON, NON, VARIABLE_TYPES, VARIABLE_VALUES, pack


def run_beside(function, *args):
    """Start a function in a thread; the returned call waits for its value."""
    box = []
    thread = threading.Thread(target=lambda: box.append(function(*args)))
    thread.start()

    def value():
        thread.join(60)
        return box[0]

    return value


def test_hello_online_describe_and_get(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["led", "relay"], {"temp": 9, "count": 2, "name": 4, "on": 1})
        status, body = api("GET", f"/v1/devices/{device_id}")
        assert status == 200
        assert body["online"] is body["connected"] is True
        assert body["functions"] == ["led", "relay"]
        assert body["variables"] == {
            "temp": "double",
            "count": "int32",
            "name": "string",
            "on": "bool",
        }
        assert body["product_id"] == 3 and body["platform_id"] == 3
        assert body["system_firmware_version"] == "6.2.0"
        assert body["last_ip_address"] == "127.0.0.1"
    assert cloud.last_end(device_id) == "the device closed the connection"
    body = api("GET", f"/v1/devices/{device_id}")[1]
    assert body["online"] is body["connected"] is False
    assert body["functions"] == ["led", "relay"]


def test_function_call(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["relay"], {})
        value = run_beside(api, "POST", f"/v1/devices/{device_id}/relay", {"args": "on"})
        call = device.recv()
        assert (call.type, call.code, len(call.token)) == (CON, 2, 1)
        assert call.options == [(11, b"f"), (11, b"relay"), (15, b"on")]
        device.acknowledge(call)
        device.answer(call, 0x44, struct.pack(">i", -3))
        status, body = value()
        assert status == 200 and body["return_value"] == -3 and body["connected"] is True


def test_call_before_the_describe(cloud, api, keys, device_id):
    """What a device offers is on its way when it has just connected: a caller waits for it."""
    with cloud.device(keys[0], device_id) as device:
        device.connect()
        device.describe(["old"], {})
    with cloud.device(keys[0], device_id).connect() as device:
        value = run_beside(api, "POST", f"/v1/devices/{device_id}/new", {"arg": "1"})
        unknown = run_beside(api, "POST", f"/v1/devices/{device_id}/other", {"arg": "1"})
        time.sleep(0.2)
        device.describe(["new"], {})
        call = device.recv()
        device.acknowledge(call)
        device.answer(call, 0x44, struct.pack(">i", 1))
        assert value()[1]["return_value"] == 1
        assert unknown()[0] == 404


def test_variables_of_every_type(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe([], VARIABLE_TYPES)
        for name, (payload, expected) in VARIABLE_VALUES.items():
            value = run_beside(api, "GET", f"/v1/devices/{device_id}/{name}")
            ask = device.recv()
            assert ask.options == [(11, b"v"), (11, name.encode())]
            device.acknowledge(ask)
            device.answer(ask, 0x45, payload)
            status, body = value()
            assert status == 200 and body["result"] == expected
            assert type(body["result"]) is type(expected)


def test_time_ping_and_unknown_request(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        answer = device.request(1, [(11, b"t")], token=b"\x36")
        assert (answer.code, answer.token, answer.options) == (0x45, b"\x36", [])
        assert abs(int.from_bytes(answer.payload, "big") - time.time()) < 5
        device.ping()
        assert device.request(1, [(11, b"z")], token=b"\x01").code == 0x84
        device.ping()


def test_events_between_devices(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("door")
        device.publish("door/front/open", b"yes")
        event = device.recv()
        assert (event.type, event.code, event.token) == (NON, 2, b"")
        assert event.path == ["E", "door", "front", "open"] and event.payload == b"yes"
        assert event.options[-1] == (14, b"\x00\x00\x00\x3c")
        assert api("POST", "/v1/devices/events", {"name": "doorbell", "data": "2"})[0] == 200
        event = device.recv()
        assert event.path == ["E", "doorbell"] and event.payload == b"2"
        assert device.publish("window", b"acknowledged", CON).raw == pack(ACK, 0, device.mid)
