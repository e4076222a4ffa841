"""Webhooks at work: what triggers them, what is sent, what comes back (rest-api 8)."""

import base64
import json

import pytest

from cloud.device import CON
from cloud.hook_target import eventually, ok
from cloud.running import provision
from particle_tools.cloud.events import Event

SENT, RESPONSE, ERROR = "hook-sent/", "hook-response/", "hook-error/"


def one(target):
    (got,) = target.requests(1)
    return got


# What is sent.


def test_event_and_url_alone_are_a_form(account, target):
    account.hook("temp", target.url)
    account.publish("temp/kitchen", "21.5")
    got = one(target)
    form = got.form()
    assert (got.method, got.path, got.query) == ("POST", "/hook", {})
    assert (form["event"], form["data"], form["coreid"]) == ("temp/kitchen", "21.5", "api")
    assert form["published_at"].endswith("Z") and len(form) == 4
    assert got.headers["user-agent"].startswith("ParticleBot/1.1")
    assert "cookie" not in got.headers
    account.heard.wait(RESPONSE)
    assert account.heard.named("hook-") == [
        ("hook-sent/temp/kitchen", ""),
        ("hook-response/temp/kitchen/0", ""),
    ]
    assert {e.core_id for e in account.heard.events if e.name.startswith("hook-")} == {
        "particle-internal"
    }


def test_get_has_a_query(account, target):
    account.hook(
        "q", target.url + "?fixed=1", requestType="GET", query={"v": "{{a.b}} &", "data": "mine"}
    )
    account.publish("q", '{"a": {"b": "x+y"}}')
    got = one(target)
    assert (got.method, got.body) == ("GET", b"")
    query = got.query
    assert (query["fixed"], query["v"], query["data"]) == ("1", "x+y &", "mine")
    assert (query["event"], query["coreid"]) == ("q", "api") and len(query) == 6


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_json_with_defaults(account, target, method):
    account.hook(
        "j",
        target.url,
        requestType=method,
        json={"v": "{{{v}}}", "deep": [{"n": "{{n}}"}, 5], "event": "mine"},
        query={"k": "v"},
    )
    account.publish("j", json.dumps({"v": 'quoted "<&>"', "n": 7}))
    got = one(target)
    assert (got.method, got.query) == (method, {"k": "v"})
    assert got.headers["content-type"] == "application/json"
    body = got.json()
    assert body["v"] == 'quoted "<&>"' and body["deep"] == [{"n": "7"}, 5]
    assert (body["event"], body["coreid"]) == ("mine", "api")
    assert json.loads(body["data"])["n"] == 7 and len(body) == 6


def test_json_as_text(account, target):
    account.hook(
        "t",
        target.url,
        noDefaults=True,
        json='{"n": {{n}}, "list": [{{#l}}{{.}},{{/l}} 0]{{^gone}}, "no": true{{/gone}}}',
    )
    account.publish("t", '{"n": 5, "l": [1, 2]}')
    assert one(target).json() == {"n": 5, "list": [1, 2, 0], "no": True}
    account.publish("t", "no JSON at all")
    text = "the template json gives no JSON with this data"
    assert account.heard.wait(ERROR)[0][1].startswith(text)
    assert len(target.got) == 1


def test_form_body_headers_and_account(account, target):
    account.hook(
        "f",
        target.url + "/{{{PARTICLE_EVENT_NAME}}}",
        requestType="PUT",
        noDefaults=True,
        form={"a b": "{{{PARTICLE_EVENT_VALUE}}}", "n": 5},
        headers={"X-Value": "{{v}}", "user-agent": "mine"},
        auth={"username": "{{u}}", "password": "ü:{{v}}"},
    )
    account.publish("f", '{"v": 1.5, "u": "ann"}')
    got = one(target)
    assert (got.path, got.form()) == ("/hook/f", {"a b": '{"v": 1.5, "u": "ann"}', "n": "5"})
    assert (got.headers["x-value"], got.headers["user-agent"]) == ("1.5", "mine")
    assert got.account() == "ann:ü:1.5"


def test_body_as_it_is(account, target):
    account.hook("b", target.url, body="v={{v}};", headers={"Content-Type": "text/x-own"})
    account.publish("b", '{"v": "ü"}')
    got = one(target)
    assert (got.body.decode(), got.headers["content-type"]) == ("v=ü;", "text/x-own")


def test_variables(cloud, account, target, keys):
    names = (
        "PARTICLE_DEVICE_ID PARTICLE_EVENT_NAME PARTICLE_EVENT_VALUE PARTICLE_PUBLISHED_AT"
        " PARTICLE_EVENT_ID PARTICLE_EVENT_JSON PARTICLE_EVENT_BASE64 SPARK_CORE_ID"
        " SPARK_EVENT_NAME SPARK_EVENT_VALUE SPARK_PUBLISHED_AT PRODUCT_ID PRODUCT_VERSION"
        " PRODUCT_USER_ID"
    ).split()
    account.hook(
        "var", target.url, noDefaults=True, json={name: "{{{%s}}}" % name for name in names}
    )
    device_id = provision(account.api, keys[0])
    data = '{"PARTICLE_DEVICE_ID": "forged"}'
    with cloud.device(keys[0], device_id).connect() as device:
        device.publish("var", data.encode(), CON)
        found = one(target).json()
    assert found["PARTICLE_DEVICE_ID"] == found["SPARK_CORE_ID"] == device_id
    assert found["PARTICLE_EVENT_NAME"] == found["SPARK_EVENT_NAME"] == "var"
    assert found["PARTICLE_EVENT_VALUE"] == found["SPARK_EVENT_VALUE"] == data
    assert found["PARTICLE_PUBLISHED_AT"] == found["SPARK_PUBLISHED_AT"] != ""
    assert len(found["PARTICLE_EVENT_ID"]) == 24
    assert found["PARTICLE_EVENT_JSON"] == data
    assert base64.b64decode(found["PARTICLE_EVENT_BASE64"]).decode() == data
    shown = account.api("GET", f"/v1/devices/{device_id}")[1]
    assert found["PRODUCT_ID"] == str(shown["product_id"])
    assert found["PRODUCT_USER_ID"] == str(account.id)
    assert found["PRODUCT_VERSION"] == str(shown["firmware_version"])
    account.publish("var", "plain")
    assert target.requests(2)[1].json()["PARTICLE_EVENT_JSON"] == '"plain"'


# What triggers.


def test_prefix_device_and_account(cloud, account, other_api, target, keys):
    one_id, two_id = provision(account.api, keys[0]), provision(account.api, keys[0])
    all_hook = account.hook("Temp", target.url)
    one_hook = account.hook("Temp", target.url, deviceID=one_id)
    off = account.hook("Temp", target.url, disabled=True)
    with (
        cloud.device(keys[0], one_id).connect() as first,
        cloud.device(keys[0], two_id).connect() as second,
    ):
        first.publish("Temperature", b"1", CON)
        second.publish("Temp", b"2", CON)
        second.publish("temp", b"3", CON)
        second.publish("Tem", b"4", CON)
    other_api("POST", "/v1/devices/events", {"name": "Temp", "data": "5"})
    account.publish("Temp", "6")
    account.heard.wait(RESPONSE, 4)
    assert sorted(got.form()["data"] for got in target.got) == ["1", "1", "2", "6"]
    counts = [account.counters(hook)["triggered"] for hook in (all_hook, one_hook, off)]
    assert counts == [3, 1, 0]


def test_system_events_trigger(cloud, account, target, keys):
    device_id = provision(account.api, keys[0])
    account.hook("spark/status", target.url, deviceID=device_id)  # others may be going offline
    with cloud.device(keys[0], device_id).connect():
        assert one(target).form()["data"] == "online"


def test_products(cloud, account, target, keys):
    device_id = provision(account.api, keys[0])
    with cloud.device(keys[0], device_id).connect() as device:
        one, two = (account.product(name) for name in ("Lamp", "Fan"))
        assert account.api("POST", f"/v1/products/{one}/devices", {"id": device_id})[0] == 200
        path = f"/v1/products/{one}/webhooks"
        mine = account.hook("p", target.url, path, query={"of": "{{PRODUCT_ID}}"})
        account.hook("p", target.url, f"/v1/products/{two}/integrations")
        account.publish("p", "of no device")
        device.publish("p", b"of the product", CON)
        account.heard.wait(f"{device_id}/{RESPONSE}")
        account.api("POST", f"/v1/products/{one}/events", {"name": "p", "data": "to it"})
        account.heard.wait("api/hook-response/p")
    assert [got.form()["data"] for got in target.got] == ["of the product", "to it"]
    assert target.got[0].query == {"of": str(one)}
    assert account.heard.named(f"{device_id}/") == [(f"{device_id}/hook-response/p/0", "")]
    assert account.api("GET", f"{path}/{mine}")[1]["webhook"]["counters"]["succeeded"] == 2


def test_events_of_hooks_trigger_none(account, target):
    target.answer = ok(b"x" * 1000)
    chains = account.hook("chain", target.url, responseTopic="chain/again")
    account.hook("hook", target.url)  # a prefix of all that hooks publish by themselves
    for name in ("hook-sent/x", "hook-response/x/0", "hook-error/x"):
        account.publish(name)
    account.publish("chain")
    account.heard.wait("chain/again", 2)
    account.publish("hook", "end")
    account.heard.wait("hook-response/hook/1")
    assert [got.form()["event"] for got in target.got] == ["chain", "hook"]
    assert account.counters(chains)["triggered"] == 1


# What comes back.


def test_response_in_parts(cloud, account, target):
    text = "ä" * 300 + "x" * 500  # 1100 bytes; a character would be cut at 1024 but for its start
    target.answer = ok(text.encode())
    account.hook("parts", target.url)
    account.publish("parts")
    parts = account.heard.wait("hook-response/parts/", 3)
    assert [name.rpartition("/")[2] for name, _ in parts] == ["0", "1", "2"]
    assert [len(data.encode()) for _, data in parts] == [512, 512, 76]
    assert "".join(data for _, data in parts) == text
    account.heard.events.clear()
    target.answer = ok(b"x" + text.encode())
    account.publish("parts")
    parts = account.heard.wait("hook-response/parts/", 3)
    assert [len(data.encode()) for _, data in parts] == [511, 512, 78]
    account.heard.events.clear()
    target.answer = ok(bytes(range(128, 192)) * 20)  # not text: cut where the limit is
    account.publish("parts")
    account.heard.wait("hook-response/parts/", 3)
    data = [e.data for e in account.heard.events if e.name.startswith("hook-response")]
    assert [len(part) for part in data] == [512, 512, 256]


def test_the_largest_response(account, target):
    target.answer = ok(b"0123456789abcdef" * 6400)
    account.hook("large", target.url)
    account.publish("large")
    parts = account.heard.wait("hook-response/large/", 200)
    assert len(parts) == 200 and parts[-1][0] == "hook-response/large/199"
    target.answer = ok(b"0123456789abcdef" * 6400 + b"x")
    account.publish("large")
    text = "the answer of 127.0.0.1 is larger than 102400 bytes"
    assert account.heard.wait(ERROR) == [("hook-error/large/0", text)]


def test_a_device_hears_its_response(cloud, account, target, keys):
    target.answer = ok(b"y" * 600)
    account.hook("ask", target.url, responseTopic="{{PARTICLE_DEVICE_ID}}/answer")
    device_id = provision(account.api, keys[0])
    with cloud.device(keys[0], device_id).connect() as device:
        device.subscribe(f"{device_id}/answer")
        device.publish("ask", b"?", CON)
        parts = [device.recv() for _ in range(2)]
    assert [part.path for part in parts] == [["E", device_id, "answer", str(n)] for n in (0, 1)]
    assert [len(part.payload) for part in parts] == [512, 88]


def test_topics_and_templates(account, target):
    target.answer = ok(b'{"list": [{"n": 1}, {"n": 2}], "PARTICLE_EVENT_NAME": "forged"}')
    hook_id = account.hook(
        "tt",
        target.url,
        responseTopic="{{PARTICLE_EVENT_NAME}}/{{room}}/done",
        errorResponseTopic="{{room}}/failed",
        responseTemplate="{{#list}}{{n}},{{/list}}{{list.1.n}} {{PARTICLE_EVENT_NAME}}",
    )
    account.publish("tt", '{"room": "attic"}')
    assert account.heard.wait("tt/attic") == [("tt/attic/done/0", "1,2,2 tt")]
    target.answer = ok(b"<html>")
    account.publish("tt", '{"room": "attic"}')
    text = "127.0.0.1 gives no JSON for the responseTemplate"
    assert account.heard.wait("attic/failed") == [("attic/failed/0", text)]
    account.publish("tt", '{"room": "%s"}' % ("r" * 130))
    text = "responseTopic gives no name of an event with this data"
    assert account.heard.wait("hook-error/tt") == [("hook-error/tt/0", text)]
    account.api("PUT", f"/v1/webhooks/{hook_id}", {"responseTopic": "spark/{{room}}"})
    account.publish("tt", '{"room": "status"}')
    assert "are the system's" in account.heard.wait("status/failed")[0][1]
    assert account.heard.named("spark/status/") == []


def test_unchunked_and_data_urls(account, target):
    target.answer = ok(b"z" * 1024)
    account.hook("un", target.url, unchunked=True)
    account.publish("un")
    assert account.heard.wait("hook-response/un") == [("hook-response/un/0", "z" * 1024)]
    target.answer = ok(b"z" * 1025)
    account.publish("un")
    assert "1025 bytes is larger than the 1024" in account.heard.wait("hook-error/un")[0][1]
    target.answer = ok(b"\x00\xff", 200, "Content-Type: image/png; q=1")
    account.hook("url", target.url, dataUrlResponseEvent=True)
    account.publish("url")
    (event,) = account.heard.wait("hook-response/url")
    assert event[1] == "data:image/png;base64,AP8="


@pytest.mark.parametrize("status", [200, 201, 204])
def test_every_2xx_is_a_response(account, target, status):
    body = b"" if status == 204 else b"made"
    target.answer = ok(body, status)
    account.hook("made", target.url)
    account.publish("made")
    assert account.heard.wait(RESPONSE) == [("hook-response/made/0", body.decode())]


def test_binary_data_of_a_device(cloud, account, target):
    account.hook("bin", target.url, noDefaults=True, json={"v": "{{{PARTICLE_EVENT_BASE64}}}"})
    event = Event("bin", b"\x00\xff", "api", account.id, 0.0, content_format=42)
    cloud.call(cloud.services.bus.publish, event)
    assert one(target).json() == {"v": "AP8="}


def test_restart_keeps_definitions(restarted, target):
    body = restarted.api("POST", "/v1/webhooks", {"event": "kept", "url": target.url})[1]
    hook_id, first = body["id"], restarted.cloud
    restarted.start()
    assert restarted.cloud is not first
    (listed,) = restarted.api("GET", "/v1/webhooks")[1]
    assert (listed["id"], listed["created_at"]) == (hook_id, body["created_at"])
    assert restarted.api("POST", "/v1/devices/events", {"name": "kept"})[0] == 200
    assert one(target).form()["event"] == "kept"


def test_a_damaged_row_is_left_out(restarted, target):
    for name in ("broken", "whole"):
        restarted.api("POST", "/v1/webhooks", {"event": name, "url": target.url})
    restarted.cloud.run(
        restarted.cloud.services.db.execute(
            "UPDATE webhooks SET fields = 'x' WHERE fields LIKE '%broken%'"
        )
    )
    restarted.start()
    assert [hook["event"] for hook in restarted.api("GET", "/v1/webhooks")[1]] == ["whole"]
    restarted.api("POST", "/v1/devices/events", {"name": "whole"})
    eventually(lambda: target.got)
