"""A device on the UDP gateway: what every message does."""

import json
import struct
import time

import pytest

from cloud.device import ACK, CON, NON, RST, VARIABLE_TYPES, VARIABLE_VALUES, pack
from cloud.test_session import run_beside
from cloud.udp_device import Alert


@pytest.fixture(scope="module")
def time_stands():
    return True


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device."""
    with cloud.udp_device(ec_key, udp_id) as device:
        yield device.connect()


def state_of(api, device_id):
    return {s["id"]: s for s in api("GET", "/local/v1/sessions")[1]}[device_id]


def listening(cloud, device_id):
    """Return the list of the device's events to come, and what ends it.

    Devices of earlier tests are still believed online: what is told of them is left out.
    """
    seen, bus = [], cloud.services.bus
    owner = cloud.call(cloud.services.devices.get, device_id).owner

    def hear(event):
        if event.core_id == device_id:
            seen.append(event)

    cloud.call(bus.listen, owner, hear)
    return seen, lambda: cloud.call(bus.forget, owner, hear)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_hello_online_describe_and_get(cloud, api, device):
    device.describe(["led"], {"temp": 9})
    body = api("GET", f"/v1/devices/{device.id}")[1]
    assert body["online"] is True and body["functions"] == ["led"]
    assert body["variables"] == {"temp": "double"} and body["last_ip_address"] == "127.0.0.1"
    assert body["system_firmware_version"] == "6.2.0" and body["last_handshake_at"]
    state = state_of(api, device.id)
    assert state["transport"] == "udp" and state["message_limit"] == 1152
    assert state["connection_id"] == device.keys.cid.hex()
    assert state["address"] == "%s:%d" % device.address


def test_function_call(api, device):
    device.describe(["relay"], {})
    value = run_beside(api, "POST", f"/v1/devices/{device.id}/relay", {"args": "on"})
    call = device.recv()
    assert (call.type, call.code, len(call.token)) == (CON, 2, 1)
    assert call.options == [(11, b"f"), (11, b"relay"), (15, b"on")]
    device.answer(call, 0x44, struct.pack(">i", -3))
    assert value()[1]["return_value"] == -3


def test_variables_of_every_type(api, device):
    device.describe([], VARIABLE_TYPES)
    for name, (payload, expected) in VARIABLE_VALUES.items():
        value = run_beside(api, "GET", f"/v1/devices/{device.id}/{name}")
        device.answer(device.recv(), 0x45, payload)
        assert value()[1]["result"] == expected


def test_the_longest_argument_and_value(api, device):
    device.describe(["f"], {"s": 4})
    value = run_beside(api, "POST", f"/v1/devices/{device.id}/f", {"args": "x" * 1024})
    call = device.recv()
    assert call.all(15) == [b"x" * 1024] and len(call.raw) < 1101
    device.answer(call, 0x44, bytes(4))
    assert value()[0] == 200
    value = run_beside(api, "GET", f"/v1/devices/{device.id}/s")
    device.answer(device.recv(), 0x45, b"y" * 1024)
    assert value()[1]["result"] == "y" * 1024


def test_time_and_unknown_requests(cloud, device):
    answer = device.request(1, [(11, b"t")], token=b"\x36")
    assert (answer.code, answer.token, answer.options) == (0x45, b"\x36", [])
    now = cloud.call(cloud.services.clock.time)
    assert int.from_bytes(answer.payload, "big") == int(now) and abs(now - time.time()) < 300
    assert device.request(1, [(11, b"z")], token=b"\x01").code == 0x84
    assert device.request(3, [(11, b"zz")]).code == 0x80
    device.ping()


def test_signal(api, device):
    value = run_beside(api, "PUT", f"/v1/devices/{device.id}", {"signal": "1"})
    signal = device.recv()
    assert (signal.code, signal.options) == (3, [(11, b"s"), (15, b"\x01")])
    device.send(pack(ACK, 0x44, signal.mid, signal.token))
    assert value()[1]["signaling"] is True


def test_ping_from_rest(api, device):
    value = run_beside(api, "PUT", f"/v1/devices/{device.id}/ping")
    ping = device.recv()
    assert ping.raw == pack(CON, 0, ping.mid)
    device.acknowledge(ping)
    assert value()[1]["online"] is True


def test_events_between_devices(cloud, api, device):
    device.subscribe("door")
    mid = device.next_mid()
    device.send(pack(CON, 2, mid, options=[(11, b"E"), (11, b"door/front")], payload=b"yes"))
    got = {m.type: m for m in (device.recv(), device.recv())}
    assert got[ACK].raw == pack(ACK, 0, mid)
    event = got[CON]
    assert (event.type, event.code, event.token) == (CON, 2, b"")
    assert event.options == [(11, b"E"), (11, b"door"), (11, b"front")]  # no Max-Age of 60
    assert event.payload == b"yes"
    device.acknowledge(event)
    assert api("POST", "/v1/devices/events", {"name": "doorbell", "data": "2", "ttl": 9})[0] == 200
    event = device.recv()
    assert event.path == ["E", "doorbell"] and event.payload == b"2"
    device.acknowledge(event)
    device.send(pack(NON, 2, device.next_mid(), options=[(11, b"E"), (11, b"doors")]))
    event = device.recv()
    assert event.path == ["E", "doors"]
    device.acknowledge(event)
    wait_for(lambda: state_of(api, device.id)["unacknowledged"] == 0)


def test_typed_data_is_given_in_the_form_devices_read(device):
    device.request(1, [(11, b"e"), (11, b"typed"), (15, b"c")])
    data = bytes.fromhex("a26474656d70fa41bc0000616e03")
    options = [(11, b"E"), (11, b"typed"), (12, b"\xfd\xe9")]
    device.send(pack(CON, 2, device.next_mid(), options=options, payload=data))
    event = next(m for m in (device.recv(), device.recv()) if m.type == CON)
    assert event.options[2:] == [(12, b"\x3c")] and event.payload == data
    device.acknowledge(event)


def test_an_event_that_is_too_large_is_counted(api, cloud, ec_key, udp_id):
    with cloud.udp_device(ec_key, udp_id).connect(tail=False) as device:
        device.subscribe("big")
        api("POST", "/v1/devices/events", {"name": "big", "data": "x" * 700})
        device.ping()
        assert state_of(api, udp_id)["dropped_events"] == 1


def test_claim_code(api, other_api, cloud, ec_key, udp_id):
    code = other_api("POST", "/v1/device_claims")[1]["claim_code"]
    assert api("DELETE", f"/v1/devices/{udp_id}")[0] == 200
    with cloud.udp_device(ec_key, udp_id).connect() as device:
        device.subscribe("spark")
        mid = device.next_mid()
        options = [(11, b"E"), (11, b"spark/device/claim/code")]
        device.send(pack(CON, 2, mid, options=options, payload=code.encode()))
        got = {m.type: m for m in (device.recv(), device.recv())}
        assert got[ACK].mid == mid and got[CON].path[-1] == "code"
        device.acknowledge(got[CON])
        assert other_api("GET", f"/v1/devices/{udp_id}")[1]["online"] is True


def test_describe_in_blocks(api, device):
    functions = [f"function_{i:03}" for i in range(100)]
    body = json.dumps({"f": functions, "v": {}}, separators=(",", ":")).encode()
    assert len(body) > 1024
    for number in range(2):
        more, token = number == 0, device.next_token()
        block = bytes([number << 4 | more << 3 | 6])
        options = [(11, b"d"), (15, b"\x02"), (27, block)]
        answer = device.request(2, options, body[number << 10 :][:1024], token)
        assert answer.code == (0x5F if more else 0x44) and answer.token == token
        assert answer.options == [(27, block)]
    assert api("GET", f"/v1/devices/{device.id}")[1]["functions"] == functions


@pytest.mark.parametrize(
    "blocks",
    [
        [(1, True, 1024)],
        [(0, True, 1024), (2, False, 5)],
        [(0, True, 1000)],
        [(0, True, 1024), (1, True, 512)],
    ],
)
def test_blocks_that_do_not_fit(api, device, blocks):
    device.describe(["kept"], {})
    for number, more, n in blocks:
        block = bytes([number << 4 | more << 3 | 6])
        options = [(11, b"d"), (15, b"\x02"), (27, block)]
        answer = device.request(2, options, bytes(n), device.next_token())
    assert answer.code == 0x88
    assert api("GET", f"/v1/devices/{device.id}")[1]["functions"] == ["kept"]


def test_a_body_without_end(device):
    for number in range(64):
        option = (number << 4 | 8 | 6).to_bytes(2, "big").lstrip(b"\0")
        options = [(11, b"d"), (15, b"\x02"), (27, option)]
        assert device.request(2, options, bytes(1024), b"\x01").code == 0x5F
    options = [(11, b"d"), (15, b"\x02"), (27, (64 << 4 | 8 | 6).to_bytes(2, "big"))]
    assert device.request(2, options, bytes(1024), b"\x01").code == 0x88


def test_a_describe_that_is_asked_for_comes_in_blocks(api, cloud, ec_key, udp_id):
    body = json.dumps({"f": [f"function_{i:03}" for i in range(200)], "v": {}}).encode()
    with cloud.udp_device(ec_key, udp_id).handshake() as device:
        device.hello(flags=0)
        for number in range((len(body) + 1023) // 1024):
            ask = device.recv()
            block = [(23, bytes([number << 4 | 6]))] if number else []
            assert (ask.type, ask.code) == (CON, 1) and ask.options == [(11, b"d"), *block]
            device.acknowledge(ask)
            more = (number + 1) * 1024 < len(body)
            options = [(4, b"\x07"), (23, bytes([number << 4 | more << 3 | 6]))]
            mid, payload = device.next_mid(), body[number << 10 :][:1024]
            message = pack(CON, 0x45, mid, ask.token, options=options, payload=payload)
            device.send(message)
            got = [device.recv()]
            if got[0].type != ACK:  # the next request may be first
                got.append(device.recv())
                device.inbox.insert(0, got[0])
            assert got[-1].raw == pack(ACK, 0, mid)
        wait_for(lambda: len(api("GET", f"/v1/devices/{udp_id}")[1]["functions"]) == 200)


def test_vitals_posted_and_asked_for(cloud, api, device):
    values = struct.pack("<BHHH", 0, 4, 2, 4)
    for number, value in ((6, 3600), (25, 160000), (24, 2), (3 | 0x8000, -120), (1, 140)):
        values += struct.pack("<Hi", number, value)
    seen, stop = listening(cloud, device.id)
    answer = device.request(2, [(11, b"d"), (15, b"\x04")], values, b"\x09")
    assert answer.code == 0x44
    assert api("POST", f"/v1/diagnostics/{device.id}/update")[0] == 202
    ask = device.recv()
    assert ask.options == [(11, b"d"), (15, b"\x04")]
    device.answer(ask, 0x45, values)
    wait_for(lambda: len(seen) == 2)
    stop()
    for event in seen:
        assert event.name == "spark/device/diagnostics/update"
        body = json.loads(event.data)
        assert body["device"]["system"] == {"uptime": 3600, "memory": {"total": 160000}}
        assert body["device"]["power"] == {"source": "USB host"}
    assert device.request(2, [(11, b"d"), (15, b"\x04")], values[:-1], b"\x09").code == 0x44


def test_a_device_is_told_that_there_are_no_ledgers(device):
    for request, payload in ((bytes.fromhex("080112020a00"), "1a00"), (b"\x08\x04", "0804")):
        answer = device.request(2, [(11, b"L")], request, b"\x05")
        assert (answer.code, answer.token, answer.payload.hex()) == (0x44, b"\x05", payload)


def test_goodbye_keeps_the_keys(cloud, api, device):
    answer = device.request(2, [(11, b"x")], b"\x01\x02")
    assert answer.raw == pack(ACK, 0, device.mid)
    assert cloud.last_end(device.id) == "the device said goodbye"
    device.resume()
    device.ping()
    assert api("GET", f"/v1/devices/{device.id}")[1]["online"] is True


def test_persisted_events_count_once(cloud, api, device):
    seen, stop = listening(cloud, device.id)
    for number, data in ((b"\1", b"a"), (b"\1", b"a"), (b"\2", b"b"), (b"\1", b"a"), (b"", b"0")):
        assert device.publish("p", data, _65000=number).code == 0
    assert device.publish("p", b"x", _65000=bytes(5)).code == 0x80
    wait_for(lambda: len(seen) == 3)
    assert [event.data for event in seen] == [b"a", b"b", b"0"]
    stop()
    kept = api("GET", f"/local/v1/devices/{device.id}/persisted-events")[1]
    assert [row["number"] for row in kept] == [1, 2, 0]


def test_the_last_512_numbers_are_kept(cloud, api, device):
    window = 32
    for start in range(0, 600, window):
        mids = [device.next_mid() for _ in range(window)]
        for i, mid in enumerate(mids):
            options = [(11, b"E"), (11, b"p"), (65000, (start + i).to_bytes(2, "big"))]
            device.send(pack(CON, 2, mid, options=options))
        got = {device.recv().mid for _ in mids}
        assert got == set(mids)
    kept = api("GET", f"/local/v1/devices/{device.id}/persisted-events")[1]
    assert [row["number"] for row in kept] == list(range(96, 608))


def test_drop_tells_the_device_and_forget_does_not(cloud, api, device):
    assert api("POST", f"/local/v1/devices/{device.id}/drop-session")[1]["dropped"] is True
    assert device.recv(0.5) is None and device.client.closed
    assert cloud.last_end(device.id) == "dropped on request"
    device.send(pack(CON, 0, device.next_mid()))
    assert device.recv_raw(0.2) is None
    assert api("POST", f"/local/v1/devices/{device.id}/drop-session")[1]["dropped"] is False


def test_forgotten_session_is_met_with_silence(api, device):
    path = f"/local/v1/devices/{device.id}/forget-session"
    assert api("POST", path)[1]["forgotten"] is True
    assert device.recv_raw(0.2) is None
    device.send(pack(CON, 0, device.next_mid()))
    assert device.recv_raw(0.2) is None and not device.client.closed


def test_offline_on_request_and_back_by_itself(cloud, api, device):
    path = f"/local/v1/devices/{device.id}/offline"
    assert api("POST", path)[1]["was_online"] is True
    assert api("GET", f"/v1/devices/{device.id}")[1]["online"] is False
    assert api("POST", path)[1]["was_online"] is False
    device.ping()
    assert api("GET", f"/v1/devices/{device.id}")[1]["online"] is True


def test_close_notify_and_fatal_alerts(cloud, api, ec_key, udp_id):
    for alert, reason in ((b"\1\0", "closed the DTLS session"), (b"\2\x28", "alert 40")):
        with cloud.udp_device(ec_key, udp_id).connect() as device:
            device.send_raw(device.seal(b"\1\x5a", kind=21))  # a warning: nothing happens
            device.ping()
            device.send_raw(device.seal(alert, kind=21))
            assert reason in cloud.last_end(udp_id)
            assert (device.recv(0.3) is None) and device.client.closed == (alert[0] == 1)
            device.send(pack(CON, 0, device.next_mid()))
            assert device.recv_raw(0.2) is None


def test_a_hello_in_a_resumed_session(cloud, api, device):
    """The application's state has changed: subscriptions are void until they come again (2.6)."""
    device.subscribe("old")
    device.resume()
    device.hello(flags=0xB7)
    state = state_of(api, device.id)
    assert state["flags"] == 0xB7 and state["subscriptions"] == []
    device.subscribe("new")
    api("POST", "/v1/devices/events", {"name": "old", "data": "1"})
    api("POST", "/v1/devices/events", {"name": "new", "data": "1"})
    event = device.recv()
    assert event.path == ["E", "new"]
    device.acknowledge(event)
    answer = device.request(2, [(11, b"h")], bytes(8) + b"\0\x0c" + bytes(12))
    assert answer.code == 0x80  # somebody else's id
    device.ping()


def test_a_second_handshake_replaces_the_first(cloud, api, ec_key, udp_id):
    first, second = (cloud.udp_device(ec_key, udp_id).connect() for _ in range(2))
    with first, second:
        assert "replaced" in cloud.services.sessions.ended(udp_id).reason
        second.ping()
        first.send(pack(CON, 0, first.next_mid()))
        assert first.recv_raw(0.2) is None
        assert api("GET", f"/v1/devices/{udp_id}")[1]["online"] is True


def test_udp_and_tcp_replace_each_other(cloud, api, keys, ec_key, device_id):
    from cloud.running import provision_ec

    provision_ec(api, ec_key, device_id)
    udp = cloud.udp_device(ec_key, device_id).connect()
    tcp = cloud.device(keys[0], device_id).connect()
    with udp, tcp:
        assert state_of(api, device_id)["transport"] == "tcp"
        udp.ping()
        assert state_of(api, device_id)["transport"] == "udp"
        assert tcp.ended()


def test_repeated_messages_are_answered_once_again(cloud, api, device):
    """The same message in a new record: the same answer, one effect (3.4)."""
    seen, stop = listening(cloud, device.id)
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"once")])
    time_request = pack(CON, 1, device.next_mid(), b"\x07", options=[(11, b"t")])
    for message in (event, event, time_request, time_request, event):
        device.send(message)
    got = [device.recv().raw for _ in range(5)]
    assert got[0] == got[1] == got[4] and got[2] == got[3]
    stop()
    assert len(seen) == 1
    assert state_of(api, device.id)["repeats"] == 3


def test_a_record_that_comes_twice(device):
    record = device.seal(pack(CON, 0, device.next_mid()))
    device.send_raw(record)
    device.send_raw(record)
    assert device.recv().type == ACK and device.recv(0.3) is None


def test_many_records_in_a_datagram_and_their_answers_in_few(device):
    for count in (2, 10, 29):
        mids = [device.next_mid() for _ in range(count)]
        device.up, device.down = [], []
        device.send_raw(b"".join(device.seal(pack(CON, 0, mid), pad=0) for mid in mids))
        assert [device.recv().mid for _ in mids] == mids
        assert len(device.down) == (count * 33 + 1199) // 1200


def test_what_is_no_coap_is_ignored(device):
    for content in (b"", b"\0", b"\xff\xff\xff\xff", b"\x4f\1\0\0", b"\x40\0\0\0x", bytes(1100)):
        device.send(content)
    assert device.recv(0.2) is None
    device.send(pack(RST, 0, 7) + b"x")
    device.ping()


def test_fatal_alert_from_the_cloud_is_an_alert(cloud, ec_key):
    with cloud.udp_device(ec_key, "ab" * 12).handshake() as device, pytest.raises(Alert):
        device.hello()


def test_the_meter(cloud, api, ec_key, udp_id):
    with cloud.udp_device(ec_key, udp_id).connect() as device:
        usage = api("GET", f"/local/v1/usage/{udp_id}")[1]
        assert usage["datagram_up"] == sum(device.up) and usage["datagrams_up"] == 4
        assert usage["datagram_down"] == sum(device.down) and usage["datagrams_down"] == 4
        assert usage["handshakes"] == 1 and usage["resumes"] == 0
        assert usage["network_estimate"] == sum(device.up) + sum(device.down) + 8 * 28
        device.resume()
        device.ping()
        usage = api("GET", f"/local/v1/usage/{udp_id}")[1]
        assert (usage["handshakes"], usage["resumes"], usage["pings"]) == (1, 1, 1)
