"""A device that comes back on its session: what waits for it goes on, safe mode may be over."""

import asyncio

import pytest

from cloud.device import ACK, CON, pack
from cloud.running import provision_ec
from cloud.test_session import run_beside
from cloud.test_udp_session import listening, state_of
from particle_tools.cloud.exchanges import Exchanges
from particle_tools.cloud.metering import CALL, OTHER, READ, UPDATE


@pytest.fixture
def device(held, rest, ec_key):
    """A device with a function and a variable, at a cloud whose time stands still."""
    with held.udp_device(ec_key, provision_ec(rest, ec_key)) as device:
        device.connect()
        device.describe(["f"], {"v": 2})
        yield device


def back(device):
    """Come back with a ping."""
    device.resume()
    mid = device.next_mid()
    device.send(pack(CON, 0, mid))
    assert device.recv().raw == pack(ACK, 0, mid)


def read(api, device):
    return run_beside(api, "GET", f"/v1/devices/{device.id}/v")


def call(api, device):
    return run_beside(api, "POST", f"/v1/devices/{device.id}/f", {"args": "x"})


@pytest.mark.parametrize(
    ("ask", "code", "key"), [(read, 0x45, "result"), (call, 0x44, "return_value")]
)
def test_what_the_device_has_not_seen_is_sent_again_at_once(rest, device, ask, code, key):
    """Under its old ID: who has seen it all the same does it once (3.4)."""
    value = ask(rest, device)
    lost = device.recv()
    back(device)
    again = device.recv()
    assert again.raw == lost.raw
    device.answer(again, code, (7).to_bytes(4, "big"))
    status, body = value()
    assert (status, body[key]) == (200, 7), body
    device.ping()  # there is no third one
    state = state_of(rest, device.id)
    assert (state["unacknowledged"], state["retransmissions"]) == (0, 1)


def test_several_requests(rest, device):
    values = [ask(rest, device) for ask in (read, call, read)]
    lost = sorted(device.recv().raw for _ in values)
    back(device)
    again = [device.recv() for _ in values]
    assert sorted(message.raw for message in again) == lost
    for message in again:
        device.answer(message, 0x45 if message.path[0] == "v" else 0x44, bytes(4))
    assert [value()[0] for value in values] == [200] * 3


@pytest.mark.parametrize("ask", [read, call])
def test_what_the_device_has_seen_is_not_asked_twice(rest, device, ask):
    """It may be what has reset the device."""
    value = ask(rest, device)
    device.acknowledge(device.recv())
    device.ping()  # the cloud has that acknowledgement
    back(device)
    assert value()[0] == 408
    device.ping()


def test_a_call_is_sent_once_more_and_a_read_until_it_is_seen(held, rest, device):
    """A call that resets the device before its acknowledgement is out is no endless loop."""
    values = [ask(rest, device) for ask in (read, call)]
    lost = [device.recv() for _ in values]
    back(device)
    again = [device.recv() for _ in values]
    assert sorted(message.raw for message in again) == sorted(message.raw for message in lost)
    held.pass_time(12.1)
    assert device.recv().path == ["v", "v"]
    device.ping()
    back(device)
    assert device.recv().path == ["v", "v"]
    held.pass_time(8)
    assert [value()[0] for value in values] == [408, 408]
    device.ping()


def test_a_ping_is_answered_by_coming_back(rest, device):
    value = run_beside(rest, "PUT", f"/v1/devices/{device.id}/ping")
    device.recv()
    back(device)
    assert value()[1] == {"online": True, "ok": True}


def test_an_event_is_not_repeated_to_who_comes_back(rest, device):
    """It would be handled twice by a device that was reset by it."""
    device.subscribe("door")
    rest("POST", "/v1/devices/events", {"name": "door", "data": "1"})
    assert device.recv().path == ["E", "door"]
    back(device)
    device.ping()
    assert state_of(rest, device.id)["unacknowledged"] == 0


def test_a_goodbye_ends_what_waits(rest, device):
    value = call(rest, device)
    device.recv()
    assert device.request(2, [(11, b"x")], b"\x01\x02").raw == pack(ACK, 0, device.mid)
    assert value()[0] == 408
    back(device)
    device.ping()


def test_the_table_of_requests():
    async def run():
        table = Exchanges()
        kinds = (CALL, READ, UPDATE, OTHER, CALL)
        asked = [table.open(mid, kind) for mid, kind in enumerate(kinds)]
        following = table.go_on(lambda mid: mid != 4)
        assert [e for e in asked if e.table is following] == asked[:2]
        assert following.knows(0) and not table.knows(0) and table.knows(4)
        assert following.harmless(1) and not following.harmless(0)
        new = following.open(5, READ)
        assert new.token not in [e.token for e in asked]
        asked[0].close()
        assert not following.knows(0) and following.go_on(lambda mid: True).knows(5)

    asyncio.run(run())


def status(api, device):
    return api("GET", f"/v1/devices/{device.id}")[1]["status"]


def say_safe_mode(device):
    assert device.publish("spark/device/safemode").code == 0


def test_who_comes_back_without_a_word_has_left_safe_mode(held, rest, device):
    say_safe_mode(device)
    assert status(rest, device) == "safe_mode"
    back(device)
    held.pass_time(10)  # what it may have to say is repeated when it is lost
    assert status(rest, device) == "safe_mode"
    device.ping()
    held.pass_time(11)
    assert status(rest, device) == "normal"
    say_safe_mode(device)
    assert status(rest, device) == "safe_mode"


def test_who_comes_back_and_says_so_is_in_safe_mode(held, rest, device):
    """The event comes with every connection (ota-and-boot 2.4)."""
    say_safe_mode(device)
    for say in (say_safe_mode, None):
        if say:
            back(device)
            say(device)
        else:
            device.rebind()  # another address of the same connection
            device.ping()
        for _ in range(2):
            held.pass_time(20)
            device.ping()
        assert status(rest, device) == "safe_mode"


def goodbye(device):
    """Say goodbye in a datagram that is not sent yet."""
    return device.seal(pack(CON, 2, device.next_mid(), options=[(11, b"x")], payload=b"\x01\x02"))


def online(api, device):
    return api("GET", f"/v1/devices/{device.id}")[1]["online"]


def arrives(device, datagram):
    """Let a datagram arrive that was sent from an earlier address; return what it is answered."""
    device.send_raw(datagram)
    return device.recv()


def test_a_goodbye_that_was_overtaken_by_coming_back_is_too_late(rest, device):
    late, mid = goodbye(device), device.mid
    back(device)
    assert arrives(device, late).raw == pack(ACK, 0, mid)
    assert online(rest, device)
    value = call(rest, device)
    device.answer(device.recv(), 0x44, (7).to_bytes(4, "big"))
    assert value()[1]["return_value"] == 7
    assert arrives(device, goodbye(device)).raw == pack(ACK, 0, device.mid)
    assert not online(rest, device)


def test_overtaken_by_a_connection_that_heard_nothing_before_it(rest, device):
    """Three connections: the second one was never answered, and its goodbye comes last."""
    device.resume()
    device.send(pack(CON, 0, device.next_mid()))
    late, mid = goodbye(device), device.mid
    device.recv()
    device.resume()
    device.ping()
    assert arrives(device, late).raw == pack(ACK, 0, mid)
    assert online(rest, device)


def test_what_a_goodbye_has_overtaken_puts_nobody_online(held, rest, device):
    """The event counts; its device has gone."""
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"last")])
    late, mid = device.seal(event), device.mid
    assert arrives(device, goodbye(device)).raw == pack(ACK, 0, device.mid)
    assert not online(rest, device)
    seen, stop = listening(held, device.id)
    assert arrives(device, late).raw == pack(ACK, 0, mid)
    assert not online(rest, device)
    device.ping()
    assert online(rest, device)
    stop()
    assert [event.name for event in seen] == ["last", "spark/status"]


def test_two_goodbyes_in_the_wrong_order(rest, device):
    first, mid = goodbye(device), device.mid
    back(device)
    assert arrives(device, goodbye(device)).raw == pack(ACK, 0, device.mid)
    assert arrives(device, first).raw == pack(ACK, 0, mid)
    assert not online(rest, device)


def test_a_goodbye_whose_acknowledgement_is_lost(rest, device):
    """It is repeated under its message ID in a new record."""
    message = pack(CON, 2, device.next_mid(), options=[(11, b"x")], payload=b"\x01\x02")
    for _ in range(2):
        device.send(message)
        assert device.recv().raw == pack(ACK, 0, device.mid)
        assert not online(rest, device)


def test_what_is_repeated_behind_a_goodbye_puts_nobody_online(rest, device):
    """Its acknowledgement was lost. Who has come back and repeats it is there."""
    event = pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"last")])
    mid = device.mid
    assert arrives(device, device.seal(event)).raw == pack(ACK, 0, mid)
    assert arrives(device, goodbye(device)).raw == pack(ACK, 0, device.mid)
    assert arrives(device, device.seal(event)).raw == pack(ACK, 0, mid)
    assert not online(rest, device)
    device.resume()
    assert arrives(device, device.seal(event)).raw == pack(ACK, 0, mid)
    assert online(rest, device)
