"""Updates that a device took, showed, and gave up later: they are failures then."""

import pytest

from cloud.device import random_id
from cloud.ota_device import (
    PLATFORM,
    accept,
    chunks,
    describe,
    description,
    digest,
    ended,
    finish,
    image,
    reaches,
    take,
    upload,
)
from cloud.running import provision_ec
from cloud.test_firmwares import release, store, update, versioned
from cloud.test_uploads import queue
from particle_tools.cloud.updates import APPLIED, LOST, MODULE, File
from particle_tools.local import wait_for

RESET = "spark/device/last_reset"
SAID = "update_rollback, version 8: three boots did not reach the cloud"
NEW = image(1000, 8)


@pytest.fixture
def told(held):
    """What the account is told of updates of a device."""
    events = []
    held.call(held.services.bus.listen, 1, events.append)
    yield lambda device_id: [
        e.data for e in events if e.core_id == device_id and e.name == "spark/flash/status"
    ]
    held.call(held.services.bus.forget, 1, events.append)


def test_a_success_that_is_given_up_is_a_failure_once(held, rest, ec_key, told):
    with held.udp_device(ec_key, provision_ec(rest, ec_key)) as device:
        device.connect()
        describe(device, description(digest(image(600, 7))))
        upload(rest, device.id, NEW)
        update(device, NEW)
        assert ended(rest, device.id) == ("success", None)
        device.publish(RESET, b"update")
        device.ping_through()
        assert ended(rest, device.id) == ("success", None)
        for _ in range(2):
            device.publish(RESET, SAID.encode())
            device.ping_through()
        assert ended(rest, device.id) == ("failed", SAID)
        assert wait_for(lambda: b"failed" in told(device.id), 30)
        assert told(device.id) == [b"started", b"success", b"failed"]


def test_a_release_that_is_given_up_is_tried_three_times(held, rest, ec_key):
    body = {"name": f"p{random_id()}", "platform_id": PLATFORM}
    found = rest("POST", "/local/v1/products", body)[1]
    product = f"/v1/products/{found['product']['id']}"
    store(rest, product, 1)
    release(rest, product, 1)
    device_id = provision_ec(rest, ec_key)
    assert rest("POST", f"{product}/devices", {"id": device_id})[1]["updated"] == 1
    with held.udp_device(ec_key, device_id) as device:
        for n in range(1, 5):
            come_back(device)
            if n == 4:
                break
            describe(device, description(b"x" * 32))
            update(device, versioned(1))
            assert ended(rest, device_id)[0] == "success"
            device.publish(RESET, SAID.encode())
            device.ping_through()
            assert ended(rest, device_id) == ("failed", SAID) and len(queue(rest, device_id)) == n
        device.ping_through()
        assert len(queue(rest, device_id)) == 3


def taken(held, device_id, **values):
    """Queue an update as if the device had taken it so far; return it."""
    updates = held.services.updates
    held.run(updates.queue(device_id, [File("app.bin", MODULE, NEW)]))
    found = held.run(updates.take(device_id))
    held.run(updates.note(found, **values))
    return found


@pytest.mark.parametrize(
    ("values", "states"),
    [
        pytest.param({"position": 1}, ["failed", "success"], id="assets on their way"),
        pytest.param({"phase": APPLIED}, ["failed", "success"], id="not shown yet"),
        pytest.param({}, ["started", "failed"], id="not there yet"),
    ],
)
def test_which_update_is_meant(held, rest, ec_key, values, states):
    device_id = provision_ec(rest, ec_key)
    updates = held.services.updates
    held.run(updates.finish(taken(held, device_id)))
    taken(held, device_id, **values)
    held.run(updates.rolled_back(device_id, SAID))
    assert [each["state"] for each in queue(rest, device_id)] == states


def come_back(device):
    """Be there again after a reset."""
    device.rebind()
    device.client = type(device.client)(device.client.key, device.client.server_spki)
    device.inbox.clear()
    device.connect()


@pytest.mark.parametrize("first", ["description", "reason", "question"])
def test_what_is_given_up_before_it_was_seen(held, rest, ec_key, told, first):
    old = description(digest(image(600, 7)))
    with held.udp_device(ec_key, provision_ec(rest, ec_key)) as device:
        device.connect()
        describe(device, old)
        upload(rest, device.id, NEW)
        accept(device, take(device, "S"))
        chunks(device, 2, 512)
        finish(device)
        reaches(rest, device.id, phase="applied")
        device.publish(RESET, SAID.encode())  # of what it had before
        reaches(rest, device.id, state="started")
        come_back(device)
        if first != "reason":
            describe(device, old)
            accept(device, take(device, "S"))
            last = take(device, "F")
        if first == "description":
            finish(device, last)
            state, error = ended(rest, device.id)
            assert state == "failed" and error.startswith(LOST)
        device.publish(RESET, SAID.encode())
        if first == "question":  # it was asked what it has, and is about to be told to forget it
            finish(device, last)
        reaches(rest, device.id, state="failed", error=SAID)
        assert wait_for(lambda: b"failed" in told(device.id), 30)
        device.ping_through()
        assert told(device.id) == [b"started", b"failed"]


@pytest.mark.parametrize("phase", ["finishing", "applied"])
def test_what_a_device_took_and_cannot_start(held, rest, ec_key, told, phase):
    said = "update_error, [Errno 28] ENOSPC"
    with held.udp_device(ec_key, provision_ec(rest, ec_key)) as device:
        device.connect()
        describe(device, description(digest(image(600, 7))))
        device.publish(RESET, b"update_error")  # of something that was before
        upload(rest, device.id, NEW)
        accept(device, take(device, "S"))
        chunks(device, 2, 512)
        last = take(device, "F")
        reaches(rest, device.id, phase="finishing")
        if phase == "applied":
            finish(device, last)
            reaches(rest, device.id, phase="applied")
        device.publish(RESET, said.encode())
        assert ended(rest, device.id) == ("failed", said)
        assert wait_for(lambda: b"failed" in told(device.id), 30)
        # the next one begins at once
        upload(rest, device.id, image(900, 9))
        accept(device, take(device, "S"))


def test_another_failure_keeps_its_reason(held, rest, ec_key):
    device_id = provision_ec(rest, ec_key)
    updates = held.services.updates
    held.run(updates.finish(taken(held, device_id), "the module is damaged, error -1330"))
    held.run(updates.rolled_back(device_id, SAID))
    assert queue(rest, device_id)[0]["error"] == "the module is damaged, error -1330"


def test_an_old_success_stays_one(held, rest, ec_key):
    device_id = provision_ec(rest, ec_key)
    updates = held.services.updates
    held.run(updates.rolled_back(device_id, SAID))  # of what it got from somewhere else
    held.run(updates.finish(taken(held, device_id)))
    held.pass_time(2 * 86400, 3600)
    held.run(updates.rolled_back(device_id, SAID))
    assert queue(rest, device_id)[0]["state"] == "success"
