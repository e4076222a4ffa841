"""OTA protocol v3 as the cloud speaks it: a device by hand, time that the tests let pass."""

import hashlib

import pytest

from cloud.device import CON, pack
from cloud.ota_device import (
    CANCEL,
    CHUNK_INDEX,
    CHUNK_SIZE,
    DISCARD,
    FILE_SHA,
    FILE_SIZE,
    FUNCTION,
    accept,
    acknowledge,
    chunks,
    describe,
    description,
    digest,
    ended,
    finish,
    image,
    reaches,
    refuse,
    reset,
    running,
    separate,
    take,
    upload,
    value,
)
from cloud.running import provision_ec
from cloud.test_uploads import queue
from particle_tools.local import wait_for

OLD, NEW = image(600, 7), image(2000, 8)
COUNT = 4  # chunks of NEW


@pytest.fixture
def device(held, rest, ec_key):
    """A device that runs OLD."""
    with running(held, ec_key, provision_ec(rest, ec_key), OLD) as found:
        yield found


@pytest.fixture
def told(held):
    """What the account is told of firmware: (name, data)."""
    events = []
    held.call(held.services.bus.listen, 1, events.append)
    yield lambda device: [
        (e.name.rpartition("/")[2], e.data) for e in events if e.core_id == device.id
    ]
    held.call(held.services.bus.forget, 1, events.append)


def again(device, body):
    """Come back with a new handshake, as after a reset, and describe."""
    fresh = type(device)(device.port, device.client.server_spki, device.client.key, device.id)
    fresh.connect()
    describe(fresh, body)
    return fresh


def begin(api, device, data=NEW, **answer):
    upload(api, device.id, data)
    start = take(device, "S")
    accept(device, start, **answer)
    return start


def test_an_update_from_start_to_proof(held, rest, device, told):
    assert upload(rest, device.id, NEW) == "Update started"
    start = take(device, "S")
    assert (value(start, FILE_SIZE), value(start, CHUNK_SIZE)) == (2000, 512)
    assert start.all(FILE_SHA) == [hashlib.sha256(NEW).digest()]
    assert (value(start, FUNCTION), len(start.token)) == (5, 1)
    accept(device, start)
    assert chunks(device, COUNT, 512) == NEW
    finish(device)
    reaches(rest, device.id, phase="applied", stored=2000)
    again(device, description(digest(NEW))).close()
    assert ended(rest, device.id) == ("success", None)
    app = ("app-hash", digest(NEW).hex().encode())
    status = [("status", b"started"), ("status", b"success")]
    assert wait_for(lambda: status[1] in told(device), 30)
    assert [e for e in told(device) if e in (app, *status)] == [status[0], app, status[1]]
    usage = rest("GET", f"/local/v1/usage/{device.id}")[1]
    assert usage["ota_bytes"] > 2000 and usage["operations"] == 0


def test_a_device_that_comes_back_without_it(held, rest, device):
    begin(rest, device)
    chunks(device, COUNT, 512)
    finish(device)
    reaches(rest, device.id, phase="applied")
    with again(device, description(digest(OLD))) as fresh:
        accept(fresh, take(fresh, "S"))  # it has nothing of the file any more
        cancel = take(fresh, "F")
        assert cancel.all(CANCEL) == cancel.all(DISCARD) == [b""]
        finish(fresh, cancel)
    state, error = ended(rest, device.id)
    assert state == "failed" and "came back without" in error


@pytest.mark.parametrize(("said", "state"), [("update", "success"), ("power_down", "failed")])
def test_a_device_that_describes_no_application(held, rest, device, said, state):
    begin(rest, device)
    chunks(device, COUNT, 512)
    finish(device)
    reaches(rest, device.id, phase="applied")
    with again(device, description(assets=[b"x" * 32])) as fresh:
        fresh.publish("spark/device/last_reset", said.encode())
        fresh.ping_through()
        held.pass_time(1)
        if state == "failed":
            accept(fresh, take(fresh, "S"))
            finish(fresh)
        found, error = ended(rest, device.id)
    assert found == state and (error is None or said in error)


def test_a_device_that_has_it_but_did_not_hear_the_acknowledgement(held, rest, device):
    begin(rest, device)
    chunks(device, COUNT, 512)
    finish(device)
    reaches(rest, device.id, phase="applied")
    fresh = again(device, description(digest(OLD)))
    accept(fresh, take(fresh, "S"), offset=len(NEW))
    finish(fresh)
    reaches(rest, device.id, phase="applied")
    again(fresh, description(digest(NEW))).close()
    assert ended(rest, device.id)[0] == "success"


def test_a_device_that_is_busy_until_it_restarts(held, rest, device):
    begin(rest, device)
    chunks(device, COUNT, 512)
    finish(device)
    reaches(rest, device.id, phase="applied")
    with again(device, description(digest(OLD))) as fresh:
        refuse(fresh, take(fresh, "S"), -110)
        # as often as its application likes: that is no attempt
        error = 'the device is busy ("Unknown error"), error -110'
        reaches(rest, device.id, state="started", phase="applied", attempts=0, error=error)
    again(device, description(digest(NEW))).close()
    assert ended(rest, device.id) == ("success", None)


def test_it_goes_on_where_the_device_says(held, rest, device):
    start = begin(rest, device)
    take(device, "C")
    device.resume()
    device.ping_through()
    second = take(device, "S")
    assert second.all(FILE_SHA) == start.all(FILE_SHA)
    accept(device, second, offset=1000)
    assert chunks(device, 2, 512) == NEW[1000:]
    finish(device)


def test_a_lost_chunk_is_sent_again(held, rest, device):
    data = image(12 * 512, 9)
    begin(rest, device, data)
    seen = [value(take(device, "C"), CHUNK_INDEX) for _ in range(4)]
    assert seen == [1, 2, 3, 4]
    acknowledge(device, 0, b"\x0e\0\0\0")  # all but the first
    assert value(take(device, "C"), CHUNK_INDEX) == 1
    acknowledge(device, 4)
    more = sorted(value(take(device, "C"), CHUNK_INDEX) for _ in range(4))
    assert more == [5, 6, 7, 8]


def test_everything_lost_is_sent_again_in_time(held, rest, device):
    begin(rest, device)
    for _ in range(COUNT):
        take(device, "C")
    held.pass_time(5)
    assert value(take(device, "C"), CHUNK_INDEX) == 1
    acknowledge(device, COUNT)
    finish(device)


def test_a_chunk_outside_the_windows_of_the_device_is_not_sent(held, rest, device):
    begin(rest, device, window=2)
    assert [value(take(device, "C"), CHUNK_INDEX) for _ in range(2)] == [1, 2]
    assert device.recv(0.2) is None
    acknowledge(device, 1)
    assert value(take(device, "C"), CHUNK_INDEX) == 3


def test_acknowledgements_that_cannot_be_true_end_it(held, rest, device):
    begin(rest, device)
    for _ in range(40):
        acknowledge(device, 200)
        acknowledge(device, 0, b"\x01\0\0\0")
    reaches(rest, device.id, error="the device acknowledges chunks that were never sent")
    assert queue(rest, device.id)[0]["state"] == "started"  # it is tried again
    held.pass_time(25)
    accept(device, take(device, "S"))


def test_a_device_that_takes_no_new_chunk(held, rest, device):
    begin(rest, device)
    for _ in range(20):
        acknowledge(device, 0)
        held.pass_time(5, 2.5)
    reaches(rest, device.id, error="the device acknowledges, but takes no new chunk")


def test_a_chunk_answered_by_rst_begins_anew(held, rest, device):
    begin(rest, device)
    reset(device, take(device, "C"))
    reaches(rest, device.id, error="the device has given the update up")
    held.pass_time(25)
    accept(device, take(device, "S"))
    assert chunks(device, COUNT, 512) == NEW
    finish(device)


@pytest.mark.parametrize(
    ("code", "words"), [(-1330, "damaged"), (-1360, "platform"), (-1351, "size"), (-5, "error -5")]
)
def test_a_refusal_is_the_end(rest, device, told, code, words):
    upload(rest, device.id, NEW)
    refuse(device, take(device, "S"), code, "no\\u0007 way")
    state, error = ended(rest, device.id)
    assert state == "failed" and words in error and f"error {code}" in error
    assert '("no way")' in error
    assert wait_for(lambda: ("status", b"failed") in told(device), 30)


def test_a_refusal_at_the_end(rest, device):
    begin(rest, device)
    chunks(device, COUNT, 512)
    refuse(device, take(device, "F"), -1340)
    assert ended(rest, device.id)[0] == "failed"


def test_a_device_that_takes_no_updates_now(held, rest, device):
    upload(rest, device.id, NEW)
    refuse(device, take(device, "S"), -1380)
    pending = take(device, "E")
    assert (pending.path[-1], pending.payload) == ("pending", b"true")
    device.acknowledge(pending)
    assert queue(rest, device.id)[0]["state"] == "waiting"
    device.publish("particle/device/updates/enabled", b"true")
    accept(device, take(device, "S"))


@pytest.mark.parametrize("options", [(), ((2053, b"\x10"),), ((2053, b""), (2057, b""))])
def test_an_answer_to_the_start_that_makes_no_sense(rest, device, options):
    upload(rest, device.id, NEW)
    start = take(device, "S")
    device.acknowledge(start)
    separate(device, 0x41, start.token, options)
    reaches(rest, device.id, error="the device's answer to the start makes no sense")


def test_a_device_that_never_answers_is_given_up(held, rest, device):
    upload(rest, device.id, NEW)
    for _ in range(1000):
        if queue(rest, device.id)[0]["ended_at"]:
            break
        device.ping_through()  # it is there
        held.pass_time(15, 5)
    assert ended(rest, device.id) == ("failed", "the device did not answer")


def test_a_newer_file_takes_the_place_of_one_on_its_way(rest, device):
    begin(rest, device)
    take(device, "C")
    other = image(900, 10)
    upload(rest, device.id, other)
    start = take(device, "S")
    assert value(start, FILE_SIZE) == 900
    assert [u["state"] for u in queue(rest, device.id)] == ["started", "replaced"]
    accept(device, start)
    assert chunks(device, 2, 512) == other


def test_what_a_device_says_of_updates_does_not_begin_it_anew(rest, device):
    begin(rest, device)
    take(device, "C")
    mid = device.next_mid()
    name = [(11, word) for word in (b"E", b"particle", b"device", b"updates", b"enabled")]
    device.send(pack(CON, 2, mid, options=name, payload=b"true"))
    acknowledge(device, COUNT)
    finish(device)
    reaches(rest, device.id, phase="applied", attempts=1)


def test_a_canceled_update_is_forgotten_by_the_device(rest, device):
    begin(rest, device)
    path = f"/local/v1/devices/{device.id}/updates"
    assert rest("DELETE", path) == (200, {"ok": True, "canceled": True})
    stop = take(device, "F")
    assert stop.all(CANCEL) == stop.all(DISCARD) == [b""]
    finish(device, stop)
    assert queue(rest, device.id)[0]["state"] == "canceled"


def test_what_a_device_has_cannot_be_canceled(rest, device):
    path = f"/local/v1/devices/{device.id}/updates"
    begin(rest, device)
    chunks(device, COUNT, 512)
    last = take(device, "F")
    for phase in ("finishing", "applied"):
        reaches(rest, device.id, phase=phase)
        status, body = rest("DELETE", path)
        assert status == 409 and "cannot be canceled" in body["error"]
        if phase == "finishing":
            finish(device, last)
    again(device, description(digest(NEW))).close()
    assert ended(rest, device.id) == ("success", None)


def test_a_device_that_does_not_come_back(held, rest, device):
    begin(rest, device)
    chunks(device, COUNT, 512)
    finish(device)
    reaches(rest, device.id, phase="applied")
    held.pass_time(2 * 86400, 3600)
    state, error = ended(rest, device.id)
    assert state == "failed" and "did not come back" in error
