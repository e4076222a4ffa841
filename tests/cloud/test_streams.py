"""Server-sent events: selection, silence, stuck readers (rest-api 7)."""

import http.client
import json
import queue
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from cloud.device import CON
from cloud.running import provision
from cloud.test_udp_session import wait_for
from particle_tools.cloud.settings import Limits


@pytest.fixture(scope="module")
def limits():
    return Limits(keepalive_s=0.5, stream_events=50)


class Reader:
    """A stream client that reads in a thread."""

    def __init__(self, api, path):
        url = urlsplit(api.url)
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {api.token}"})
        self.response = self.connection.getresponse()
        self.lines: queue.Queue = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if self.response.status == 200:
            assert self.line() == b":ok\n" and self.line() == b"\n"

    def _read(self):
        try:
            while line := self.response.fp.readline():
                # Chunked encoding shows through readline: sizes and CRLF are not ours.
                self.lines.put((time.monotonic(), line))
        except (OSError, ValueError, AttributeError):
            pass  # closed under us by close()
        self.lines.put((time.monotonic(), None))

    def line(self, timeout=30):
        """Return the next line that is not chunk framing."""
        while True:
            line = self.lines.get(timeout=timeout)[1]
            if line is None or not line.endswith(b"\r\n"):
                return line

    def event(self):
        """Return the next event as (name, data)."""
        while (line := self.line()) == b"\n":
            pass
        assert line.startswith(b"event: "), line
        data = self.line()
        assert data.startswith(b"data: ") and self.line() == b"\n"
        return line[7:-1].decode(), json.loads(data[6:])

    def close(self):
        if self.connection.sock is not None:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(30)
        self.connection.close()


@pytest.fixture
def open_stream():
    readers = []

    def opened(api, path):
        readers.append(Reader(api, path))
        return readers[-1]

    yield opened
    for reader in readers:
        reader.close()


def test_headers_and_first_bytes_come_at_once(api, open_stream):
    start = time.monotonic()
    reader = open_stream(api, "/v1/devices/events?nonce=1")
    assert time.monotonic() - start < 20
    headers = reader.response.headers
    assert reader.response.status == 200
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache" and headers["X-Accel-Buffering"] == "no"
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_keep_alive(api, open_stream):
    start = time.monotonic()
    reader = open_stream(api, "/v1/devices/events")
    for _ in range(3):
        assert reader.line() == b"\n"
    assert 1.4 < time.monotonic() - start < 20


def test_event_of_a_device(cloud, api, keys, device_id, open_stream):
    with cloud.device(keys[0], device_id).connect() as device:
        reader = open_stream(api, "/v1/devices/events/temp")
        device.publish("humidity", b"1")
        device.publish("temp/kitchen", b"21.5", CON)
        name, body = reader.event()
        assert name == "temp/kitchen"
        assert body == {
            "data": "21.5",
            "ttl": 60,
            "published_at": body["published_at"],
            "coreid": device_id,
        }
        device.publish("temp")
        assert reader.event()[1]["data"] is None
        options = [(11, b"E"), (11, b"temp/png"), (12, b"\x17")]
        device.request(2, options, b"\x89PNG")
        assert reader.event()[1]["data"] == "data:image/png;base64,iVBORw=="
        options = [(11, b"E"), (11, b"temp"), (11, b"split"), (14, b"\x00\x0e\x10")]
        device.request(2, options, b"\xff\xfe")
        name, body = reader.event()
        assert (name, body["ttl"], body["data"]) == ("temp/split", 3600, "\ufffd\ufffd")


def test_selection(cloud, api, other_api, keys, open_stream):
    one, two = provision(api, keys[0]), provision(api, keys[0])
    streams = {
        "mine": open_stream(api, "/v1/devices/events"),
        "mine a/b": open_stream(api, "/v1/devices/events/a%2Fb"),
        "mine raw": open_stream(api, "/v1/devices/events/a/b"),
        "all": open_stream(api, "/v1/events/a"),
        "one": open_stream(api, f"/v1/devices/{one}/events"),
        "one a": open_stream(api, f"/v1/devices/{one}/events/a"),
        "other": open_stream(other_api, "/v1/devices/events"),
    }
    with (
        cloud.device(keys[0], one).connect() as device,
        cloud.device(keys[0], two).connect() as second,
    ):
        device.publish("a/b/1", b"", CON)
        second.publish("a/b/2", b"", CON)
        device.publish("A/b", b"", CON)
        device.publish("end", b"", CON)
        api("POST", "/v1/devices/events", {"name": "a/b/api"})
        other_api("POST", "/v1/devices/events", {"name": "a/b/other"})
        status = ["spark/status"]
        assert names(streams["mine"], 7, (one, two, "api")) == [
            *status, *status, "a/b/1", "a/b/2", "A/b", "end", "a/b/api",
        ]  # fmt: skip
        assert names(streams["mine a/b"], 3) == ["a/b/1", "a/b/2", "a/b/api"]
        assert names(streams["mine raw"], 3) == ["a/b/1", "a/b/2", "a/b/api"]
        assert names(streams["all"], 3) == ["a/b/1", "a/b/2", "a/b/api"]
        assert names(streams["one"], 4) == [*status, "a/b/1", "A/b", "end"]
        assert names(streams["one a"], 1) == ["a/b/1"]
        assert names(streams["other"], 1) == ["a/b/other"]


def names(reader, n, sources=None):
    """Return the names of the next events; from `sources` only, or also of earlier tests."""
    found = []
    while len(found) < n:
        name, body = reader.event()
        if sources is None or body["coreid"] in sources:
            found.append(name)
    return found


def test_status_events(cloud, api, keys, device_id, open_stream):
    reader = open_stream(api, f"/v1/devices/{device_id}/events/spark/status")
    first = cloud.device(keys[0], device_id).connect()
    assert reader.event()[1]["data"] == "online"
    second = cloud.device(keys[0], device_id).connect()
    assert [reader.event()[1]["data"] for _ in range(2)] == ["offline", "online"]
    first.close()
    second.request(2, [(11, b"x"), (258, b"")], b"\x01\x02", 1)  # goodbye
    assert reader.event()[1]["data"] == "offline"
    assert second.ended()
    second.close()
    assert cloud.last_end(device_id) == "the device said goodbye"


def test_name_with_line_breaks_cannot_forge_an_event(cloud, api, keys, device_id, open_stream):
    reader = open_stream(api, "/v1/devices/events/x")
    with cloud.device(keys[0], device_id).connect() as device:
        device.publish("x\ndata: forged\n\nevent: y", b"1")
        name, body = reader.event()
        assert name == "xdata: forgedevent: y" and body["data"] == "1"


def test_errors(api, open_stream):
    status, body = api("GET", "/v1/events")
    assert (status, body["ok"], body["error"]) == (400, False, "event prefix filter is required")
    assert api("GET", "/v1/events/")[0] == 400
    api.token, token = "0" * 40, api.token
    try:
        assert api("GET", "/v1/devices/events")[0] == 401
    finally:
        api.token = token
    assert api("GET", "/v1/devices/nothing/events")[0] == 403


def test_a_stuck_reader_stalls_nobody_and_is_cut_off(cloud, api, open_stream):
    url = urlsplit(api.url)
    user = cloud.call(cloud.services.accounts.find, "ann@example.com")
    listeners = lambda: set(cloud.services.bus._listeners[user.id])  # noqa: E731
    before = listeners()
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((url.hostname, url.port))
    stuck.sendall(
        f"GET /v1/devices/events/flood HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.token}\r\n\r\n".encode()
    )
    reader = open_stream(api, "/v1/devices/events/flood")
    wait_for(lambda: len(listeners() - before) == 2)
    for _ in range(400):
        cloud.call(flood, cloud, user.id, 25)
        [reader.event() for _ in range(25)]
        if len(listeners() - before) < 2:
            break
    assert len(listeners() - before) == 1
    api("POST", "/v1/devices/events", {"name": "flood", "data": "still here"})
    assert reader.event()[1]["data"] == "still here"
    stuck.close()


def flood(cloud, owner, count):
    """Publish large events to a user."""
    from particle_tools.cloud.events import Event

    for _ in range(count):
        cloud.services.bus.publish(Event("flood", b"x" * 1000, "api", owner, 0.0))


def test_a_burst_ends_no_stream_of_who_reads(cloud, api, open_stream, limits):
    user = cloud.call(cloud.services.accounts.find, "ann@example.com")
    reader = open_stream(api, "/v1/devices/events/flood")
    cloud.call(flood, cloud, user.id, 10 * limits.stream_events)
    for _ in range(10 * limits.stream_events):
        assert reader.event()[0] == "flood"


def test_a_reader_that_leaves_is_forgotten(cloud, api, open_stream):
    user = cloud.call(cloud.services.accounts.find, "ann@example.com")
    reader = open_stream(api, "/v1/devices/events/leaving")
    before = len(cloud.services.bus._listeners[user.id])
    reader.close()
    for _ in range(3000):
        if len(cloud.services.bus._listeners[user.id]) < before:
            return
        time.sleep(0.01)
    raise AssertionError("the stream is still there")
