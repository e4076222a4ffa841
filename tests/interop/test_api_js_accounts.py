"""particle-api-js 11 and 12: users, firmware, products, ledgers, serials (rest-api 2-11)."""

import secrets

import pytest
from Crypto.PublicKey import RSA

from cloud.device import random_id
from cloud.running import USER, Running
from firmware_files import module
from interop import api_js, node
from interop.api_js import Client, Refused
from particle_tools.cloud.settings import Settings

_PLATFORM = 3  # of a test device


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = Running(Settings(data=tmp_path_factory.mktemp("cloud") / "data", user=USER))
    yield found
    found.stop()


@pytest.fixture(params=api_js.VERSIONS)
def client(request, need, cloud):
    """Give a client of each version."""
    packages = api_js.PACKAGES.find()
    need("particle-api-js (npm)", packages, node.COMMAND)
    found = Client(packages, request.param, cloud.url)
    yield found
    found.close()


@pytest.fixture
def auth(client):
    """Give a token."""
    return client.call("login", username=USER[0], password=USER[1])["access_token"]


@pytest.fixture(scope="module")
def key():
    """Give the key of the devices."""
    return RSA.generate(1024)


@pytest.fixture
def device_id(client, auth, key):
    """Give a device of the user."""
    found, pem = random_id(), key.public_key().export_key("PEM").decode()
    client.call("sendPublicKey", deviceId=found, key=pem, algorithm="rsa", auth=auth)
    return found


def _refused(client, status, text, method, **options):
    with pytest.raises(Refused, match=text) as caught:
        client.call(method, **options)
    assert caught.value.status == status


def test_users(client):
    name, password = f"{random_id()}@example.com", "secret-one"
    user = {"username": name, "password": password}
    assert client.call("createUser", **user)["ok"] is True
    _refused(client, 400, "taken", "createUser", **user)
    auth = client.call("login", **user)["access_token"]
    assert client.call("getUserInfo", auth=auth)["username"] == name
    client.call("setUserInfo", accountInfo={"first_name": "Ann"}, auth=auth)
    assert client.call("getUserInfo", auth=auth)["account_info"]["first_name"] == "Ann"
    change = {"auth": auth, "currentPassword": password}
    client.call("changeUserPassword", **change, password="secret-two")
    _refused(client, 400, "credentials are invalid", "login", **user)
    user["password"] = change["currentPassword"] = "secret-two"
    user["username"] = f"new-{name}"
    client.call("changeUsername", **change, username=user["username"])
    other = client.call("login", **user)["access_token"]
    client.call("deleteAccessToken", token=other, auth=auth)
    _refused(client, 401, "token provided is invalid", "listDevices", auth=other)
    _refused(client, 501, "sends no e-mail", "resetPassword", username=name)
    client.call("deleteUser", auth=auth, password="secret-two")
    _refused(client, 400, "credentials are invalid", "login", **user)


def test_firmware(client, auth, device_id, cloud, key, tmp_path):
    file = tmp_path / "app.bin"
    file.write_bytes(module(_PLATFORM))
    flash = {"deviceId": device_id, "auth": auth}
    answer = client.call("flashDevice", **flash, files={"app.bin": str(file)})
    assert (answer["id"], answer["status"]) == (device_id, "Update queued")
    with cloud.device(key, device_id).connect():
        file.write_bytes(module(_PLATFORM)[:-1])
        files = {"app.bin": str(file)}
        _refused(client, 400, "cut off", "flashDevice", **flash, files=files)
        file.write_text("void setup() {}")
        files = {"app.ino": str(file), "more.h": str(file)}
        _refused(client, 501, "no compiler", "flashDevice", **flash, files=files)
    _refused(client, 501, "no compiler", "compileCode", files=files, platformId=6, auth=auth)
    assert client.call("listBuildTargets", auth=auth, onlyFeatured=True)["targets"] == []


def test_products(client, auth, device_id, cloud, key):
    name = f"lamps {secrets.token_hex(4)}"
    made = cloud.run(_make_product(cloud, name))
    product = {"product": made.slug, "auth": auth}
    assert name in [p["name"] for p in client.call("listProducts", auth=auth)["products"]]
    assert client.call("getProduct", **product)["product"]["id"] == made.id
    assert client.call("listDevices", **product)["devices"] == []
    client.call("addDeviceToProduct", **product, deviceId=device_id)
    (listed,) = client.call("listDevices", **product, perPage=5, page=1)["devices"]
    assert (listed["id"], listed["product_id"]) == (device_id, made.id)
    device = {**product, "deviceId": device_id}
    assert client.call("getDevice", **device)["id"] == device_id
    client.call("markAsDevelopmentDevice", **device, development=True)
    assert client.call("getDevice", **device)["development"] is True
    assert len(client.call("getClaimCode", **product)["claim_code"]) == 63
    with cloud.device(key, device_id).connect() as connected:
        connected.subscribe("e")
        stream = client.watch(**product, name="up/")
        client.call("publishEvent", **product, name="e/1", data="x", isPrivate=True)
        assert connected.recv().payload == b"x"
        connected.publish("up/1", b"y")
        event = stream.event("up/1")
        assert (event["data"], event["productID"]) == ("y", made.id)
    client.call("removeDevice", **device)
    _refused(client, 403, "didn't recognize", "getDevice", **device)
    _refused(client, 404, "not found", "getProduct", product="nothing", auth=auth)


async def _make_product(cloud, name):
    services = cloud.services
    user = services.accounts.find(USER[0])
    return await services.products.create(user, name, _PLATFORM, "", None)


def test_ledgers(client, auth):
    name = "l-" + secrets.token_hex(4)
    definition = {"name": name, "scope": "Owner", "direction": "Downstream", "description": ""}
    made = client.call("createLedger", ledger=definition, auth=auth)
    assert made["name"] == name
    ledger = {"ledgerName": name, "auth": auth}
    assert client.call("getLedger", **ledger)["scope"] == "Owner"
    listed = client.call("listLedgers", auth=auth, page=1, perPage=100)["ledger_definitions"]
    assert name in [each["name"] for each in listed]
    instance = {**ledger, "scopeValue": "me"}
    data = {"a": {"b": [1, "\u00fc"]}}
    client.call("setLedgerInstance", **instance, instance={"data": data}, setMode="Replace")
    assert client.call("getLedgerInstance", **instance)["data"] == data
    assert len(client.call("listLedgerInstances", **ledger)["instances"]) == 1
    assert len(client.call("listLedgerInstanceVersions", **instance)["versions"]) == 1
    client.call("deleteLedgerInstance", **instance)
    _refused(client, 404, "no such instance", "getLedgerInstance", **instance)
    client.call("archiveLedger", **ledger)
    _refused(client, 404, "not found", "getLedger", **ledger)


def test_serial_numbers_and_new_ids(client, auth, cloud):
    serial, device_id = "P" + random_id()[:14].upper(), random_id()
    cloud.run(_label(cloud, device_id, serial))
    found = client.call("lookupSerialNumber", serialNumber=serial, auth=auth)
    assert found["deviceID"] == device_id
    text = "Serial number not found"
    _refused(client, 404, text, "lookupSerialNumber", serialNumber="nothing", auth=auth)
    made = client.call("provisionDevice", productId=6, auth=auth)["device_id"]
    assert client.call("getDevice", deviceId=made, auth=auth)["platform_id"] == 6


async def _label(cloud, device_id, serial):
    services = cloud.services
    await services.devices.create(services.accounts.find(USER[0]), device_id, _PLATFORM)
    await services.devices.label(device_id, serial, None)
