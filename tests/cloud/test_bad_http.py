"""Requests that are too large, too deep, too slow or no requests: one JSON answer each."""

import http.client
import json
import select
import socket
from urllib.parse import quote, urlsplit

import pytest

from cloud.running import USER, Api, provision
from cloud.test_udp_session import wait_for

_JSON = {"Content-Type": "application/json"}
_MB = 1024 * 1024


def connect(cloud):
    url = urlsplit(cloud.url)
    return socket.create_connection((url.hostname, url.port), 30)


def answer(sock):
    """Read one HTTP answer; return status and parsed body."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    assert response.headers.get_content_type() == "application/json"
    body = json.loads(response.read())
    assert body["ok"] is False and body["error_description"]
    return response.status, body


def works(api):
    return api("POST", "/v1/devices/events", {"name": "still", "data": "here"})[0] == 200


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_ten_megabytes(api, kind):
    raw = b'{"name":"' + b"x" * 10 * _MB + b'"}'
    status, body = api("POST", "/v1/devices/events", raw=raw, headers={"Content-Type": kind})
    assert status == 413 and body["error"] == "The request is too large"
    assert works(api)


def test_ten_megabytes_in_chunks(cloud, api):
    with connect(cloud) as sock:
        sock.sendall(
            b"POST /v1/devices/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nAuthorization: Bearer "
            + api.token.encode()
            + b"\r\n\r\n"
        )
        for _ in range(160):
            sock.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        assert answer(sock)[0] == 413
    assert works(api)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"name":' + b"[" * 500_000, "not valid JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not valid JSON|nested deeper"),
        (b'{"name":' + b"[" * 64 + b"]" * 64 + b"}", "nested deeper than 64"),
        (b'{"name":' + b'{"a":' * 64 + b"1" + b"}" * 65, "nested deeper than 64"),
        (b'{"name":' + b"9" * 5000 + b"}", "not valid JSON|printable"),
        (b'{"name":"x","ttl":1e999}', "malformed JSON: 1e999 is no number"),
        (b'{"name":"x","ttl":NaN}', "malformed JSON: NaN is no number"),
        (b'{"name":"\\u0000"}', "printable"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"name":"x"', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON|printable"),
        (b"\x80\x81", "not valid JSON"),
    ],
)
def test_odd_json(api, raw, words):
    status, body = api("POST", "/v1/devices/events", raw=raw, headers=_JSON)
    assert status == 400 and any(word in body["error"] for word in words.split("|")), body


def test_what_is_not_too_deep(api):
    raw = b'{"name":"x","more":' + b"[" * 62 + b"]" * 62 + b"}"
    assert api("POST", "/v1/devices/events", raw=raw, headers=_JSON)[0] == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/octet-stream"])
def test_types_that_are_not_understood(api, kind):
    headers = {"Content-Type": kind}
    status, body = api("POST", "/v1/devices/events", raw=b'{"name":"x"}', headers=headers)
    assert status == 415 and kind in body["error"] and "application/json" in body["error"]
    assert api("DELETE", "/v1/devices/nothing", raw=b"", headers=headers)[0] == 403


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.x+json"])
def test_types_that_are_json(api, kind):
    headers = {"Content-Type": kind}
    assert api("POST", "/v1/devices/events", raw=b'{"name":"x"}', headers=headers)[0] == 200


@pytest.mark.parametrize(
    "number", ["0" * 20 + "9" * 30, "0" * 5000, "9" * 5000, "\u0663", "-1", "1_0"]
)
def test_numbers_that_are_none(api, number):
    """Longer than any storage takes, or digits of other scripts."""
    for method, path, body, status in (
        ("POST", "/v1/devices", {"product_id": number}, 404),
        ("POST", "/local/v1/products", {"name": "x", "platform_id": number}, 400),
        ("GET", f"/v1/ledgers?page={quote(number)}", None, 400),
    ):
        found, answer = api(method, path, body)
        assert found == status and answer["ok"] is False, (method, path[:30], answer)


def test_many_parts(api, keys):
    device_id = provision(api, keys[0])
    part = b'--b\r\nContent-Disposition: form-data; name="p"\r\n\r\n1\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for raw in (part * 10_000 + b"--b--\r\n", b"no part", part, b""):
        status, body = api("PUT", f"/v1/devices/{device_id}", raw=raw, headers=headers)
        assert status == 400 and body["ok"] is False, (status, body)
        assert len(raw) < 1000 or "at most 100 parts" in body["error"]
    headers = {"Content-Type": "multipart/form-data"}
    assert api("PUT", f"/v1/devices/{device_id}", raw=part, headers=headers)[0] == 400
    assert works(api)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/devices HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/devices HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /v1/devices HTTP/9.9\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # TLS
        b"nonsense\r\n\r\n",
    ],
)
def test_no_request_at_all(cloud, api, raw):
    with connect(cloud) as sock:
        sock.sendall(raw)
        status, _ = answer(sock)
        assert status == 400
        assert sock.recv(1) == b""
    assert works(api)


@pytest.mark.parametrize("begin", [b"", b"GET /v1/devices HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_request_that_does_not_come(held, begin):
    """Whoever only opens connections keeps them for a minute or two, not for an hour."""
    with connect(held) as sock:
        sock.sendall(begin)
        before = held.services.clock.monotonic()
        while not select.select([sock], [], [], 0.05)[0]:
            if begin:
                sock.sendall(b"x")  # and so on, for ever
            held.pass_time(5, 5)
            assert held.services.clock.monotonic() - before < 120
        assert held.services.clock.monotonic() - before >= 60  # a client may keep it for the next
        assert sock.recv(1000) == b""


def test_a_body_that_does_not_come(held):
    api = Api(held.url).login()
    with connect(held) as sock:
        before = held.services.clock.monotonic()
        sock.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        while not select.select([sock], [], [], 0.05)[0]:
            held.pass_time(1)
            assert held.services.clock.monotonic() - before < 600
        assert held.services.clock.monotonic() - before >= 30
        assert answer(sock)[0] == 408
    assert works(api)


def test_a_reader_that_takes_nothing_is_cut_off(held):
    """Also when no event comes any more that would not fit."""
    api = Api(held.url).login()
    user = held.call(held.services.accounts.find, USER[0])
    with connect(held) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(_stream(api.token))
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        wait_for(lambda: _listeners(held, user))
        (stream,) = [listener.__self__ for listener in _listeners(held, user)]
        paused = False
        while not paused:
            held.call(_flood, held, user.id, 50)
            held.pass_time(0.01, 0.01)
            paused = held.call(lambda: len(stream._waiting) > 40)
        assert _listeners(held, user)
        assert len(stream._waiting) <= 256
        wait_for(lambda: held.pass_time(10) or not _listeners(held, user))
    assert works(api)


def _stream(token):
    return (
        "GET /v1/devices/events/flood HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


def _listeners(cloud, user):
    return list(cloud.services.bus._listeners.get(user.id, ()))


def _flood(cloud, owner, count):
    from particle_tools.cloud.events import Event

    for _ in range(count):
        cloud.services.bus.publish(Event("flood", b"x" * 1000, "api", owner, 0.0))
