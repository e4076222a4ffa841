"""Repetition and duplicates: exact bounds on a fake clock, then over sockets in fast time."""

import random
import struct

import pytest

from cloud.device import ACK, CON, NON, pack
from cloud.running import provision_ec
from cloud.test_session import run_beside
from cloud.test_udp_session import listening, state_of, wait_for
from particle_tools.cloud.udp.reliability import REMEMBERED_S, Reliability


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
        assert due.again == ([(b"m", len(times) + 1)] if len(times) < 4 else [])
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
    assert sorted(reliability.due(7).again)[:1] == [(b"\0", 2)]
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


@pytest.fixture
def device(held, rest, ec_key):
    """A connected device of it."""
    with held.udp_device(ec_key, provision_ec(rest, ec_key)) as device:
        yield device.connect()


def keep_alive(held, device, mid=[0x7000]):  # noqa: B006
    """Send a message that is no acknowledgement, and wait until it has come: it is there."""
    mid[0] += 1
    seen, stop = listening(held, device.id)
    device.send(pack(NON, 2, mid[0], options=[(11, b"E"), (11, b"alive")]))
    wait_for(lambda: "alive" in [event.name for event in list(seen)])
    stop()


def test_a_lost_request_is_repeated(held, rest, device):
    device.describe(["f"], {})
    value = run_beside(rest, "POST", f"/v1/devices/{device.id}/f", {"arg": "1"})
    first = device.recv()
    keep_alive(held, device)
    held.pass_time(3.9)
    assert device.recv(0) is None
    held.pass_time(2.2)
    second = device.recv()
    assert second.raw == first.raw
    device.answer(second, 0x44, struct.pack(">i", 5))
    assert value()[1]["return_value"] == 5
    numbers = device.client.server_numbers
    assert len(set(numbers)) == len(numbers)


def test_one_message_never_acknowledged_while_the_rest_is(held, rest, device):
    """It is sent four times and dropped; the session stays (3.3, 4.5)."""
    device.subscribe("lost")
    rest("POST", "/v1/devices/events", {"name": "lost", "data": "lost"})
    assert device.recv().payload == b"lost"
    times = [0]
    for second in range(1, 100):
        held.pass_time(1)
        if second % 5 == 0:
            keep_alive(held, device)
        got = device.recv(0)
        if got is not None:
            assert got.payload == b"lost"
            times.append(second)
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert len(gaps) == 3 and 4 <= gaps[0] <= 7 and 8 <= gaps[1] <= 13 and 16 <= gaps[2] <= 25
    assert state_of(rest, device.id)["online"] is True
    assert state_of(rest, device.id)["unacknowledged"] == 0
    device.ping()


def test_a_device_that_acknowledges_nothing_goes_offline(held, rest, ec_key):
    device_id = provision_ec(rest, ec_key)
    with held.udp_device(ec_key, device_id) as device:
        device.connect(platform=13)  # cellular: its silence alone would take 46 minutes
        device.subscribe("a")
        rest("POST", "/v1/devices/events", {"name": "a", "data": "1"})
        held.pass_time(59)
        assert state_of(rest, device_id)["online"] is True
        held.pass_time(33)
        assert held.last_end(device_id) == "the device acknowledges nothing"
        assert len({device.recv().raw for _ in range(4)}) == 1 and device.recv(0) is None
        device.ping()  # and is back
        assert state_of(rest, device_id)["online"] is True


def test_events_beyond_what_a_device_acknowledges_are_dropped(held, rest, device):
    device.subscribe("b")
    session = held.services.sessions.get(device.id)

    def burst():
        for _ in range(100):
            session.send_event("b", b"x" * 900)

    held.call(burst)
    state = state_of(rest, device.id)
    assert (state["unacknowledged"], state["dropped_events"]) == (64, 36)
    got = []
    while len({m.mid for m in got}) < 64:
        got.append(device.recv())
        device.acknowledge(got[-1])
    wait_for(lambda: state_of(rest, device.id)["unacknowledged"] == 0)


def test_silence_ends_the_session_after_twice_the_keep_alive(held, rest, ec_key):
    """50 s for Wi-Fi, 46 min for cellular (rest-api 7.3)."""
    wifi, cellular = provision_ec(rest, ec_key), provision_ec(rest, ec_key)
    first, second = (held.udp_device(ec_key, i) for i in (wifi, cellular))
    with first, second:
        second.connect(platform=13)
        first.connect()
        held.pass_time(50)
        assert state_of(rest, wifi)["online"] is True
        held.pass_time(2)
        assert held.last_end(wifi) == "nothing came from the device for 50 s"
        held.pass_time(2700, step=10)
        state = state_of(rest, cellular)
        assert state["online"] is True and state["keep_alive_s"] == 1380
        held.pass_time(20)
        assert held.last_end(cellular) == "nothing came from the device for 2760 s"
        first.ping()
        assert state_of(rest, wifi)["online"] is True


def test_a_slower_keep_alive_is_learned(held, rest, device):
    for _ in range(3):
        held.pass_time(40)
        device.ping()
    state = state_of(rest, device.id)
    assert state["online"] and 39 < state["keep_alive_s"] < 41
    held.pass_time(79)
    assert state_of(rest, device.id)["online"] is True
    held.pass_time(3)
    assert held.last_end(device.id) == "nothing came from the device for 80 s"


def test_the_device_repeats_a_message_for_45_s(held, device):
    """The same message, up to four times in new records, while answers get lost (3.3)."""
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"once")])
    seen, stop = listening(held, device.id)
    for wait in (0, 6, 12, 24):
        held.pass_time(wait)
        device.send(event)
        assert device.recv().raw == pack(ACK, 0, device.mid)
    stop()
    assert [event.name for event in seen] == ["once"]


def test_the_newest_acknowledged_ids_are_stored():
    reliability = Reliability()
    for mid in range(40):
        reliability.new(mid, 0.0)
        if mid % 2:
            reliability.answered(mid, b"\x60\x00" + mid.to_bytes(2, "big"))
    assert reliability.done() == b"".join(mid.to_bytes(2, "big") for mid in range(9, 40, 2))
    again = Reliability()
    again.restore(reliability.done(), 1.0)
    assert again.done() == reliability.done()
    assert not again.new(39, 2.0) and again.new(38, 2.0)


def test_what_everything_waits_for_is_repeated_sooner():
    reliability = Reliability()
    # nothing is known of the path: after one second, and twice that, then as any other
    reliability.sending(1, b"s", 10.0)
    reliability.soon(1, 10.0)
    times = []
    while reliability.waiting:
        now = reliability.deadline()
        times.append(now - 10.0)
        due = reliability.due(now)
        assert due.again or due.given_up == [10.0]
    assert times[:2] == [1.0, 3.0] and 4 <= times[2] < 6
    assert len(times) == 6 and reliability.retransmissions == 5
    # an answer to the first transmission tells how long it takes
    for mid in range(2, 30):
        reliability.sending(mid, b"m", 100.0)
        assert reliability.acknowledged(mid, 100.4)
    # one that may be to a repetition does not
    reliability.sending(30, b"m", 100.0)
    assert reliability.due(107.0).again
    assert reliability.acknowledged(30, 107.1)
    reliability.sending(31, b"s", 200.0)
    reliability.soon(31, 200.0)
    assert round(reliability.deadline() - 200.0, 6) == 0.8
    assert reliability.acknowledged(31, 200.2)
    reliability.soon(31, 200.0)  # too late
    assert reliability.deadline() is None
    for _ in range(200):
        reliability.sending(32, b"m", 300.0)
        reliability.acknowledged(32, 300.001)
    reliability.sending(33, b"s", 400.0)
    reliability.soon(33, 400.0)
    assert round(reliability.deadline() - 400.0, 6) == 0.3
