"""The log: JSON lines or text, the request a line belongs to, never a secret."""

from __future__ import annotations

import io
import json
import logging
import re
import sys

import pytest

from cloud.running import OTHER, USER, Api
from particle_tools.cloud import logs
from particle_tools.local import wait_for

_TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def log():
    """Give what is logged while the test runs; `.lines()` parses it."""
    logger = logging.getLogger(logs.NAME)
    before = list(logger.handlers), logger.level, logger.propagate
    stream = io.StringIO()
    stream.lines = lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure("json", "debug", stream)
    yield stream
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def find(log, **wanted):
    def once():
        return [line for line in log.lines() if wanted.items() <= line.items()]

    found = wait_for(once, 30)
    assert found, log.getvalue()
    return found[-1]


def test_a_request_has_an_id_in_answer_and_log(api, log, device_id):
    api("GET", f"/v1/devices/{device_id}", headers={"X-Request-Id": "mine-1"})
    assert api.headers["X-Request-Id"] == "mine-1"
    line = find(log, request_id="mine-1")
    assert line["message"] == "GET /v1/devices/{device} 200" and line["level"] == "info"
    assert line["device_id"] == device_id and line["peer"] == "127.0.0.1" and line["ms"] >= 0
    api("GET", "/v1/devices", headers={"X-Request-Id": "no good: spaces"})
    assert len(api.headers["X-Request-Id"]) == 16
    assert find(log, request_id=api.headers["X-Request-Id"])["message"] == "GET /v1/devices 200"


def test_errors_have_ids_too(anonymous, log):
    assert anonymous("GET", "/v1/devices")[0] == 400
    assert find(log, request_id=anonymous.headers["X-Request-Id"])["message"].endswith(" 400")


def test_sessions_and_refusals(cloud, log, keys, api, device_id):
    with cloud.device(keys[0], device_id).connect():
        line = find(log, message="online", device_id=device_id)
        assert line["transport"] == "tcp" and line["peer"].startswith("127.0.0.1:")
    find(log, message="offline: the device closed the connection", device_id=device_id)
    with cloud.device(keys[1], device_id) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        assert device.ended()
    line = find(log, stage="device key", device_id=device_id)
    assert line["message"].startswith("refused: ")


def test_no_secret_is_logged(cloud, log, anonymous):
    api = Api(cloud.url).login()
    api("GET", f"/v1/devices?access_token={api.token}")
    Api(cloud.url)("DELETE", f"/v1/access_tokens/{api.token}")
    anonymous("GET", f"/v1/{_TOKEN}/{OTHER[1]}")
    api("POST", "/oauth/token", {"username": USER[0], "password": OTHER[1]})
    find(log, request_id=api.headers["X-Request-Id"])
    text = log.getvalue()
    for secret in (api.token, _TOKEN, USER[1], OTHER[1]):
        assert secret not in text


@pytest.mark.parametrize("form", ["json", "text"])
def test_tokens_are_hidden_wherever_they_are(log, form):
    logs.configure(form, "info", log)
    logger = logging.getLogger(logs.NAME)
    try:
        raise ValueError(f"what is {_TOKEN}")
    except ValueError:
        logger.exception(
            "GET /x?access_token=abc&y=1 %s", _TOKEN, extra=logs.fields(device_id="d")
        )
    text = log.getvalue()
    assert _TOKEN not in text and "abc" not in text and text.count("[token]") == 3
    assert "Traceback" in text and "&y=1" in text
    if form == "json":
        (line,) = (line for line in log.lines() if line.get("device_id") == "d")
        assert line["level"] == "error"
    else:
        assert " error GET /x" in text and "device_id=d" in text


def test_strangers_forge_no_line(anonymous, log):
    logs.configure("text", "info", log)
    anonymous("GET", "/v1/devices/x%0a2026-01-01T00:00:00Z%20info%20FAKE%1b[31m%00%7f%E2%80%A8/y")
    wait_for(lambda: "FAKE" in log.getvalue(), 30)
    lines = log.getvalue().splitlines()
    assert all(re.match(r"20\d\d-\S+Z \w+ ", line) for line in lines)
    (line,) = (line for line in lines if "FAKE" in line)
    named = r"device_id=x\n2026-01-01T00:00:00Z info FAKE\x1b[31m\x00\x7f\u2028"
    assert named in line and line.isprintable()


@pytest.mark.parametrize("form", [logs.JsonLines, logs.Text])
def test_messages_and_failures_are_escaped(form):
    try:
        raise ValueError(f"one\n2026 info FAKE \x1b[31m\n{_TOKEN}")
    except ValueError:
        failure = sys.exc_info()
    said = f"said a\r\n\ud800\t{_TOKEN}"
    record = logging.LogRecord("x", logging.ERROR, "", 0, said, None, failure)
    text = form().format(record)
    lines = text.split("\n")
    assert all(line.isprintable() for line in lines) and _TOKEN not in text
    if form is logs.Text:
        assert lines[0].endswith(r" error said a\r\n\ud800\t[token]")
        assert len(lines) > 3 and all(line.startswith("  ") for line in lines[1:])
        assert r"  2026 info FAKE \x1b[31m" in lines


def test_levels(log):
    logs.configure("text", "warning", log)
    logger = logging.getLogger(logs.NAME)
    logger.info("quiet")
    logger.warning("loud")
    assert "quiet" not in log.getvalue() and "warning loud" in log.getvalue()
