"""particle-api-js 11 and 12 with our cloud and a board on it (rest-api 1 to 7, 16)."""

import secrets
import time

import pytest
from Crypto.PublicKey import ECC, RSA

from cloud.device import TestDevice, random_id
from cloud.running import USER, Running
from interop import api_js, node
from interop.api_js import Client, Refused
from interop.boards import FUNCTIONS, PROGRAM, VARIABLES, eventually
from particle_tools.cloud.settings import Limits, Settings
from particle_tools.local import LocalCloud, SimulatedBoard

_UNKNOWN = "0" * 24
_IDLE_S = 22  # both versions give up a stream that was silent for 15 s


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def board(cloud, tmp_path_factory):
    """Give a board of the cloud's user that runs PROGRAM."""
    folder = tmp_path_factory.mktemp("boards")
    script = folder / "program.py"
    script.write_text(PROGRAM)
    found = SimulatedBoard(folder / "board", cloud, script=script, transport="tcp")
    api = cloud.api()
    eventually(lambda: api.device(found.device_id)["functions"] == FUNCTIONS)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def _clients(cloud):
    # version -> client; made when asked for
    found = {}
    yield found
    for client in found.values():
        client.close()


@pytest.fixture
def packages(need):
    """Give the folder of the packages."""
    found = api_js.PACKAGES.find()
    need("particle-api-js (npm)", found, node.COMMAND)
    return found


@pytest.fixture(params=api_js.VERSIONS)
def client(request, packages, cloud, _clients):
    """Give a client of each version."""
    if request.param not in _clients:
        _clients[request.param] = Client(packages, request.param, cloud.url)
    return _clients[request.param]


@pytest.fixture
def auth(client, cloud):
    """Give a token."""
    name, _, password = cloud.user.partition(":")
    return client.call("login", username=name, password=password)["access_token"]


def _refused(client, method, status, text, **options):
    with pytest.raises(Refused, match=text) as caught:
        client.call(method, **options)
    assert caught.value.status == status
    # both: scripts read one, clients show the other
    assert caught.value.body["error"]
    assert caught.value.body["error_description"]
    return caught.value.body


def test_login(client, cloud):
    name, _, password = cloud.user.partition(":")
    body = client.call("login", username=name, password=password)
    assert body["token_type"] == "bearer"
    assert len(body["access_token"]) == 40
    assert body["expires_in"] == 7776000
    assert client.call("getUserInfo", auth=body["access_token"])["username"] == name
    text = "User credentials are invalid"
    body = _refused(client, "login", 400, text, username=name, password="wrong")
    assert body["error"] == "invalid_grant"


def test_logout(client, auth):
    assert client.call("deleteCurrentAccessToken", auth=auth) == {"ok": True}
    body = _refused(client, "listDevices", 401, "access token provided is invalid", auth=auth)
    assert body["error"] == "invalid_token"


def test_devices(client, auth, board):
    (listed,) = [d for d in client.call("listDevices", auth=auth) if d["id"] == board.device_id]
    device = client.call("getDevice", deviceId=board.device_id, auth=auth)
    for found in (listed, device):
        assert found["connected"] and found["online"]
        assert found["functions"] == FUNCTIONS
        assert found["variables"] == {name: kind for name, (kind, _) in VARIABLES.items()}
        assert (found["platform_id"], found["product_id"]) == (3, 3)
    by_name = client.call("getDevice", deviceId=device["name"], auth=auth)
    assert by_name["id"] == board.device_id
    text = "I didn't recognize that device name or ID"
    body = _refused(client, "getDevice", 403, text, deviceId=_UNKNOWN, auth=auth)
    assert body["error"] == "Permission Denied"


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_variables(client, auth, board, name):
    body = client.call("getVariable", deviceId=board.device_id, name=name, auth=auth)
    assert body["result"] == VARIABLES[name][1]
    assert body["coreInfo"]["deviceID"] == board.device_id


def test_unknown_variable(client, auth, board):
    _refused(
        client,
        "getVariable",
        404,
        "Variable not found",
        deviceId=board.device_id,
        name="nothing",
        auth=auth,
    )


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [
        ("number", "-2147483648", -2147483648),
        ("NUMBER", "5", 5),
        ("number", "", -1),
        ("boom", "x", -1),
        ("say", "up/ü=grüße", 7),
        ("say", "up/a=" + "x" * 1019, 1019),
    ],
)
def test_functions(client, auth, board, name, argument, result):
    time.sleep(0.3)  # a board publishes at most four events in a second
    body = client.call(
        "callFunction", deviceId=board.device_id, name=name, argument=argument, auth=auth
    )
    assert body["return_value"] == result
    assert (body["id"], body["connected"]) == (board.device_id, True)


def test_functions_that_are_refused(client, auth, board):
    device = {"deviceId": board.device_id, "auth": auth, "argument": "5"}
    _refused(client, "callFunction", 404, "Function nothing not found", **device, name="nothing")
    device["argument"] = "5" * 1025
    _refused(client, "callFunction", 400, "longer than 1024", **device, name="number")


def test_device_that_is_offline(client, auth):
    device_id = random_id()
    pem = RSA.generate(1024).public_key().export_key("PEM").decode()
    client.call("sendPublicKey", deviceId=device_id, key=pem, algorithm="rsa", auth=auth)
    device = {"deviceId": device_id, "auth": auth}
    begin = time.monotonic()
    _refused(client, "callFunction", 408, "Timed out", **device, name="f", argument="")
    _refused(client, "getVariable", 408, "Timed out", **device, name="v")
    _refused(client, "signalDevice", 408, "Timed out", **device, signal=True)
    assert time.monotonic() - begin < 20  # what one that waits for an answer takes
    assert not client.call("getDevice", **device)["connected"]


def test_events_round_the_circle(client, auth, board):
    name = f"down/{secrets.token_hex(4)}"
    begin = time.monotonic()
    mine = client.watch(deviceId="mine", auth=auth)
    its = client.watch(deviceId=board.device_id, name="up/", auth=auth)
    every = client.watch(name="up/a%b", auth=auth)
    # the head of a stream is sent at once, not with the first keep-alive after 9 s
    assert time.monotonic() - begin < 3 * 9
    client.call("publishEvent", name=name, data="grüße", isPrivate=True, auth=auth)
    assert mine.event(name)["data"] == "grüße"
    eventually(lambda: f"heard {name} grüße" in board.output())
    client.call(
        "callFunction", deviceId=board.device_id, name="say", argument="up/a%b c=1 2", auth=auth
    )
    for stream in (mine, its, every):
        event = stream.event("up/a%b c")
        assert (event["data"], event["coreid"]) == ("1 2", board.device_id)
        assert event["ttl"] == 60
        assert event["published_at"].endswith("Z")


def test_events_that_are_refused(client, auth):
    event = {"data": "x", "isPrivate": True, "auth": auth}
    _refused(client, "publishEvent", 400, "1 to 64", name="n" * 65, **event)
    event["data"] = "x" * 1025
    _refused(client, "publishEvent", 400, "at most 1024", name="n", **event)
    with pytest.raises(Refused, match="access token provided is invalid") as caught:
        client.watch(deviceId="mine", auth="0" * 40)
    assert caught.value.status == 401


def test_an_idle_stream_stays_up(packages, cloud, tmp_path):
    # a cloud that says nothing shows that the clients would report a lost stream
    silent = Running(
        Settings(data=tmp_path / "data", user=USER, limits=Limits(keepalive_s=3600.0))
    )
    clients = []
    try:
        api = cloud.api()
        name, _, password = cloud.user.partition(":")
        streams = []
        for version in api_js.VERSIONS:
            ours, theirs = (Client(packages, version, c.url) for c in (cloud, silent))
            clients += [ours, theirs]
            ours_auth = ours.call("login", username=name, password=password)["access_token"]
            theirs_auth = theirs.call("login", username=USER[0], password=USER[1])["access_token"]
            options = {"deviceId": "mine", "name": "idle/"}
            streams.append(ours.watch(**options, auth=ours_auth))
            lost = theirs.watch(**options, auth=theirs_auth)
            streams.append(lost)
        time.sleep(_IDLE_S)
        api.publish("idle/end", "x")
        for stream, lost in zip(streams[::2], streams[1::2], strict=True):
            assert stream.event("idle/end")["data"] == "x"
            assert lost.report() == "disconnect"
    finally:
        for each in clients:
            each.close()
        silent.stop()


def test_rename(client, auth, board):
    device = {"deviceId": board.device_id, "auth": auth}
    name = f"lamp {secrets.token_hex(4)}"
    assert client.call("renameDevice", **device, name=name)["name"] == name
    assert client.call("getDevice", **device)["name"] == name
    # the board asks for it
    argument = "particle/device/name="
    client.call("callFunction", **device, name="say", argument=argument)
    eventually(lambda: f"heard particle/device/name {name}" in board.output())
    _refused(client, "renameDevice", 400, "1 to 64", **device, name="n" * 65)


def test_signal(client, auth, board):
    device = {"deviceId": board.device_id, "auth": auth}
    for on in (True, False):
        body = client.call("signalDevice", **device, signal=on)
        assert (body["id"], body["signaling"]) == (board.device_id, on)


def test_remove_and_claim(client, auth, board):
    device = {"deviceId": board.device_id, "auth": auth}
    assert client.call("removeDevice", **device) == {"ok": True}
    _refused(client, "getDevice", 403, "didn't recognize", **device)
    body = client.call("claimDevice", **device)
    assert (body["id"], body["claimed"], body["connected"]) == (board.device_id, True, True)
    # the session went on all the time, and hears its owner's events again
    name = f"down/{secrets.token_hex(4)}"
    client.call("publishEvent", name=name, data="x", isPrivate=True, auth=auth)
    eventually(lambda: f"heard {name} x" in board.output())
    text = "didn't recognize"
    _refused(client, "claimDevice", 403, text, deviceId=_UNKNOWN, auth=auth)


def test_keys(client, auth, cloud):
    api = cloud.api()
    device_id = random_id()
    keys = [RSA.generate(1024), RSA.generate(1024)]
    server_key = api.server_key("rsa")
    send = {"deviceId": device_id, "auth": auth}
    for key in keys:
        pem = key.public_key().export_key("PEM").decode()
        client.call("sendPublicKey", **send, key=pem, algorithm="rsa")
        for other in keys:
            port = cloud.ready["tcp_port"]
            with TestDevice(port, server_key, other, device_id) as device:
                if other is key:
                    device.connect()
                    assert client.call("getDevice", **send)["connected"]
                else:
                    with pytest.raises((EOFError, ConnectionError)):
                        device.connect()
    ec = ECC.generate(curve="P-256")
    pem = ec.public_key().export_key(format="PEM")
    client.call("sendPublicKey", **send, key=pem, algorithm="ecc")
    text = "not of the algorithm"
    _refused(client, "sendPublicKey", 400, text, **send, key=pem, algorithm="rsa")
    private = keys[0].export_key("PEM").decode()
    _refused(client, "sendPublicKey", 400, "private key", **send, key=private, algorithm="rsa")


def test_claim_code(client, auth, cloud):
    api = cloud.api()
    device_id, key = random_id(), RSA.generate(1024)
    pem = key.public_key().export_key("PEM").decode()
    client.call("sendPublicKey", deviceId=device_id, key=pem, algorithm="rsa", auth=auth)
    client.call("removeDevice", deviceId=device_id, auth=auth)
    answer = client.call("getClaimCode", auth=auth)
    assert len(answer["claim_code"]) == 63
    assert device_id not in answer["device_ids"]
    port = cloud.ready["tcp_port"]
    with TestDevice(port, api.server_key("rsa"), key, device_id) as device:
        device.connect()
        device.publish("spark/device/claim/code", answer["claim_code"].encode())
        assert device.recv().path[:4] == ["E", "spark", "device", "claim"]
        assert client.call("getDevice", deviceId=device_id, auth=auth)["connected"]


def test_a_device_of_somebody_else(packages, tmp_path):
    # two accounts need a cloud of our own process
    running = Running(Settings(data=tmp_path / "data", user=USER))
    running.run(running.services.accounts.create("bob@example.com", "secret-two"))
    try:
        for version in api_js.VERSIONS:
            client = Client(packages, version, running.url)
            try:
                ann = client.call("login", username=USER[0], password=USER[1])["access_token"]
                bob = client.call("login", username="bob@example.com", password="secret-two")
                device_id = random_id()
                pem = RSA.generate(1024).public_key().export_key("PEM").decode()
                key = {"key": pem, "algorithm": "rsa"}
                client.call("sendPublicKey", deviceId=device_id, **key, auth=ann)
                foreign = {"deviceId": device_id, "auth": bob["access_token"]}
                text = "belongs to someone else"
                _refused_claim(client, "claimDevice", text, foreign)
                _refused_claim(client, "sendPublicKey", text, foreign | key)
                _refused(client, "getDevice", 403, "didn't recognize", **foreign)
            finally:
                client.close()
    finally:
        running.stop()


def _refused_claim(client, method, text, options):
    with pytest.raises(Refused, match=text) as caught:
        client.call(method, **options)
    assert caught.value.status == 403
    # the command line tool looks for this one
    assert text in caught.value.body["errors"][0]
