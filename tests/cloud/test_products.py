"""REST: products and their devices, groups, streams; what organizations and SIM cards answer."""

import http.client
import json

import pytest

from cloud.device import random_id
from cloud.running import Api, provision
from cloud.test_session import run_beside

PRODUCTS = "/local/v1/products"


@pytest.fixture(scope="module")
def product(api):
    """Give the number of a product of ANN's."""
    values = {"name": "Kitchen Lamps", "platform_id": 3, "description": "all of them"}
    status, body = api("POST", PRODUCTS, values)
    assert status == 200, body
    assert api("POST", PRODUCTS, values)[0] == 409
    return body["product"]["id"]


@pytest.fixture
def member(api, keys, product):
    """Give a device of ANN's in the product."""
    device_id = provision(api, keys[0])
    assert api("POST", f"/v1/products/{product}/devices", {"id": device_id})[0] == 200
    return device_id


def listed(api, product, query=""):
    status, body = api("GET", f"/v1/products/{product}/devices{query}")
    assert status == 200 and body["customers"] == []
    return [device["id"] for device in body["devices"]], body["meta"]["total_pages"]


def test_products(api, other_api, product):
    shown = api("GET", f"/v1/products/{product}")[1]["product"]
    assert (shown["name"], shown["slug"], shown["platform_id"]) == (
        "Kitchen Lamps",
        "kitchen-lamps",
        3,
    )
    assert api("GET", "/v1/products/kitchen-lamps")[1]["product"] == shown
    assert shown in api("GET", "/v1/products")[1]["products"]
    assert shown in api("GET", "/v1/user/products")[1]["products"]
    assert other_api("GET", "/v1/products") == (200, {"products": []})
    for path in (f"/v1/products/{product}", "/v1/products/0", "/v1/products/%20"):
        status, body = other_api("GET", path)
        assert status == 404 and body["ok"] is False and "not found" in body["error_description"]
    assert other_api("DELETE", f"{PRODUCTS}/{product}")[0] == 404


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "x"},
        {"name": "", "platform_id": 3},
        {"name": "x" * 65, "platform_id": 3},
        {"name": "a\nb", "platform_id": 3},
        {"name": "x", "platform_id": 256},
        {"name": "x", "platform_id": "three"},
        {"name": "x", "platform_id": 3, "id": 255},
        {"name": "x", "platform_id": 3, "id": 65535},
        {"name": "x", "platform_id": 3, "description": "x" * 1025},
    ],
)
def test_products_that_cannot_be(api, values):
    assert api("POST", PRODUCTS, values)[0] == 400


def test_a_product_is_deleted_and_its_devices_stay(api, keys):
    number = api("POST", PRODUCTS, {"name": "Short", "platform_id": 3, "id": 7000})[1]["product"]
    assert number["id"] == 7000
    device_id = provision(api, keys[0])
    api("POST", "/v1/products/7000/devices", {"id": device_id})
    assert api("GET", f"/v1/devices/{device_id}")[1]["product_id"] == 7000
    assert api("DELETE", f"{PRODUCTS}/short") == (200, {"ok": True})
    assert api("GET", "/v1/products/7000")[0] == 404
    assert api("GET", f"/v1/devices/{device_id}")[1]["product_id"] is None


def test_devices_come_and_go(api, other_api, keys, product):
    mine, nobodys = provision(api, keys[0]), provision(api, keys[0])
    api("DELETE", f"/v1/devices/{nobodys}")
    foreign, unknown = provision(other_api, keys[0]), random_id()
    path = f"/v1/products/{product}/devices"
    status, body = api("POST", path, {"ids": [mine, nobodys, foreign, unknown, "?", mine]})
    assert status == 200 and body["updated"] == 2
    assert set(body["updatedDeviceIds"]) == {mine, nobodys}
    assert body["nonmemberDeviceIds"] == [foreign]
    assert set(body["invalidDeviceIds"]) == {"?", unknown}
    assert body["protectedDeviceIds"] == []
    assert {mine, nobodys} <= set(listed(api, product)[0])
    shown = api("GET", f"{path}/{mine}")[1]
    assert (shown["product_id"], shown["platform_id"]) == (product, None)
    for device_id in (foreign, unknown):
        status, body = api("POST", path, {"id": device_id})
        assert status == 400 and device_id in body["error_description"]
        assert api("GET", f"{path}/{device_id}")[0] == 403
    assert api("POST", path, {})[0] == 400
    assert api("DELETE", f"{path}/{mine}/owner")[0] == 204
    assert api("GET", f"/v1/devices/{mine}")[0] == 403
    assert api("GET", f"{path}/{mine}")[1]["owner"] is None
    for device_id in (mine, nobodys):
        assert api("DELETE", f"{path}/{device_id}")[0] == 204
        assert api("DELETE", f"{path}/{device_id}")[0] == 403
    assert not {mine, nobodys} & set(listed(api, product)[0])


def test_a_device_is_in_one_product(api, product, member):
    desks = {"name": f"Desks {member}", "platform_id": 3}
    other = api("POST", PRODUCTS, desks)[1]["product"]["id"]
    status, body = api("POST", f"/v1/products/{other}/devices", {"id": member})
    assert status == 400 and body["nonmemberDeviceIds"] == [member]


def test_what_is_noted_of_a_device(api, product, member):
    path = f"/v1/products/{product}/devices/{member}"
    for values in (
        {"development": True},
        {"quarantined": "true"},
        {"denied": 1},
        {"groups": ["beta", "alpha"]},
        {"desired_firmware_version": 7},
        {"name": f"n {member}"},
        {"notes": "by the door"},
    ):
        status, body = api("PUT", path, values)
        assert status == 200 and body["id"] == member and body["updated_at"], values
    shown = api("GET", path)[1]
    assert shown["development"] is shown["quarantined"] is shown["denied"] is True
    assert shown["groups"] == ["alpha", "beta"] and shown["desired_firmware_version"] == 7
    assert api("PUT", path, {"desired_firmware_version": None})[1]["id"] == member
    assert api("GET", path)[1]["desired_firmware_version"] is None
    assert "beta" in api("GET", f"/v1/products/{product}")[1]["product"]["groups"]
    for values in (
        {"development": "maybe"},
        {"groups": "a b"},
        {"groups": [1]},
        {"groups": {"a": 1}},
        {"desired_firmware_version": -1},
        {"desired_firmware_version": 65536},
        {},
    ):
        assert api("PUT", path, values)[0] == 400, values
    # without the product these words mean nothing
    assert api("PUT", f"/v1/devices/{member}", {"development": True})[0] == 400


def test_pages_and_filters(api, keys):
    name = f"Many {random_id()}"
    number = api("POST", PRODUCTS, {"name": name, "platform_id": 3})[1]["product"]["id"]
    ids = sorted(provision(api, keys[0]) for _ in range(5))
    api("POST", f"/v1/products/{number}/devices", {"ids": ids})
    path = f"/v1/products/{number}/devices"
    api("PUT", f"{path}/{ids[1]}", {"groups": ["a"], "name": f"Lamp {ids[1]}"})
    api("PUT", f"{path}/{ids[2]}", {"groups": "a,b"})
    assert listed(api, number) == (ids, 1)
    assert listed(api, number, "?page=2&per_page=2") == (ids[2:4], 3)
    assert listed(api, number, "?page=9&per_page=2") == ([], 3)
    assert listed(api, number, "?groups=a")[0] == ids[1:3]
    assert listed(api, number, "?groups=b,c")[0] == ids[2:3]
    assert listed(api, number, f"?deviceName=lamp%20{ids[1]}")[0] == [ids[1]]
    assert listed(api, number, f"?deviceId={ids[3].upper()}")[0] == [ids[3]]
    for query in ("?page=0", "?page=x", "?per_page=-1", "?page=" + "9" * 40, "?page=%C2%B2"):
        assert api("GET", path + query)[0] == 400, query


def test_calls_and_events_of_a_product(cloud, api, other_api, keys, product, member):
    path = f"/v1/products/{product}/devices/{member}"
    outside = provision(api, keys[1])
    with (
        cloud.device(keys[0], member).connect() as device,
        cloud.device(keys[1], outside).connect() as stranger,
    ):
        device.describe(["f"], {"v": 2})
        value = run_beside(api, "POST", f"{path}/f", {"args": "x"})
        device.answer(device.recv(), 0x44, b"\x00\x00\x00\x09")
        assert value()[1]["return_value"] == 9
        value = run_beside(api, "GET", f"{path}/v")
        device.answer(device.recv(), 0x45, b"\x00\x00\x00\x07")
        assert value()[1]["result"] == 7
        assert api("GET", f"/v1/products/{product}/devices/{outside}/v")[0] == 403
        assert other_api("GET", f"{path}/v")[0] == 404
        for each in (device, stranger):
            each.subscribe("e")
        events = f"/v1/products/{product}/events"
        assert api("POST", events, {"name": "e", "data": "of the product"})[0] == 200
        assert api("POST", "/v1/devices/events", {"name": "e", "data": "of all"})[0] == 200
        assert [device.recv().payload for _ in range(2)] == [b"of the product", b"of all"]
        assert stranger.recv().payload == b"of all"
        assert api("POST", events, {"name": ""})[0] == 400
        assert other_api("POST", events, {"name": "e"})[0] == 404


def read_event(response):
    name = None
    while True:
        field, _, value = response.readline().decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            return name, json.loads(value)


@pytest.mark.parametrize("place", ["/events/a", "/devices/events/a", "/devices/{device}/events/a"])
def test_streams_of_a_product(cloud, api, keys, product, member, place):
    port = int(cloud.url.rpartition(":")[2])
    outside = provision(api, keys[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    path = f"/v1/products/{product}{place.format(device=member)}"
    connection.request("GET", path, headers={"Authorization": f"Bearer {api.token}"})
    response = connection.getresponse()
    assert response.status == 200
    with (
        cloud.device(keys[0], member).connect() as device,
        cloud.device(keys[1], outside).connect() as stranger,
    ):
        stranger.publish("a/1", b"not this")
        stranger.ping()
        device.publish("b/1", b"nor this")
        device.publish("a/2", b"this")
        name, event = read_event(response)
        assert (name, event["data"], event["coreid"]) == ("a/2", "this", member)
        assert event["productID"] == product and event["version"] == 0xFFFF and event["userid"]
    connection.close()


def test_claim_codes_and_new_devices_of_a_product(api, other_api, product, member):
    path = f"/v1/products/{product}/device_claims"
    status, body = api("POST", path, {})
    assert status == 200 and len(body["claim_code"]) == 63 and member in body["device_ids"]
    assert other_api("POST", path, {})[0] == 404
    made = api("POST", "/v1/devices", {"product_id": product})[1]["device_id"]
    assert made in listed(api, product, "?per_page=1000")[0]
    made = api("POST", "/v1/devices", {"product_id": 6})[1]["device_id"]
    assert api("GET", f"/v1/devices/{made}")[1]["platform_id"] == 6
    for number in (4242, "x", -1, "\u00b2", True):
        assert api("POST", "/v1/devices", {"product_id": number})[0] == 404, number


def test_organizations_and_sim_cards(cloud, api, product):
    assert api("GET", "/v1/orgs") == (200, {"organizations": []})
    assert api("GET", "/v1/sims") == (200, [])
    assert api("GET", f"/v1/products/{product}/sims")[1]["meta"] == {"total_pages": 0}
    for method, path in (
        ("GET", "/v1/orgs/mine"),
        ("GET", "/v1/orgs/mine/products"),
        ("POST", "/v1/orgs/mine/events"),
    ):
        status, body = api(method, path)
        assert status == 404 and body["ok"] is False and "mine" in body["error_description"]
    for path in ("/v1/clients", "/v1/libraries?page=1", "/v1/logic/functions", "/v1/env"):
        status, body = api("GET", path)
        assert status == 404 and body["info"] == "not served by the local cloud"
    assert Api(cloud.url)("GET", "/v1/products")[0] == 400
