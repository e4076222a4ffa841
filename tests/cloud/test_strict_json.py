"""NaN and Infinity, which are no JSON: refused where they come in, never sent."""

import json
import logging
import math
from urllib.parse import urlsplit

import pytest

from cloud.device import random_id
from cloud.hook_target import ok
from particle_tools.cloud import logs, strict_json, system_description
from particle_tools.cloud.events import Event

_JSON = {"Content-Type": "application/json"}
_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400")
_HOOK = '"event":"x","url":"http://127.0.0.1:9/"'


@pytest.mark.parametrize("number", _NUMBERS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/ledgers/led/instances/2", '{"data":{"a":%s}}'),
        ("PUT", "/v1/ledgers/led/instances/2", '{"a":%s}'),
        ("POST", "/v1/devices/events", '{"name":"x","data":[%s]}'),
        ("POST", "/v1/devices/events", '{"name":"x","ttl":%s}'),
        ("POST", "/v1/webhooks", "{" + _HOOK + ',"json":{"a":%s}}'),
        ("PUT", "/v1/devices/{device}", '{"name":%s}'),
    ],
)
def test_it_is_refused_in_every_body(api, device_id, method, path, body, number):
    path = path.replace("{device}", device_id)
    status, answer = api(method, path, raw=(body % number).encode(), headers=_JSON)
    assert status == 400 and "malformed JSON" in answer["error"], answer
    assert api("GET", f"/v1/devices/{device_id}")[1]["name"].startswith("board-")
    assert api("GET", "/v1/webhooks") == (200, [])


def test_large_numbers_are_numbers(api):
    raw = b'{"name":"x","data":[1e308,-1.5,' + b"9" * 400 + b"]}"
    assert api("POST", "/v1/devices/events", raw=raw, headers=_JSON)[0] == 200


@pytest.mark.parametrize("number", _NUMBERS)
def test_reading(number):
    for text in (number, f"[{number}]", f'{{"a":{number}}}'.encode()):
        with pytest.raises(strict_json.NotFinite):
            strict_json.loads(text)
    with pytest.raises(ValueError):
        system_description.to_json(f'{{"m":[{number}]}}'.encode(), 0, None)


def test_writing():
    value = {"a": [1.5, math.nan, {"b": math.inf}], "c": (-math.inf, True, None, "NaN")}
    plain = {"a": [1.5, None, {"b": None}], "c": [None, True, None, "NaN"]}
    assert json.loads(strict_json.dumps(value)) == plain
    assert strict_json.dumps({"a": 1}, separators=(",", ":")) == '{"a":1}'


def test_what_was_stored_before_is_valid_json(cloud, api):
    services = cloud.services
    owner = cloud.call(services.accounts.find, "ann@example.com")
    name = f"l-{random_id()}"
    ledger = cloud.run(services.ledgers.create(owner, name, "Owner", None, ""))
    sql = (
        "INSERT INTO ledger_versions (ledger_id, scope_value, data, size, created_at)"
        " VALUES (?, ?, ?, ?, ?)"
    )
    cloud.run(services.db.execute(sql, ledger["id"], str(owner.id), '{"a":NaN}', 9, 0.0))
    status, body = api("GET", f"/v1/ledgers/{name}/instances/{owner.id}")
    assert status == 200 and body["instance"]["data"] == {"a": None}, body


@pytest.mark.parametrize("content_format", [0, 50, 60])
def test_an_event_with_nan_is_text_in_a_stream(content_format):
    event = Event("x", b'{"a":NaN}', "d", 1, 0.0, content_format=content_format)
    assert isinstance(json.loads(event.json)["data"], str)


def test_what_a_device_says_goes_to_no_hook_as_a_number(account, target):
    """PARTICLE_EVENT_JSON is the data as JSON: a text, if it is none."""
    account.hook("x", target.url, json='{"v": {{{PARTICLE_EVENT_JSON}}}}', noDefaults=True)
    account.publish("x", '{"a":NaN}')
    assert target.requests(1)[0].json() == {"v": '{"a":NaN}'}
    account.hook("y", target.url, json='{"v": {{{PARTICLE_EVENT_VALUE}}}}', noDefaults=True)
    account.publish("y", "NaN")
    ((_, text),) = account.heard.wait("hook-error/y")
    assert "the template json gives no JSON" in text and len(target.got) == 1


def test_an_answer_with_nan_is_no_json_for_a_template(account, target):
    target.answer = ok(b'{"a":NaN}')
    account.hook("x", target.url, responseTemplate="{{a}}")
    account.publish("x")
    ((_, text),) = account.heard.wait("hook-error/x")
    assert text == f"{urlsplit(target.url).hostname} gives no JSON for the responseTemplate"


def test_a_log_line_is_json():
    record = logging.makeLogRecord({"msg": "x", **logs.fields(ms=math.nan)})
    line = logs.JsonLines().format(record)
    assert "NaN" not in line and json.loads(line)["ms"] is None
