"""The public documents' examples, typed as there: curl with forms, a user and raw slashes."""

import json
import shutil
import subprocess

import pytest
from Crypto.PublicKey import RSA

from cloud.device import TestDevice, random_id
from cloud.running import Api
from cloud.test_session import run_beside
from firmware_files import module
from interop.boards import eventually
from particle_tools.local import LocalCloud

_COMMAND = "apt-get install curl"
_PLATFORM = 3  # of a test device


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()


@pytest.fixture
def curl(need, cloud):
    """Give a function that runs curl; it returns the status and the parsed answer."""
    need("curl", shutil.which("curl"), _COMMAND)

    def run(path, *arguments):
        done = subprocess.run(
            ["curl", "-s", "-w", "\n%{http_code}", cloud.url + path, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body[:1] in ("{", "[") else body

    return run


@pytest.fixture
def token(curl, cloud):
    """Give a token, asked for as the documents do."""
    name, _, password = cloud.user.partition(":")
    status, body = curl(
        "/oauth/token",
        *("-u", "particle:particle", "-d", "grant_type=password", "-d", f"username={name}"),
        *("-d", f"password={password}"),
    )
    assert status == 200
    return body["access_token"]


@pytest.fixture
def device(curl, token, cloud, tmp_path):
    """Give a device that is connected; its key was registered by curl."""
    key = RSA.generate(1024)
    pem = tmp_path / "key.pub.pem"
    pem.write_bytes(key.public_key().export_key("PEM"))
    device_id = random_id()
    status, _ = curl(
        f"/v1/provisioning/{device_id}",
        *("-d", f"access_token={token}", "-d", f"deviceID={device_id}", "-d", "algorithm=rsa"),
        *("--data-urlencode", f"publicKey@{pem}", "-d", "filename=cli"),
    )
    assert status == 200
    server_key = Api(cloud.url)("GET", "/local/v1/server-key?format=der")[1]
    with TestDevice(cloud.ready["tcp_port"], server_key, key, device_id) as found:
        found.connect()
        found.describe(["brew"], {"temperature": 9})
        yield found


def test_tokens(curl, token, cloud):
    name, _, password = cloud.user.partition(":")
    status, tokens = curl("/v1/access_tokens", "-u", f"{name}:{password}")
    assert status == 200 and tokens[0]["token"].endswith("*" * 32)
    assert curl(f"/v1/access_tokens/{token}", "-X", "DELETE") == (200, {"ok": True})
    status, body = curl("/v1/devices", "-H", f"Authorization: Bearer {token}")
    assert status == 401 and body["error"] == "invalid_token"
    status, body = curl("/oauth/token", "-u", "particle:particle", "-d", "grant_type=password")
    assert status == 400 and body["error"] == "invalid_grant"


def test_devices(curl, token, device):
    query = f"?access_token={token}"
    assert device.id in [d["id"] for d in curl("/v1/devices" + query)[1]]
    path = f"/v1/devices/{device.id}"
    assert curl(path + query)[1]["functions"] == ["brew"]
    put = ("-X", "PUT", "-d", f"access_token={token}")
    status, body = curl(path, *put, "-d", "name=my lamp", "-d", "notes=by the door")
    assert status == 200 and body["name"] == "my lamp"
    status, body = curl("/v1/devices/my%20lamp" + query)
    assert (body["id"], body["notes"]) == (device.id, "by the door")
    status, body = curl("/v1/devices", "-d", f"access_token={token}", "-d", f"id={device.id}")
    assert status == 200 and body["claimed"] is True


def test_function_and_variable(curl, token, device):
    path = f"/v1/devices/{device.id}"
    arguments = ("-d", f"access_token={token}", "-d", "arg=coffee")
    value = run_beside(curl, f"{path}/brew", *arguments)
    call = device.recv()
    assert call.path == ["f", "brew"] and call.all(15) == [b"coffee"]
    device.answer(call, 0x44, b"\x00\x00\x00\x2a")
    assert value()[1]["return_value"] == 42
    header = ("-H", f"Authorization: Bearer {token}")
    value = run_beside(curl, f"{path}/temperature?format=raw", *header)
    device.answer(device.recv(), 0x45, bytes.fromhex("0000000000803540"))
    assert value() == (200, "21.5")


def test_events(curl, token, device, cloud, tmp_path):
    device.subscribe("motion")
    status, body = curl(
        "/v1/devices/events",
        *("-d", f"access_token={token}", "-d", "name=motion/hall", "-d", "data=true"),
        *("-d", "private=true", "-d", "ttl=60"),
    )
    assert (status, body) == (200, {"ok": True})
    assert device.recv().payload == b"true"
    out = tmp_path / "events"
    with out.open("wb") as file:
        # a prefix with a raw slash
        url = f"{cloud.url}/v1/devices/events/a/b?access_token={token}"
        reader = subprocess.Popen(["curl", "-sN", url], stdout=file)
    try:
        eventually(lambda: out.read_bytes().startswith(b":ok\n\n"))
        device.publish("a/c", b"not this")
        device.publish("a/b/c", b"this")
        eventually(lambda: b'"this"' in out.read_bytes())
        assert b"event: a/b/c\ndata: {" in out.read_bytes()
        assert b"not this" not in out.read_bytes()
    finally:
        reader.kill()
        reader.wait()
    status, body = curl("/v1/events", "-H", f"Authorization: Bearer {token}")
    assert status == 400 and body["error"] == "event prefix filter is required"


def test_flash(curl, token, device, tmp_path):
    file = tmp_path / "firmware"
    file.write_bytes(module(_PLATFORM))
    path = f"/v1/devices/{device.id}?access_token={token}"
    for form in (("-F", f"file=@{file}", "-F", "file_type=binary"), ("-F", f"file=@{file}")):
        status, body = curl(path, "-X", "PUT", *form)
        assert status == 200 and body["status"] == "Update started"
    chunked = ("-H", "Transfer-Encoding: chunked", "-X", "PUT", "-F", f"file1=@{file}")
    assert curl(path, *chunked)[0] == 200
    source = tmp_path / "app.ino"
    source.write_text("void setup() {}")
    status, body = curl(path, "-X", "PUT", "-F", f"file=@{source}")
    assert status == 501 and "no compiler" in body["error_description"]


def test_a_claim_code_and_a_removal(curl, token, device):
    status, body = curl("/v1/device_claims", "-X", "POST", "-d", f"access_token={token}")
    assert status == 200 and len(body["claim_code"]) == 63
    path = f"/v1/devices/{device.id}?access_token={token}"
    assert curl(path, "-X", "DELETE") == (200, {"ok": True})
    device.publish("spark/device/claim/code", body["claim_code"].encode())
    assert device.recv().path[-1] == "code"
    assert curl(path)[1]["connected"] is True
