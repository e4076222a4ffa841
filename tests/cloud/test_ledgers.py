"""REST: ledgers of the cloud's side; the vitals that are kept."""

import json
import struct
import time

import pytest

from cloud.device import random_id
from cloud.running import provision
from particle_tools.cloud import diagnostics, vitals

LEDGERS = "/v1/ledgers"


@pytest.fixture
def ledger(api):
    """Give the path of a new ledger of scope Owner."""
    name = "l-" + random_id()
    definition = {"name": name, "scope": "Owner", "direction": "Downstream", "description": "d"}
    status, body = api("POST", LEDGERS, {"ledger": definition})
    assert status == 200 and body["ledger"]["name"] == body["name"] == name
    assert body["archived_at"] is None and body["created_at"].endswith("Z")
    return f"{LEDGERS}/{name}"


def test_definitions(api, other_api, ledger):
    name = ledger.rpartition("/")[2]
    assert api("GET", ledger)[1]["scope"] == "Owner"
    assert name in [d["name"] for d in api("GET", LEDGERS)[1]["ledger_definitions"]]
    for scope in ("Owner", "Device"):
        listed = api("GET", f"{LEDGERS}?scope={scope}")[1]["ledger_definitions"]
        assert {d["scope"] for d in listed} <= {scope}
        assert (name in [d["name"] for d in listed]) is (scope == "Owner")
    assert other_api("GET", ledger)[0] == 404
    change = {"ledger": {"description": "e", "direction": "Upstream"}}
    body = api("PUT", ledger, change)[1]
    assert (body["description"], body["direction"]) == ("e", "Upstream")
    again = {"name": name, "scope": "Owner"}
    assert api("POST", LEDGERS, {"ledger": again})[0] == 409
    assert api("DELETE", ledger) == (200, {"ok": True})
    assert api("GET", ledger)[0] == 404
    archived = api("GET", f"{LEDGERS}?archived=true")[1]["ledger_definitions"]
    assert name in [d["name"] for d in archived]


@pytest.mark.parametrize(
    "definition",
    [
        None,
        "x",
        {},
        {"name": "UPPER", "scope": "Owner"},
        {"name": "x" * 33, "scope": "Owner"},
        {"name": 5, "scope": "Owner"},
        {"name": "x"},
        {"name": "x", "scope": "World"},
        {"name": "x", "scope": "Owner", "direction": "Sideways"},
        {"name": "x", "scope": "Owner", "description": ["d"]},
    ],
)
def test_definitions_that_cannot_be(api, definition):
    assert api("POST", LEDGERS, {"ledger": definition})[0] == 400


def test_instances_and_versions(api, ledger):
    path = f"{ledger}/instances/me"
    assert api("GET", path)[0] == 404
    set_ = {"instance": {"data": {"a": 1, "b": {"c": "\u00fc"}}}}
    body = api("PUT", path, set_)[1]
    assert body["data"] == body["instance"]["data"] == set_["instance"]["data"]
    assert body["scope"] == {"type": "Owner", "value": "me", "name": "me"}
    merged = {"instance": {"data": {"a": 2}}}
    assert api("PUT", path + "?set_mode=Merge", merged)[1]["data"]["b"] == {"c": "\u00fc"}
    assert api("PUT", path + "?set_mode=Replace", merged)[1]["data"] == {"a": 2}
    assert [i["data"] for i in api("GET", f"{ledger}/instances")[1]["instances"]] == [{"a": 2}]
    versions = api("GET", f"{path}/versions")[1]["versions"]
    assert [v["data"]["a"] for v in versions] == [2, 2, 1]
    assert versions[0]["replaced_at"] is None and versions[1]["replaced_at"]
    last = f"{path}/versions/{versions[2]['version']}"
    assert api("GET", last)[1]["data"]["a"] == 1
    assert api("GET", f"{path}/versions/0")[0] == 404
    assert api("GET", f"{path}/versions?replaced_before=soon")[0] == 400
    after = f"{path}/versions?replaced_after=2100-01-01T00:00:00Z"
    assert [v["replaced_at"] for v in api("GET", after)[1]["versions"]] == [None]
    assert api("DELETE", path) == (200, {"ok": True})
    assert api("GET", path)[0] == 404 and api("DELETE", path)[0] == 404
    for body in (
        {"instance": {"data": {"x": "y" * 16384}}},
        {"instance": {"data": [1]}},
        {"instance": 5},
        {},
    ):
        assert api("PUT", path, body)[0] == 400
    assert api("PUT", path + "?set_mode=Add", merged)[0] == 400


def test_instances_of_devices_and_products(api, other_api, keys, device_id):
    for scope in ("Device", "Product"):
        name = f"{scope.lower()}-{random_id()[:16]}"
        api("POST", LEDGERS, {"ledger": {"name": name, "scope": scope}})
        path = f"{LEDGERS}/{name}/instances"
        body = {"instance": {"data": {"a": 1}}}
        if scope == "Device":
            assert api("PUT", f"{path}/{device_id.upper()}", body)[0] == 200
            assert api("GET", f"{path}/{device_id}")[1]["scope"]["value"] == device_id
            foreign = provision(other_api, keys[0])
            assert api("PUT", f"{path}/{foreign}", body)[0] == 403
        else:
            assert api("PUT", f"{path}/nothing", body)[0] == 404


# Vitals.


def metrics(*entries):
    return struct.pack("<BHHH", 0, 4, 2, 4) + b"".join(struct.pack("<Hi", *e) for e in entries)


def test_vitals_in_words_and_units():
    values = {
        3: 80 * 256 + 128,
        6: 60,
        7: 2,
        8: 4,
        9: 0,
        10: 2,
        24: 2,
        28: 3,
        30: 8,
        36: 8,
        33: 50 * 256,
        34: 25 * 256,
        35: 20 << 16,
        37: -70 << 16,
        40: 262,
        41: -2,
        99: 1,
    }
    assert vitals.parse(metrics(*values.items())) == values
    device = vitals.to_json(values)["device"]
    assert device["power"] == {
        "battery": {"charge": 80.5, "state": "charging"},
        "source": "USB host",
    }
    network = device["network"]
    assert network["signal"] == {
        "at": "LTE Cat-M1",
        "strength": 50.0,
        "strength_units": "%",
        "strengthv": -70.0,
        "strengthv_units": "dBm",
        "quality": 25.0,
        "quality_units": "%",
        "qualityv": 20.0,
        "qualityv_units": "dB",
    }
    assert network["connection"] == {
        "status": "connected",
        "error": 0,
        "disconnect_reason": "network_off",
    }
    assert device["cloud"]["connection"] == {
        "status": "connected",
        "disconnect_reason": "server_moved",
    }
    cell = {"mobile_country_code": 262, "mobile_network_code": "02"}
    assert network["cellular"]["cell_global_identity"] == cell
    # numbers that mean nothing yet are left out
    assert vitals.to_json({7: 99, 8: -1, 24: 6, 36: 0, 41: 260})["device"] == {
        "network": {"cellular": {"cell_global_identity": {"mobile_network_code": "260"}}}
    }


def test_vitals_are_kept(cloud, api, other_api, keys, device_id):
    path = f"/v1/diagnostics/{device_id}"
    assert api("GET", f"{path}/last")[0] == 404
    assert api("GET", path) == (200, {"diagnostics": []})
    assert api("POST", f"{path}/update")[0] == 408
    with cloud.device(keys[0], device_id).connect() as device:
        for uptime in (1, 2):
            assert api("POST", f"{path}/update") == (202, {"ok": True})
            asked = device.recv()
            assert asked.path == ["d"] and asked.all(15) == [b"\x04"]
            device.answer(asked, 0x45, metrics((6, uptime), (25, 1000)))
            device.ping()
            stored(api, path, uptime)
    last = api("GET", f"{path}/last")[1]["diagnostics"]
    assert last["deviceID"] == device_id and last["updated_at"].endswith("Z")
    assert last["payload"]["device"]["system"] == {"uptime": 2, "memory": {"total": 1000}}
    found = api("GET", path)[1]["diagnostics"]
    assert [d["payload"]["device"]["system"]["uptime"] for d in found] == [2, 1]
    assert api("GET", f"{path}?end_date=2001-01-01")[1]["diagnostics"] == []
    later = api("GET", f"{path}?start_date={last['updated_at']}&end_date=2100-01-01T00:00:00Z")
    assert last in later[1]["diagnostics"]
    status, body = api("GET", f"{path}?start_date=yesterday")
    assert status == 400 and body["error"] == "bad_request" and body["description"]
    status, text = api("GET", path, headers={"Accept": "text/csv"})
    head, *rows = text.decode().splitlines()
    assert head.startswith("updated_at,deviceID,device.system.memory.total,") and len(rows) == 2
    assert "device.system.uptime" in api("GET", f"{path}/metadata")[1]["diagnostics_metadata"]
    for each in ("", "/last", "/metadata"):
        assert other_api("GET", path + each)[0] == 403
    product = api("POST", "/local/v1/products", {"name": device_id, "platform_id": 3})[1]
    number = product["product"]["id"]
    api("POST", f"/v1/products/{number}/devices", {"id": device_id})
    same = api("GET", f"/v1/products/{number}/diagnostics/{device_id}/last")[1]["diagnostics"]
    assert json.dumps(same) == json.dumps(last)


def test_vitals_of_a_device_that_floods_are_bounded(cloud, device_id, monkeypatch):
    monkeypatch.setattr(diagnostics, "_KEPT", 5)
    for uptime in range(9):
        cloud.run(cloud.services.diagnostics.add(device_id, {"uptime": uptime}))
    found = cloud.call(cloud.services.diagnostics.between, device_id, 0.0, 1e11)
    assert [row["payload"]["uptime"] for row in found] == [8, 7, 6, 5, 4]


def stored(api, path, uptime):
    """Wait until the answer of the device is on storage."""
    for _ in range(3000):
        status, body = api("GET", f"{path}/last")
        if (
            status == 200
            and body["diagnostics"]["payload"]["device"]["system"]["uptime"] == uptime
        ):
            return
        time.sleep(0.01)
    raise AssertionError("no vitals came")
