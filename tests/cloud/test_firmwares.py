"""Products' firmware: versions, staged releases, locked devices; who is given what, and when."""

import struct
import zlib
from hashlib import sha256

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
    take,
    upload,
    value,
)
from cloud.running import provision_ec
from cloud.test_uploads import BOUNDARY, bundle, multipart, queue

FILE_SIZE = 2057


def versioned(version, product=PLATFORM, size=1000, begin=b""):
    """Make an application that names its product and version; begin: its first bytes."""
    data = image(size - 4, version)[:-40]
    data = data[:4] + struct.pack("<I", len(data) + 4 + 36) + data[8:]
    data = data[:24] + begin + data[24 + len(begin) :]
    data += struct.pack("<HHH", product, version, 0)
    data += sha256(data).digest() + struct.pack("<H", 40)
    return data + zlib.crc32(data).to_bytes(4, "big")


@pytest.fixture
def product(rest):
    """The path of a new product."""
    status, body = rest(
        "POST", "/local/v1/products", {"name": f"p{random_id()}", "platform_id": PLATFORM}
    )
    assert status == 200
    return f"/v1/products/{body['product']['id']}"


def store(rest, product, version, data=None, *, name="app.bin"):
    content = versioned(version) if data is None else data
    fields = [("version", None, str(version).encode()), ("title", None, b"t")]
    raw = multipart(("binary", name, content), *fields)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return rest("POST", f"{product}/firmware", raw=raw, headers=headers)


def release(rest, product, version, **more):
    status, body = rest("PUT", f"{product}/firmware/release", {"version": version, **more})
    assert status == 200, body
    return body


def member(rest, product, ec_key, **noted):
    """Make a device of the product that never connected."""
    device_id = provision_ec(rest, ec_key)
    body = {"id": device_id}
    assert rest("POST", f"{product}/devices", body)[1]["updated"] == 1
    if noted:
        assert rest("PUT", f"{product}/devices/{device_id}", noted)[0] == 200
    return device_id


def target(rest, device_id):
    return rest("GET", f"/v1/devices/{device_id}")[1]["targeted_firmware_release_version"]


def test_versions(rest, product):
    status, body = store(rest, product, 3)
    assert (status, body["version"], body["title"], body["current"]) == (200, 3, "t", False)
    assert body["size"] == len(versioned(3)) and body["device_count"] == 0
    assert store(rest, product, 3)[0] == 409
    assert store(rest, product, 4, bundle({"a.bin": versioned(4), "assets/x": b"x"}))[0] == 200
    assert [f["version"] for f in rest("GET", f"{product}/firmware")[1]] == [4, 3]
    assert rest("GET", f"{product}/firmware/3/binary")[1] == versioned(3)
    status, body = rest("PUT", f"{product}/firmware/3", {"title": "new"})
    assert (status, body["title"]) == (200, "new")
    release(rest, product, 3)
    assert rest("GET", f"{product}/firmware/3")[1]["current"] is True
    assert rest("DELETE", f"{product}/firmware/3")[0] == 409
    assert rest("DELETE", f"{product}/firmware/4") == (200, {"ok": True})
    for path in ("/4", "/x", "/99999", "/4/binary"):
        assert rest("GET", f"{product}/firmware{path}")[0] == 404
    assert rest("GET", "/v1/products/9/firmware")[0] == 404


@pytest.mark.parametrize(
    ("version", "data", "words"),
    [
        (5, versioned(6), "version 6"),
        (5, versioned(5, product=9), "for product 9"),
        (5, versioned(5, begin=b"MPAB"), "pack it with --product"),
        (5, image(), "names no product"),
        (5, image(function=4), "no application"),
        (5, b"x", "not a firmware module"),
        (65535, versioned(5), "0 to 65534"),
        (5, bundle({"assets/x": b"x"}), "no application"),
    ],
)
def test_uploads_that_are_refused(rest, product, version, data, words):
    status, body = store(rest, product, version, data)
    assert status == 400 and words in body["error"], body
    assert rest("GET", f"{product}/firmware")[1] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": "x"},
        {"version": 1, "percentage": 101},
        {"version": 1, "percentage": -1},
        {"version": 1, "groups": [1]},
        {"version": 1, "groups": ["a b"]},
        {"version": 1, "groups": ["a"], "product_default": True},
        {"version": 1, "paused": "perhaps"},
        {"version": 1, "percent": 10},
    ],
)
def test_releases_that_are_refused(rest, product, body):
    store(rest, product, 1)
    assert rest("PUT", f"{product}/firmware/release", body)[0] == 400
    assert rest("PUT", f"{product}/firmware/release", {"version": 2})[0] == 404


def test_who_is_meant(rest, product, ec_key):
    for version in (1, 2, 3):
        store(rest, product, version)
    plain = member(rest, product, ec_key)
    grouped = member(rest, product, ec_key, groups=["beta"])
    locked = member(rest, product, ec_key, desired_firmware_version=3)
    mine = member(rest, product, ec_key, development=True)
    bad = member(rest, product, ec_key, quarantined=True)
    devices = (plain, grouped, locked, mine, bad)
    assert [target(rest, d) for d in devices] == [None, None, 3, None, None]
    release(rest, product, 1)
    release(rest, product, 2, groups=["beta"])
    assert [target(rest, d) for d in devices] == [1, 2, 3, None, None]
    release(rest, product, 2, groups="beta", paused=True)
    assert target(rest, grouped) is None
    release(rest, product, 1, percentage=0)
    assert target(rest, plain) is None


def test_a_release_to_a_group_that_nobody_is_in(rest, product, ec_key):
    """A mistyped name would release to nobody, and say that it went well."""
    store(rest, product, 1)
    grouped = member(rest, product, ec_key, groups=["beta"])
    body = {"version": 1, "groups": ["beta", "betta"]}
    status, answer = rest("PUT", f"{product}/firmware/release", body)
    assert status == 404 and "Group betta not found" in answer["error"]
    assert target(rest, grouped) is None
    release(rest, product, 1, groups=["beta"])
    assert target(rest, grouped) == 1
    # who is released to may leave; the release can still be paused
    assert rest("PUT", f"{product}/devices/{grouped}", {"groups": []})[0] == 200
    release(rest, product, 1, groups=["beta"], paused=True)


def test_a_growing_share_only_adds_devices(held, rest, product):
    store(rest, product, 1)
    # Which devices a share means depends on the number of the version: so many that every
    # number gives about the share.
    ids = [f"{n:024x}" for n in range(1000)]

    async def add():
        def job(db):
            for device_id in ids:
                db.execute("DELETE FROM devices WHERE id = ?", (device_id,))
                db.execute("INSERT INTO devices (id, created_at) VALUES (?, 0)", (device_id,))
                db.execute(
                    "INSERT INTO product_devices (device_id, product_id) VALUES (?, ?)",
                    (device_id, int(product.rpartition("/")[2])),
                )

        await held.services.db.write(job)

    held.run(add())
    meant, counts = set(), []
    for percentage in (0, 10, 50, 100):
        release(rest, product, 1, percentage=percentage)
        now = held.call(lambda: set(filter(held.services.firmwares.target, ids)))
        assert meant <= now
        meant = now
        counts.append(len(now))
    assert counts[0] == 0 and counts[3] == 1000
    assert 50 < counts[1] < 150 and 400 < counts[2] < 600


def test_a_pause_changes_nobodys_share(rest, product):
    store(rest, product, 1)
    store(rest, product, 2)
    assert share(release(rest, product, 1, percentage=10)) == (10, False)
    assert share(release(rest, product, 1, paused=True)) == (10, True)
    assert share(release(rest, product, 1)) == (10, False)
    assert share(release(rest, product, 2)) == (100, False)


def share(released):
    (only,) = released["releases"]
    return only["percentage"], only["paused"]


def update(device, data, *, proof=True):
    """Take an update and restart."""
    start = take(device, "S")
    assert value(start, FILE_SIZE) == len(data)
    accept(device, start)
    assert chunks(device, 2, 512) == data
    finish(device)
    device.rebind()
    device.client = type(device.client)(device.client.key, device.client.server_spki)
    device.inbox.clear()
    device.connect()
    describe(device, description(digest(data) if proof else b"x" * 32))


def test_a_release_reaches_a_device_that_connects_once(held, rest, product, ec_key):
    store(rest, product, 1)
    release(rest, product, 1)
    with held.udp_device(ec_key, member(rest, product, ec_key)) as device:
        device.connect()
        update(device, versioned(1))
        assert ended(rest, device.id) == ("success", None)
        device.ping_through()
        assert len(queue(rest, device.id)) == 1  # its Hello says nothing of the version


def test_what_a_device_does_not_keep_is_tried_three_times(held, rest, product, ec_key):
    store(rest, product, 1)
    with held.udp_device(ec_key, member(rest, product, ec_key)) as device:
        device.connect()
        for n in range(1, 5):
            release(rest, product, 1, intelligent=True)
            if n == 4:
                break
            update(device, versioned(1), proof=False)
            accept(device, take(device, "S"))
            finish(device)
            assert ended(rest, device.id)[0] == "failed"
            assert len(queue(rest, device.id)) == n
        device.ping_through()
        assert len(queue(rest, device.id)) == 3


def test_a_locked_device_is_flashed_at_once(held, rest, product, ec_key):
    store(rest, product, 7)
    with held.udp_device(ec_key, member(rest, product, ec_key)) as device:
        device.connect()
        body = {"desired_firmware_version": 7, "flash": True}
        assert rest("PUT", f"{product}/devices/{device.id}", body)[0] == 200
        update(device, versioned(7))
        assert ended(rest, device.id)[0] == "success"
        assert upload(rest, device.id, image()) == "Update started"  # its user may go on
