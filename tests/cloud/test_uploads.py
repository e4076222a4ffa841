"""REST: firmware for devices is checked, kept in a queue of each device, and announced."""

import http.client
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.device import random_id
from cloud.running import Api, Restarted, provision
from firmware_files import GOLDEN, module
from particle_tools.cloud import modules
from particle_tools.cloud.modules import BadModule
from particle_tools.images.modules import application

BOUNDARY = "b0undary"
PLATFORM = 3  # of a test device


def multipart(*parts):
    """Return a body of (field, filename or None, content)."""
    out = b""
    for name, filename, content in parts:
        file = f'; filename="{filename}"' if filename else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        out += head.encode() + content + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def put(api, device_id, *parts, raw=None):
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    body = multipart(*parts) if raw is None else raw
    return api("PUT", f"/v1/devices/{device_id}", raw=body, headers=headers)


def bundle(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def queue(api, device_id):
    return api("GET", f"/local/v1/devices/{device_id}/updates")[1]


@pytest.fixture(scope="module", autouse=True)
def _nobody_transfers(cloud):
    cloud.services.updates.deliver = None


@pytest.fixture
def target(cloud, api, keys, device_id):
    """Give a device that is of PLATFORM, and offline."""
    with cloud.device(keys[0], device_id).connect() as device:
        device.ping()
    cloud.last_end(device_id)
    return device_id


EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_golden_modules(name):
    data = (GOLDEN / name).read_bytes()
    expected = EXPECTED[name].get("modules")
    if expected is None or not all(m["crc32_ok"] and m["sha256_ok"] for m in expected):
        with pytest.raises(BadModule) as caught:
            modules.read(data)
        cut = expected is None
        assert caught.value.code == (modules.NOT_FOUND if cut else modules.INTEGRITY)
        return
    found = modules.read(data)
    assert [(m.function, m.index, m.version, m.platform_id, len(m.data)) for m in found] == [
        (m["function"], m["index"], m["module_version"], m["platform_id"], m["total_size"])
        for m in expected
    ]


def test_modules_cut_off_and_changed_anywhere():
    data = module(PLATFORM)
    for n in range(len(data)):
        with pytest.raises(BadModule):
            modules.read(data[:n])
        with pytest.raises(BadModule):
            modules.read(data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :])
    with pytest.raises(BadModule):
        modules.read(data + b"x")


def test_a_file_waits_and_the_next_replaces_it(api, target):
    good = module(PLATFORM)
    status, body = put(api, target, ("file", "/home/ann/app.bin", good), ("latest", None, b"true"))
    assert (status, body) == (200, {"id": target, "status": "Update queued"})
    (update,) = queue(api, target)
    assert update["state"] == "waiting"
    assert update["files"] == [{"name": "app.bin", "kind": "module", "size": len(good)}]
    second = ("file2", "system.bin", module(PLATFORM, "argon_user.bin"))
    assert put(api, target, ("file", "app.bin", good), second)[0] == 200
    last, first = queue(api, target)
    assert (first["state"], last["state"]) == ("replaced", "waiting")
    assert [f["name"] for f in last["files"]] == ["app.bin", "system.bin"]
    path = f"/local/v1/devices/{target}/updates"
    assert api("DELETE", path) == (200, {"ok": True, "canceled": True})
    assert api("DELETE", path) == (200, {"ok": True, "canceled": False})
    assert queue(api, target)[0]["state"] == "canceled"


def test_the_name_does_not_matter_but_the_content(api, target):
    good = module(PLATFORM)
    assert put(api, target, ("file", "app.ino", good))[0] == 200
    status, body = put(api, target, ("file", "app.ino", b"void setup() {}"))
    assert status == 501 and "no compiler" in body["error_description"]
    status, body = put(
        api, target, ("file", "app", b"void setup() {}"), ("file_type", None, b"binary")
    )
    assert (status, body["code"]) == (400, modules.NOT_FOUND)
    assert put(api, target, ("app_id", None, b"tinker"))[0] == 501
    assert api("PUT", f"/v1/devices/{target}", {"app_id": "tinker"})[0] == 501


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("a.bin", (GOLDEN / "bad_crc.bin").read_bytes(), -1330, "CRC-32"),
        ("a.bin", (GOLDEN / "bad_sha_good_crc.bin").read_bytes(), -1330, "SHA-256"),
        ("a.bin", (GOLDEN / "truncated.bin").read_bytes(), -1300, "cut off"),
        ("a.bin", module(6), -1360, "platform 6"),
        ("a.bin", b"", -1300, "not a firmware module"),
        ("a.zip", bundle({"a.bin": module(6)}), -1360, "platform 6"),
        ("a.zip", bundle({"assets/x": b"x"}), -1300, "no application"),
        ("a.zip", bundle({"../a.bin": module(PLATFORM)}), -1300, "wrong place"),
        ("a.zip", bundle({"a.bin": module(PLATFORM), "assets/a.bin": b""}), -1300, "wrong place"),
        ("a.zip", bundle({"assets/bomb": bytes(17 << 20)}), -1351, "too large"),
        ("a.zip", bundle({"a.bin": module(PLATFORM)})[:-30], -1300, "not a firmware module"),
    ],
)
def test_what_no_device_would_take(api, target, name, content, code, words):
    status, body = put(api, target, ("file", name, content))
    assert (status, body["code"], body["ok"]) == (400, code, False)
    assert words in body["error"] and body["error_description"] == body["error"]
    assert queue(api, target) == []


def test_a_bundle(api, target):
    files = {"app.bin": module(PLATFORM), "assets/cat.txt": b"meow", "assets/empty": b""}
    assert put(api, target, ("file", "app.zip", bundle(files)))[0] == 200
    assert [(f["name"], f["kind"], f["size"]) for f in queue(api, target)[0]["files"]] == [
        ("app.bin", "module", len(files["app.bin"])),
        ("cat.txt", "asset", 4),
        ("empty", "asset", 0),
    ]


def test_a_module_with_a_zip_in_it_is_no_bundle(api, target):
    data = application(bundle({"fonts.txt": b"abc"}), PLATFORM, PLATFORM, 1)
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert put(api, target, ("file", "app.bin", data))[0] == 200
    assert [f["kind"] for f in queue(api, target)[0]["files"]] == ["module"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no boundary",
        multipart(),
        multipart(("latest", None, b"true")),
        multipart(("file", "a.bin", b"x"))[:60],
        multipart(("field", None, b"\xff")),
    ],
)
def test_bodies_that_are_no_upload(api, target, raw):
    status, body = put(api, target, raw=raw)
    assert status == 400 and body["ok"] is False and body["error_description"]
    headers = {"Content-Type": "multipart/form-data"}  # without a boundary
    assert api("PUT", f"/v1/devices/{target}", raw=raw, headers=headers)[0] == 400


def test_an_upload_that_is_too_large(cloud, api, target):
    limit = cloud.services.settings.limits.firmware
    status, body = put(api, target, ("file", "a.bin", bytes(limit + 1)))
    assert status == 413 and body["error_description"]
    fields = [("field", None, bytes(70_000))]
    assert put(api, target, *fields)[0] == 413


def test_a_chunked_upload(cloud, api, target):
    connection = http.client.HTTPConnection("127.0.0.1", int(cloud.url.rpartition(":")[2]))
    body = multipart(("file", "a.bin", module(PLATFORM)))
    headers = {
        "Authorization": f"Bearer {api.token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    pieces = (body[n : n + 7] for n in range(0, len(body), 7))
    path = f"/v1/devices/{target}"
    connection.request("PUT", path, pieces, headers, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, json.load(response)["id"]) == (200, target)
    connection.close()


def test_foreign_and_unknown_devices(api, other_api, target):
    for device_id in (target, random_id()):
        status, body = put(other_api, device_id, ("file", "a.bin", module(PLATFORM)))
        assert status == 403 and body["error"] == "Permission Denied"
    assert queue(api, target) == []


def test_a_device_that_disables_updates(cloud, api, keys, device_id):
    pending = ["E", "particle", "device", "updates", "pending"]
    with cloud.device(keys[0], device_id).connect() as device:
        assert device.publish("particle/device/updates/enabled", b"false", 0).code == 0
        assert api("GET", f"/v1/devices/{device_id}")[1]["firmware_updates_enabled"] is False
        assert put(api, device_id, ("file", "a.bin", module(PLATFORM)))[0] == 200
        event = device.recv()
        assert (event.path, event.payload) == (pending, b"true")
        forced = {"firmware_updates_forced": True}
        status, body = api("PUT", f"/v1/devices/{device_id}", forced)
        assert status == 200 and body["firmware_updates_forced"] is True
        event = device.recv()
        assert (event.path[-1], event.payload) == ("forced", b"true")
        # it has lost what it was told
        device.publish("particle/device/updates/forced", b"false")
        event = device.recv()
        assert (event.path[-1], event.payload) == ("forced", b"true")
        device.publish("particle/device/updates/forced", b"true")
        device.ping()
        assert api("PUT", f"/v1/devices/{device_id}", {"firmware_updates_forced": "no"})[0] == 400
    cloud.last_end(device_id)
    with cloud.device(keys[0], device_id).connect() as device:
        event = device.recv()
        assert (event.path[-1], event.payload) == ("forced", b"true")
        # a new connection allows updates unless it says otherwise
        assert api("GET", f"/v1/devices/{device_id}")[1]["firmware_updates_enabled"] is True


def test_who_transfers_takes_from_the_queue(cloud, api, keys, device_id):
    updates = cloud.services.updates
    assert cloud.run(updates.take(device_id)) is None
    told, events = [], []
    cloud.call(cloud.services.bus.listen, 1, events.append)
    updates.deliver = told.append
    try:
        with cloud.device(keys[0], device_id).connect() as device:
            status, body = put(api, device_id, ("file", "a.bin", module(PLATFORM)))
            assert body["status"] == "Update started" and told == [device_id]
            taken = cloud.run(updates.take(device_id))
            assert (taken.state, taken.files[0][0]) == ("started", "a.bin")
            assert cloud.call(updates.data, taken, 0) == module(PLATFORM)
            # after a restart of the cloud it goes on
            assert cloud.run(updates.take(device_id)).id == taken.id
            cloud.run(updates.finish(taken, "the device went away"))
            assert queue(api, device_id)[0]["error"] == "the device went away"
            assert cloud.run(updates.take(device_id)) is None
            put(api, device_id, ("file", "a.bin", module(PLATFORM)))
            cloud.run(updates.finish(cloud.run(updates.take(device_id))))
            device.ping()
    finally:
        updates.deliver = None
        cloud.call(cloud.services.bus.forget, 1, events.append)
    flash = [e.data for e in events if e.name == "spark/flash/status" and e.core_id == device_id]
    assert flash == [b"started", b"failed", b"started", b"success"]


def test_concurrent_uploads_leave_one(cloud, api, target):
    with ThreadPoolExecutor(8) as pool:
        part = ("file", "a.bin", module(PLATFORM))
        done = list(pool.map(lambda _: put(Api(cloud.url, api.token), target, part)[0], range(8)))
    assert done == [200] * 8
    states = [update["state"] for update in queue(api, target)]
    assert states == ["waiting"] + ["replaced"] * 7


def test_an_upload_outlives_a_restart(tmp_path, keys):
    found = Restarted(tmp_path / "d")
    try:
        device_id = provision(found.api, keys[0])
        assert put(found.api, device_id, ("file", "a.bin", module(6)))[0] == 200
        found.start()
        assert queue(found.api, device_id)[0]["state"] == "waiting"
        for _ in range(25):
            assert put(found.api, device_id, ("file", "a.bin", module(6)))[0] == 200
        assert len(queue(found.api, device_id)) == 21  # what waits, and 20 that are over
    finally:
        found.cloud.stop()


def test_what_needs_a_compiler(api):
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    raw = multipart(("file", "app.ino", b"void setup() {}"))
    for method, path, options in (
        ("POST", "/v1/binaries", {"raw": raw, "headers": headers}),
        ("POST", "/v1/binaries", {"body": {}}),
        ("GET", "/v1/binaries/5", {}),
    ):
        status, body = api(method, path, **options)
        assert status == 501 and "no compiler" in body["error_description"]
    assert api("GET", "/v1/build_targets")[1] == {
        "targets": [],
        "platforms": {},
        "default_versions": {},
    }
    assert api("GET", "/v1/device-os/versions?platform_id=6") == (200, {"versions": []})
    assert api("GET", "/v1/device-os/versions/6.2.0?platform_id=6")[0] == 404
