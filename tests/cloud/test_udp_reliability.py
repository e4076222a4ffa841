"""Repetition and duplicates: exact bounds on a fake clock, then over sockets in fast time."""

import random
import struct
import time

import pytest

from cloud.device import ACK, CON, NON, pack
from cloud.running import USER, Api, Running, provision_ec
from cloud.test_session import run_beside
from cloud.test_udp_session import listening, state_of, wait_for
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.udp_reliability import REMEMBERED_S, Reliability


def message(mid):
    return pack(CON, 0, mid)


@pytest.mark.parametrize("seed", range(20))
def test_four_transmissions_then_given_up(seed):
    """4-6, 8-12, 16-24, 32-48 s (3.3)."""
    random.seed(seed)
    reliability, times, begin = Reliability(), [], 1000.0
    reliability.sending(7, b"m", begin)
    assert reliability.due(begin + 3.999).again == []
    while reliability.waiting:
        now = reliability.deadline()
        due = reliability.due(now)
        times.append(now)
        assert due.again == ([b"m"] if len(times) < 4 else [])
        assert due.given_up == ([begin] if len(times) == 4 else [])
    gaps = [b - a for a, b in zip([begin, *times[:-1]], times, strict=True)]
    for gap, low in zip(gaps, (4, 8, 16, 32), strict=True):
        assert low <= gap < low * 1.5
    assert reliability.deadline() is None and reliability.retransmissions == 3


def test_an_acknowledgement_ends_it():
    reliability = Reliability()
    for mid in range(5):
        reliability.sending(mid, bytes([mid]), mid)
    assert reliability.acknowledged(2) and not reliability.acknowledged(2)
    assert not reliability.acknowledged(99)
    assert reliability.waiting == 4
    assert sorted(reliability.due(7).again)[:1] == [b"\0"]
    reliability.forget()
    assert reliability.due(1e9).again == [] and reliability.deadline() is None


def test_duplicates():
    reliability = Reliability()
    assert reliability.new(5, 0.0)
    assert not reliability.new(5, 1.0) and reliability.answer(5) == b""
    reliability.answered(5, b"ack")
    assert not reliability.new(5, 2.0) and reliability.answer(5) == b"ack"
    assert not reliability.new(5, REMEMBERED_S - 0.1)
    assert reliability.new(5, REMEMBERED_S + 0.1) and reliability.answer(5) == b""
    assert reliability.answer(6) == b""
    reliability.answered(6, b"never asked")
    assert reliability.new(6, 200.0)
    assert reliability.repeats == 3


def test_the_memory_for_duplicates_is_bounded():
    reliability = Reliability()
    for mid in range(5000):
        assert reliability.new(mid, 0.001 * mid)
    assert len(reliability._seen) <= 512
    assert not reliability.new(4999, 5.0)


SCALE = 60.0


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """A cloud whose time runs 60 times faster."""
    running = Running(
        Settings(data=tmp_path_factory.mktemp("fast") / "d", user=USER, time_scale=SCALE)
    )
    yield running
    running.stop()


@pytest.fixture
def fast_device(fast, ec_key):
    api = Api(fast.url).login()
    device_id = provision_ec(api, ec_key)
    with fast.udp_device(ec_key, device_id) as device:
        yield api, device.connect()


def keep_alive(device, mid=[0x7000]):  # noqa: B006
    """Send a message that is no acknowledgement: the device is there."""
    mid[0] += 1
    device.send(pack(NON, 2, mid[0], options=[(11, b"E"), (11, b"alive")]))


def test_a_lost_request_is_repeated(fast_device):
    api, device = fast_device
    device.describe(["f"], {})
    value = run_beside(api, "POST", f"/v1/devices/{device.id}/f", {"arg": "1"})
    first = device.recv()
    keep_alive(device)
    second = device.recv(2)
    assert second is not None and second.raw == first.raw
    device.answer(second, 0x44, struct.pack(">i", 5))
    assert value()[1]["return_value"] == 5
    numbers = device.client.server_numbers
    assert len(set(numbers)) == len(numbers)


def test_one_message_never_acknowledged_while_the_rest_is(fast, fast_device):
    """It is sent four times and dropped; the session stays (4.5)."""
    api, device = fast_device
    device.subscribe("lost")
    api("POST", "/v1/devices/events", {"name": "lost", "data": "lost"})
    times = []
    begin = time.monotonic()
    while time.monotonic() - begin < 100 / SCALE:
        keep_alive(device)
        got = device.recv(0.1)
        if got is not None:
            assert got.payload == b"lost"
            times.append((time.monotonic() - begin) * SCALE)
    assert len(times) == 4
    assert state_of(api, device.id)["online"] is True
    assert state_of(api, device.id)["unacknowledged"] == 0
    device.ping()


def test_a_device_that_acknowledges_nothing_goes_offline(fast, fast_device):
    api, device = fast_device
    device.subscribe("a")
    api("POST", "/v1/devices/events", {"name": "a", "data": "1"})
    begin = time.monotonic()
    fast.last_end(device.id)
    assert 40 < (time.monotonic() - begin) * SCALE < 100
    transmissions = 0
    while device.recv(0.05) is not None:
        transmissions += 1
    assert 1 < transmissions <= 4
    device.ping()  # and is back
    assert state_of(api, device.id)["online"] is True


def test_events_beyond_what_a_device_acknowledges_are_dropped(fast, fast_device):
    api, device = fast_device
    device.subscribe("b")
    session = fast.services.sessions.get(device.id)

    def burst():
        for _ in range(100):
            session.send_event("b", b"x" * 900)

    fast.call(burst)
    state = state_of(api, device.id)
    assert (state["unacknowledged"], state["dropped_events"]) == (64, 36)
    got = []
    while len({m.mid for m in got}) < 64:
        got.append(device.recv(1))
        device.acknowledge(got[-1])
    wait_for(lambda: state_of(api, device.id)["unacknowledged"] == 0)


def test_silence_ends_the_session_after_twice_the_keep_alive(fast, ec_key):
    """50 s for Wi-Fi, 46 min for cellular (rest-api 7.3)."""
    api = Api(fast.url).login()
    wifi, cellular = provision_ec(api, ec_key), provision_ec(api, ec_key)
    first, second = (fast.udp_device(ec_key, i) for i in (wifi, cellular))
    with first, second:
        second.connect(platform=13)
        first.connect()
        begin = time.monotonic()
        assert fast.last_end(wifi) == "nothing came from the device for 50 s"
        assert 49 < (time.monotonic() - begin) * SCALE < 60
        state = state_of(api, cellular)
        assert state["online"] is True and state["keep_alive_s"] == 1380
        first.ping()
        assert state_of(api, wifi)["online"] is True


def test_a_slower_keep_alive_is_learned(fast, fast_device):
    api, device = fast_device
    for _ in range(3):
        time.sleep(40 / SCALE)
        device.ping()
    state = state_of(api, device.id)
    assert state["online"] and 39 < state["keep_alive_s"] < 60
    time.sleep(65 / SCALE)
    assert state_of(api, device.id)["online"] is True


def test_the_device_repeats_a_message_for_45_s(fast, fast_device):
    """The same message, up to four times in new records, while answers get lost (3.3)."""
    _, device = fast_device
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"once")])
    seen, stop = listening(fast, device.id)
    for wait in (0, 6, 12, 24):
        time.sleep(wait / SCALE)
        device.send(event)
        assert device.recv().raw == pack(ACK, 0, device.mid)
    stop()
    assert [event.name for event in seen if event.core_id == device.id] == ["once"]
