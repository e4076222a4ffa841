"""REST: accounts are made, changed and deleted; serial numbers, transfers, claim codes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from Crypto.PublicKey import RSA

from cloud.device import random_id
from cloud.running import OTHER, USER, Api, provision

PASSWORD = "secret-nine"
PEM = RSA.generate(1024).public_key().export_key("PEM").decode()


@pytest.fixture
def user(cloud, anonymous):
    """Give REST as a new user; its name is api.user."""
    name = f"{random_id()}@example.com"
    values = {"username": name, "password": PASSWORD}
    assert anonymous("POST", "/v1/users", values, form=True) == (200, {"ok": True})
    api = Api(cloud.url).login((name, PASSWORD))
    api.user = name
    return api


def test_a_new_user(user):
    shown = user("GET", "/v1/user")[1]
    assert shown["username"] == user.user
    assert shown["account_info"]["first_name"] == "" and shown["wifi_device_count"] == 0
    status, body = user("GET", "/v1/user/identify?tracking=1")
    assert status == 200 and body["email"] == user.user and body["id"]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"username": "nobody", "password": "x"},
        {"username": "a@b", "password": "x"},
        {"username": "a b@example.com", "password": "x"},
        {"username": "a@example.com\u0007", "password": "x"},
        {"username": "x" * 250 + "@example.com", "password": "x"},
        {"username": "new@example.com"},
        {"username": "new@example.com", "password": ""},
        {"username": "new@example.com", "password": "x" * 1025},
        {"username": "new@example.com", "password": "x", "account_info": "me"},
        {"username": "new@example.com", "password": "x", "account_info": {"first_name": 5}},
        {"username": USER[0].upper(), "password": "x"},
    ],
)
def test_users_that_cannot_be(cloud, anonymous, values):
    status, body = anonymous("POST", "/v1/users", values)
    assert status == 400 and body["ok"] is False and body["errors"] == [body["error"]]
    assert cloud.call(cloud.services.accounts.find, "new@example.com") is None


def test_a_user_changes(cloud, user, anonymous):
    values = {"account_info": {"first_name": "Ann", "business_account": True, "admin": True}}
    assert user("PUT", "/v1/user", values)[0] == 200
    shown = user("GET", "/v1/user")[1]["account_info"]
    assert shown == {"first_name": "Ann", "last_name": "", "business_account": True}
    new = "new-" + user.user
    for wrong in ({}, {"current_password": "wrong"}):
        for values in ({"username": new}, {"password": "another"}):
            status, body = user("PUT", "/v1/user", {**values, **wrong})
            assert status == 400 and body["error"] == "invalid_grant"
    taken = {"username": OTHER[0], "current_password": PASSWORD}
    assert "taken" in user("PUT", "/v1/user", taken)[1]["error"]
    assert user("PUT", "/v1/user", {})[0] == 400
    values = {"username": new, "password": "another", "current_password": PASSWORD}
    assert user("PUT", "/v1/user", {**values, "invalidate_tokens": True})[0] == 200
    assert user("GET", "/v1/user")[0] == 401
    assert Api(cloud.url).login((new, "another"))("GET", "/v1/user")[1]["username"] == new


def test_a_user_is_deleted(cloud, api, user, keys):
    device_id = provision(user, keys[0])
    user("POST", "/local/v1/products", {"name": random_id(), "platform_id": 3})
    assert user("DELETE", "/v1/user", {"password": "wrong"})[0] == 400
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("x")
        assert user("DELETE", "/v1/user", {"password": PASSWORD})[0] == 200
        assert user("GET", "/v1/user")[0] == 401
        # the device is anybody's now, and its session goes on
        assert api("POST", "/v1/devices", {"id": device_id})[0] == 200
        api("POST", "/v1/devices/events", {"name": "x", "data": "hello"})
        assert device.recv().payload == b"hello"


def test_what_there_is_not(anonymous, api):
    answers = {
        anonymous("POST", "/v1/user/password-reset", {"username": name})[1]["error_description"]
        for name in (USER[0], "nobody@example.com")
    }
    assert len(answers) == 1 and "--user NAME:PASSWORD" in answers.pop()
    assert anonymous("POST", "/v1/user/password-reset", {"username": "x"})[0] == 400
    for method, path in (("GET", "mfa-enable"), ("POST", "mfa-enable"), ("PUT", "mfa-disable")):
        assert api(method, f"/v1/user/{path}")[0] == 501


def test_serial_numbers(api, other_api, keys):
    device_id, serial = random_id(), "P" + random_id()[:14].upper()
    values = {"publicKey": PEM, "serial_number": serial, "mobile_secret": "ABCDEFGHIJKLMNO"}
    assert api("POST", f"/v1/provisioning/{device_id}", values)[0] == 200
    shown = api("GET", f"/v1/devices/{device_id}")[1]
    assert (shown["serial_number"], shown["mobile_secret"]) == (serial, "ABCDEFGHIJKLMNO")
    status, body = api("GET", f"/v1/serial_numbers/{serial}")
    assert status == 200 and body["deviceID"] == body["device_id"] == device_id
    assert other_api("GET", f"/v1/serial_numbers/{serial}")[0] == 404
    assert api("GET", "/v1/serial_numbers/nothing")[0] == 404
    # the label stays when another key is registered, and nobody else can have it
    assert api("POST", f"/v1/provisioning/{device_id}", {"publicKey": PEM})[0] == 200
    assert api("GET", f"/v1/serial_numbers/{serial}")[0] == 200
    status, body = api("POST", f"/v1/provisioning/{random_id()}", values)
    assert status == 409 and "serial number" in body["error"]
    for bad in ("", "x" * 33, "a b", "\u00e9"):
        values["serial_number"] = bad
        assert api("POST", f"/v1/provisioning/{random_id()}", values)[0] == 400
    product = api("POST", "/local/v1/products", {"name": serial, "platform_id": 3})[1]["product"]
    found = api("POST", f"/v1/products/{product['id']}/devices", {"id": serial})[1]
    assert found["updatedDeviceIds"] == [device_id]


def test_transfers(cloud, api, other_api, keys, device_id):
    ask = {"id": device_id, "request_transfer": True}
    number = other_api("POST", "/v1/devices", ask)[1]["transfer_id"]
    assert other_api("POST", "/v1/devices", ask)[1]["transfer_id"] == number
    (asked,) = api("GET", "/local/v1/transfers")[1]
    assert (asked["id"], asked["requested_by"]) == (number, OTHER[0])
    accept = f"/local/v1/transfers/{number}/accept"
    assert other_api("POST", accept)[0] == 404
    assert api("POST", f"/local/v1/transfers/{number}/decline") == (200, {"ok": True})
    assert api("POST", accept)[0] == 404
    assert other_api("GET", f"/v1/devices/{device_id}")[0] == 403
    number = other_api("POST", "/v1/devices", ask)[1]["transfer_id"]
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe("x")
        assert api("POST", f"/local/v1/transfers/{number}/accept") == (200, {"ok": True})
        other_api("POST", "/v1/devices/events", {"name": "x", "data": "mine now"})
        assert device.recv().payload == b"mine now"
    assert api("GET", f"/v1/devices/{device_id}")[0] == 403
    assert api("GET", "/local/v1/transfers") == (200, [])


def test_a_claim_code_works_once(cloud, api, other_api, keys):
    code = other_api("POST", "/v1/device_claims", {"iccid": "8931"})[1]["claim_code"].encode()
    first, second = provision(api, keys[0]), provision(api, keys[0])
    with cloud.device(keys[0], first).connect() as device:
        # whose it is already, he keeps it
        assert device.publish("spark/device/claim/code", code, 0).code == 0x80
    for device_id, name in ((first, "claim/code"), (second, "claim/code")):
        api("DELETE", f"/v1/devices/{device_id}")
        with cloud.device(keys[0], device_id).connect() as device:
            device.publish(f"spark/device/{name}", code)
            device.ping() if device_id == second else device.recv()
    assert other_api("GET", f"/v1/devices/{first}")[0] == 200
    assert other_api("GET", f"/v1/devices/{second}")[0] == 403


def test_concurrent_edits_leave_one_of_them(cloud, api, keys):
    devices = [provision(api, keys[0]) for _ in range(4)]
    name = f"lamp {devices[0]}"

    def edit(n):
        own = Api(cloud.url, api.token)
        path = f"/v1/devices/{devices[n % 4]}"
        if n < 8:
            return own("PUT", path, {"name": name})[0]
        return own("PUT", path, {"notes": f"note {n}"})[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(edit, range(16)))
    # the one that has the name may be given it again
    assert sorted(set(answers[:8])) == [200, 403] and answers[:8].count(200) == 2
    assert answers[8:] == [200] * 8
    shown = [api("GET", f"/v1/devices/{each}")[1] for each in devices]
    assert [device["name"] for device in shown].count(name) == 1
    assert all(
        device["notes"] in (f"note {n + 8}", f"note {n + 12}") for n, device in enumerate(shown)
    )


def test_concurrent_claims_have_one_winner(cloud, api, other_api, device_id):
    api("DELETE", f"/v1/devices/{device_id}")

    def claim(n):
        token = (api if n % 2 else other_api).token
        return Api(cloud.url, token)("POST", "/v1/devices", {"id": device_id})[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(claim, range(8)))
    assert sorted((sum(answers[0::2]), sum(answers[1::2]))) == [4 * 200, 4 * 403]
