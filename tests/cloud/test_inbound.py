"""What a device may send in all its spellings: Describe, subscriptions, system events."""

import time

import pytest

from cloud.device import ACK, CON, NON, pack
from cloud.running import provision
from particle_tools.cloud.settings import Limits

ASKED = 0x16  # Hello flags without "describes itself": the cloud asks
BOTH = b'{"f":["led"],"v":{"temp":9},"p":3,"m":[]}'
APPLICATION = b'{"f":["led"],"v":{"temp":9}}'
SYSTEM = b'{"p":3,"m":[]}'


@pytest.fixture(scope="module")
def limits():
    return Limits(answer_s=1.0)


def description(api, device_id):
    body = api("GET", f"/v1/devices/{device_id}")[1]
    return body["functions"], body["variables"]


def wait_for_description(api, device_id):
    for _ in range(300):
        functions, variables = description(api, device_id)
        if functions:
            return functions, variables
        time.sleep(0.01)
    raise AssertionError("the Describe was not stored")


FORMS = {
    "application": (b"\x02", b"\x31", APPLICATION),
    "both": (b"\x03", b"\x31", BOTH),
    "both, no query": (None, b"\x31", BOTH),
    "no token": (b"\x02", b"", APPLICATION),
}


@pytest.mark.parametrize("form", FORMS)
def test_posted_describe(cloud, api, keys, device_id, form):
    query, token, body = FORMS[form]
    options = [(11, b"d")] + ([(15, query)] if query else [])
    with cloud.device(keys[0], device_id).connect() as device:
        answer = device.request(2, options, body, token=token)
        # An empty ACK carries no token, and a device that sent none can match nothing else.
        assert (answer.code, answer.token) == ((0x44, token) if token else (0, b""))
        assert description(api, device_id) == (["led"], {"temp": "double"})


def test_posted_system_and_metrics(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {})
        for query, content_format, body in (
            (b"\x01", 0, SYSTEM),
            (b"\x01", 42, bytes.fromhex("0a19080218e807")),
            (b"\x04", 0, bytes.fromhex("000400020004000100")),
        ):
            formats = [(12, bytes([content_format]))] if content_format else []
            answer = device.request(2, [(11, b"d"), *formats, (15, query)], body, token=b"\x05")
            assert answer.code == 0x44
        assert description(api, device_id) == (["f"], {})
        row = cloud.call(
            cloud.services.db.one, "SELECT * FROM describes WHERE device_id = ?", device_id
        )
        assert bytes(row["system"]).hex() == "0a19080218e807" and row["system_format"] == 42


BAD_DESCRIBES = [
    b"",
    b"{",
    b"[]",
    b"7",
    b'{"f":5}',
    b'{"v":["temp"]}',
    b'{"v":{"temp":"warm"}}',
    b"\xff\xfe",
    b"[" * 1900,
    b'{"f":' + b"[" * 1900,
]


def test_bad_describes_are_refused_and_change_nothing(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["f"], {"v": 2})
        for body in BAD_DESCRIBES:
            answer = device.request(2, [(11, b"d"), (15, b"\x02")], body, token=b"\x05")
            assert answer.code == 0x80, body
        assert description(api, device_id) == (["f"], {"v": "int32"})


ANSWERS = {
    "one separate CON": [(CON, BOTH)],
    "one separate NON": [(NON, BOTH)],
    "piggybacked": [(ACK, BOTH)],
    "two, system first": [(CON, SYSTEM), (CON, APPLICATION)],
    "two, application first": [(NON, APPLICATION), (NON, SYSTEM)],
}


@pytest.mark.parametrize("form", ANSWERS)
def test_describe_is_asked_for(cloud, api, keys, device_id, form):
    with cloud.device(keys[0], device_id).connect(ASKED) as device:
        ask = device.recv()
        assert (ask.type, ask.code, ask.options, len(ask.token)) == (CON, 1, [(11, b"d")], 1)
        if form != "piggybacked":
            device.acknowledge(ask)
        frames = b""
        for type_, body in ANSWERS[form]:
            mid = ask.mid if type_ == ACK else device.next_mid()
            frames += device.seal(pack(type_, 0x45, mid, ask.token, payload=body))
        device.send_raw(frames)  # in one segment: the second must not be lost
        assert wait_for_description(api, device_id) == (["led"], {"temp": "double"})
        for type_, _ in ANSWERS[form]:
            if type_ == CON:
                assert device.recv().type == ACK
        device.ping()


@pytest.mark.parametrize("how", ["nothing", "4.00", "RST", "nonsense"])
def test_a_device_that_does_not_describe_itself_stays(cloud, api, keys, device_id, how):
    with cloud.device(keys[0], device_id).connect(ASKED) as device:
        ask = device.recv()
        if how == "4.00":
            device.send(pack(ACK, 0x80, ask.mid, ask.token))
        elif how == "RST":
            device.send(pack(3, 0, ask.mid))
        elif how == "nonsense":
            device.answer(ask, 0x45, b"\x00\x01")
        else:
            time.sleep(1.2)
        device.ping()
        assert description(api, device_id) == ([], {})


SUBSCRIPTIONS = {
    "plain": ([(11, b"e"), (11, b"door")], b""),
    "my devices": ([(11, b"e"), (11, b"door"), (15, b"u")], b""),
    "binary": ([(11, b"e"), (11, b"door"), (15, b"b")], b""),
    "split name": ([(11, b"e"), (11, b"door"), (11, b"front")], b""),
}


@pytest.mark.parametrize("form", SUBSCRIPTIONS)
def test_subscription_forms(cloud, api, keys, device_id, form):
    options, payload = SUBSCRIPTIONS[form]
    with cloud.device(keys[0], device_id).connect() as device:
        assert device.request(1, options, payload).code == 0
        device.request(1, options, payload, NON)
        api("POST", "/v1/devices/events", {"name": "door/front/open", "data": "1"})
        assert device.recv().payload == b"1"
        device.ping()  # once, although subscribed twice


def test_subscription_to_one_device(cloud, api, keys, device_id):
    source, noise = provision(api, keys[0]), provision(api, keys[0])
    with (
        cloud.device(keys[0], device_id).connect() as device,
        cloud.device(keys[0], source).connect() as one,
        cloud.device(keys[0], noise).connect() as other,
    ):
        device.request(1, [(11, b"e"), (11, b"x")], source.upper().encode())
        other.publish("x", b"no", CON)
        one.publish("x", b"yes", CON)
        assert device.recv().payload == b"yes"
        assert device.request(1, [(11, b"e"), (11, b"x")], b"short").code == 0x80


def test_subscriptions_are_bounded(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        codes = [device.request(1, [(11, b"e"), (11, f"p{i}".encode())]).code for i in range(101)]
        assert codes == [0] * 100 + [0x80]


def test_events_stay_inside_the_account(cloud, api, other_api, keys, device_id):
    foreign = provision(other_api, keys[0])
    with (
        cloud.device(keys[0], device_id).connect() as device,
        cloud.device(keys[0], foreign).connect() as other,
    ):
        device.subscribe("x")
        other.subscribe("x")
        other.publish("x", b"foreign", NON)
        assert other.recv().payload == b"foreign"
        device.ping()


def test_asked_values_go_to_the_asking_device_only(cloud, api, keys, device_id):
    name = f"lamp {device_id}"
    assert api("PUT", f"/v1/devices/{device_id}", {"name": name})[0] == 200
    second = provision(api, keys[0])
    with (
        cloud.device(keys[0], device_id).connect() as device,
        cloud.device(keys[0], second).connect() as other,
    ):
        other.subscribe("particle")
        for prefix in ("particle", "spark"):
            for what, check in (
                ("name", lambda data: data == name.encode()),
                ("ip", lambda data: data == b"127.0.0.1"),
                ("random", lambda data: len(data) == 40),
            ):
                device.publish(f"{prefix}/device/{what}", b"")
                event = device.recv()
                assert event.path == ["E", prefix, "device", what] and check(event.payload)
        other.ping()


def test_system_events_are_not_sent_back(cloud, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("particle")
        device.subscribe("spark")
        for name in ("particle/device/updates/enabled", "spark/device/last_reset"):
            assert device.publish(name, b"true", CON).code == 0
        device.ping()


def test_messages_of_the_public_vectors_in_one_session(cloud, keys, device_id):
    """Every device message of the vectors that exists on TCP, with ids made consecutive."""
    from cloud.test_vectors import VECTORS

    with cloud.device(keys[0], device_id).connect() as device:
        for vector in VECTORS["coap"]:
            if vector["direction"] != "device->cloud":
                continue
            raw = bytearray.fromhex(vector["hex"])
            if raw[0] >> 4 & 3 >= ACK or vector["name"].startswith(("goodbye", "server")):
                continue
            raw[2:4] = device.next_mid().to_bytes(2, "big")
            device.send(bytes(raw))
        mid = device.next_mid()
        device.send(pack(CON, 0, mid))
        while device.recv().raw != pack(ACK, 0, mid):
            pass
    assert cloud.last_end(device_id) == "the device closed the connection"
