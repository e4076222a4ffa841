"""REST of webhooks: make, list, show, change, delete, try (rest-api 8)."""

import json

import pytest

from cloud.device import random_id
from cloud.hook_target import ok
from cloud.running import provision
from particle_tools.cloud.webhooks.definitions import BadDefinition, read

HOOKS = "/v1/webhooks"
URL = "http://127.0.0.1:9/x"


def shown(api, hook_id, kind="webhook"):
    status, body = api("GET", f"/v1/{kind}s/{hook_id}")
    assert status == 200, body
    return body[kind]


def test_make_list_show_delete(api):
    status, body = api("POST", HOOKS, {"event": "temp", "url": URL})
    assert status == 201
    hook_id = body["id"]
    assert body == {
        "ok": True,
        "id": hook_id,
        "created_at": body["created_at"],
        "event": "temp",
        "url": URL,
        "requestType": "POST",
        "name": None,
        "deviceID": None,
        "disabled": False,
        "integration_type": "Webhook",
        "hookUrl": f"{api.url}/v1/webhooks/{hook_id}",
    }
    assert len(hook_id) == 24 and body["created_at"].endswith("Z")
    listed = {name: body[name] for name in body if name not in ("ok", "hookUrl")}
    assert api("GET", HOOKS) == (200, [listed])
    assert api("GET", "/v1/integrations") == (200, [listed])
    whole = shown(api, hook_id)
    assert whole == shown(api, hook_id.upper(), "integration")
    assert whole.items() >= listed.items()
    assert whole["rejectUnauthorized"] is True and whole["noDefaults"] is False
    assert whole["counters"]["triggered"] == 0
    assert api("DELETE", f"{HOOKS}/{hook_id}") == (200, {"ok": True})
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("POST", "/test")):
        status, body = api(method, f"{HOOKS}/{hook_id}{path}")
        assert (status, body["error"]) == (404, "Webhook not found")
    assert api("GET", HOOKS) == (200, [])


def test_an_integration_is_deleted_without_words(api, account):
    hook_id = account.hook("x", URL, "/v1/integrations")
    assert api("DELETE", f"/v1/integrations/{hook_id}") == (204, b"")


def test_a_form_makes_a_hook(api, account):
    fields = {
        "event": "x",
        "url": URL,
        "requestType": "put",
        "json": '{"v": "{{v}}"}',
        "headers": '{"X-A": "b"}',
        "rejectUnauthorized": "false",
        "disabled": "1",
    }
    status, body = api("POST", HOOKS, fields, form=True)
    assert status == 201, body
    whole = shown(api, body["id"])
    assert (whole["requestType"], whole["json"]) == ("PUT", '{"v": "{{v}}"}')
    assert (whole["headers"], whole["rejectUnauthorized"]) == ({"X-A": "b"}, False)
    assert whole["disabled"] is True
    api("DELETE", f"{HOOKS}/{body['id']}")


def test_change(api, account, target):
    hook_id = account.hook("one", target.url, json={"a": 1}, name="first")
    status, body = api("PUT", f"/v1/integrations/{hook_id}", {"event": "two", "form": {"b": "2"}})
    assert status == 200 and body["ok"] is True
    whole = shown(api, hook_id)
    assert (whole["event"], whole["url"], whole["name"]) == ("two", target.url, "first")
    assert whole["form"] == {"b": "2"} and "json" not in whole
    account.publish("one")
    account.publish("two")
    account.heard.wait("hook-response/two")
    assert account.heard.named("hook-sent/") == [("hook-sent/two", "")]
    assert api("PUT", f"{HOOKS}/{hook_id}", {"name": None, "disabled": True})[0] == 200
    whole = shown(api, hook_id)
    assert whole["name"] is None and whole["disabled"] is True and whole["form"] == {"b": "2"}
    for change in ({"url": "ftp://x"}, {"url": URL, "nodefaults": True}):
        assert api("PUT", f"{HOOKS}/{hook_id}", change)[0] == 400
    assert shown(api, hook_id) == whole
    # what was shown can be given back
    assert api("PUT", f"{HOOKS}/{hook_id}", whole)[0] == 200
    assert shown(api, hook_id) == whole


@pytest.mark.parametrize("spelling", ["deviceID", "deviceId", "deviceid"])
def test_a_device_by_name_or_id(api, account, device_id, spelling):
    hook_id = account.hook("x", URL, **{spelling: device_id.upper()})
    assert shown(api, hook_id)["deviceID"] == device_id
    status, body = api("POST", HOOKS, {"event": "x", "url": URL, spelling: "f" * 24})
    assert (status, body["error"]) == (403, "Permission Denied")


def test_hooks_of_an_account_are_its_own(api, other_api, account):
    hook_id = account.hook("x", URL)
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("POST", "/test")):
        assert other_api(method, f"{HOOKS}/{hook_id}{path}")[0] == 404
    assert other_api("GET", HOOKS) == (200, [])
    assert api("GET", HOOKS)[1][0]["id"] == hook_id


def test_hooks_of_a_product(api, account, other_api):
    one, two = (account.product(name) for name in ("Lamp", "Fan"))
    path = f"/v1/products/{one}/webhooks"
    hook_id = account.hook("x", URL, path)
    (listed,) = api("GET", path)[1]
    assert (listed["id"], listed["product_id"]) == (hook_id, one)
    assert api("GET", "/v1/products/lamp/webhooks")[1] == [listed]
    assert api("GET", f"{path}/{hook_id}")[1]["webhook"]["hookUrl"].endswith(f"{path}/{hook_id}")
    assert api("GET", HOOKS) == (200, [])
    assert api("GET", f"/v1/products/{two}/integrations") == (200, [])
    assert api("GET", f"{HOOKS}/{hook_id}")[0] == 404
    assert api("GET", "/v1/products/none/webhooks")[0] == 404
    assert other_api("GET", path)[0] == 404
    assert api("DELETE", f"{path}/{hook_id}") == (200, {"ok": True})
    account.hook("x", URL, path)
    assert api("DELETE", f"/local/v1/products/{one}")[0] == 200
    assert api("GET", path)[0] == 404
    body = {"name": "Other", "platform_id": 3, "id": one}
    assert api("POST", "/local/v1/products", body)[0] == 200
    assert api("GET", path) == (200, [])  # they went with the product


def test_try(api, account, target):
    hook_id = account.hook("tried", target.url, responseTopic="told")
    target.answer = ok(b"fine")
    path = f"/v1/integrations/{hook_id}/test"
    assert api("POST", path) == (200, {"pass": True, "data": None})
    assert api("POST", path, {"data": "5"})[1]["pass"] is True
    first, second = target.got
    assert (first.form()["event"], first.form()["data"]) == ("tried", "")
    assert second.form()["data"] == "5"
    target.answer = ok(b"", 500)
    text = "error status 500 from 127.0.0.1"
    assert api("POST", path) == (200, {"pass": False, "error": text})
    assert api("POST", path, {"data": "x" * 1025})[0] == 400
    assert account.heard.named("hook-") == account.heard.named("told") == []


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"event": ""}, "event is the beginning"),
        ({"event": "e" * 65}, "event is the beginning"),
        ({"event": 5}, "event is the beginning"),
        ({"event": "a\nb"}, "printable"),
        ({"event": "hook-response/x"}, "no webhook is triggered"),
        ({"url": None}, "url is missing"),
        ({"url": "file:///etc/passwd"}, "http:// or https://"),
        ({"url": "http://x/{{a"}, "url: The tag"),
        ({"url": "http://[::"}, "url: .* is not a URL"),
        ({"url": "http://x:99999/"}, "url: .* is not a URL: Port out of range"),
        ({"url": "http:///x"}, "url: .* is not a URL of http"),
        ({"headers": {"X-A": "a\r\nX-B: c"}}, "headers: the header X-A has characters"),
        ({"auth": {"username": "a:b", "password": "c"}}, "auth cannot be sent"),
        ({"requestType": "PATCH"}, "requestType is one of"),
        ({"integration_type": "AzureIotHub"}, "integration_type is Webhook"),
        ({"json": {}, "body": "x"}, "json and body: a request has one body"),
        ({"json": 5}, "json is a text or an object"),
        ({"body": {}}, "body is a text"),
        ({"form": [1]}, "form is an object"),
        ({"query": {"a": []}}, "query is an object"),
        ({"headers": "x: y"}, "headers is an object"),
        ({"headers": {"a b": "c"}}, "no name of a header"),
        ({"headers": {"Content-Length": "5"}}, "cannot be set"),
        ({"auth": {"user": "x"}}, "auth has username and password"),
        ({"requestType": "GET", "form": {}}, "A GET request has no form"),
        ({"noDefaults": "maybe"}, "noDefaults is true or false"),
        ({"responseTemplate": "{{#a}}"}, "responseTemplate: The template"),
        ({"responseTopic": 5}, "responseTopic is a text"),
        ({"body": "x" * 17000}, "at most 16384 bytes"),
        ({"name": "\ud800"}, "not valid Unicode"),
        ({"json": {"{{": 1}}, "json: The tag"),
        ({"requestTyp": "GET"}, "requestTyp is unknown; a webhook has .*requestType"),
        ({"responseTopics": None}, "responseTopics is unknown"),
    ],
)
def test_what_is_refused(fields, text):
    with pytest.raises(BadDefinition, match=text):
        read({"event": "x", "url": URL} | fields)


def test_a_template_of_years_ago():
    fields = {"event": "x", "url": URL}
    assert read(fields | {"mydevices": True}) == read(fields)


def test_refusals_are_400(api):
    for body in ({}, {"event": "x"}, {"url": URL}, {"event": "x", "url": URL, "json": "{{"}):
        status, answer = api("POST", HOOKS, body)
        assert status == 400 and answer["error_description"] == answer["error"]
    for host in ("169.254.169.254", "[fe80::1]", "0.0.0.0", "[::ffff:169.254.169.254]"):
        status, answer = api("POST", HOOKS, {"event": "x", "url": f"http://{host}/"})
        assert status == 400 and "is not among the hosts" in answer["error"]
    deep = json.dumps({"event": "x", "url": URL, "json": 1})[:-2] + "[" * 5000
    assert api("POST", HOOKS, raw=deep.encode(), headers={"Content-Type": "application/json"})[
        0
    ] in (400, 413)


def test_an_account_has_so_many(cloud, other_api):
    made = [other_api("POST", HOOKS, {"event": "x", "url": URL})[1]["id"] for _ in range(100)]
    status, body = other_api("POST", HOOKS, {"event": "x", "url": URL})
    assert (status, body["error"]) == (400, "An account has at most 100 webhooks")
    for hook_id in made:
        assert other_api("DELETE", f"{HOOKS}/{hook_id}")[0] == 200
    assert other_api("GET", HOOKS) == (200, [])


def test_a_hook_goes_with_its_account(cloud, account, target, keys):
    services = cloud.services
    user = cloud.run(services.accounts.create(f"{random_id()}@example.com", "x"))
    fields = read({"event": "gone", "url": target.url})
    cloud.run(services.webhooks.create(user.id, fields, None))
    cloud.run(services.db.execute("DELETE FROM users WHERE id = ?", user.id))
    heir = cloud.run(services.accounts.create(f"{random_id()}@example.com", "x"))
    cloud.run(services.db.execute("UPDATE users SET id = ? WHERE id = ?", user.id, heir.id))
    provision(account.api, keys[0])
    hooks = cloud.call(services.webhooks.of, user.id, None)
    assert hooks == []
    cloud.call(publish, cloud, user.id, "gone")
    account.hook("marker", target.url)
    account.publish("marker")
    assert [got.form()["event"] for got in target.requests(1)] == ["marker"]


def publish(cloud, owner, name):
    from particle_tools.cloud.events import Event

    cloud.services.bus.publish(Event(name, b"", "api", owner, 0.0))
