"""Where webhooks of tests go: a server in threads that answers as it is told, and what was heard.

Nothing of the cloud's HTTP library: requests are read from the socket as they are.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Got:
    """One request."""

    method: str
    path: str
    query: dict
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)

    def form(self):
        assert self.headers["content-type"].startswith("application/x-www-form-urlencoded")
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))

    def account(self):
        kind, _, text = self.headers["authorization"].partition(" ")
        assert kind == "Basic"
        return base64.b64decode(text).decode()


class Target:
    """A server on loopback; `answer` is bytes, or a function of the connection and the request.

    tls: an ssl.SSLContext.
    """

    def __init__(self, tls=None):
        self.answer = ok()
        self.got = []
        self.open = 0  # connections
        self.most = 0  # at one time
        self._tls = tls
        self._lock = threading.Lock()
        self.released = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self._count(1)
        with suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.settimeout(60)
            got = _read(connection)
            if got is not None:
                answer = self.answer
                self.got.append(got)
                if callable(answer):
                    answer(connection, got)
                else:
                    connection.sendall(answer)
        self._count(-1)

    def _count(self, change):
        with self._lock:
            self.open += change
            self.most = max(self.most, self.open)

    def hang(self, connection=None, got=None):
        """Answer nothing until `release`."""
        self.released.wait(60)

    def release(self):
        """Let those that hang go."""
        self.released.set()

    def requests(self, count):
        """Wait for the first requests and return them all."""
        eventually(lambda: len(self.got) >= count)
        return list(self.got)

    def clear(self):
        """Forget the requests and answer 200."""
        self.got.clear()
        self.answer = ok()

    def close(self):
        self.release()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def _read(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    method, path, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    parts = urlsplit(path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Got(method, parts.path, query, headers, body)


def ok(body=b"", status=200, *headers):
    """Build an answer."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Heard:
    """The events of an account, in order, as (name, data)."""

    def __init__(self, cloud, owner):
        self.events = []
        self._cloud = cloud
        self._owner = owner
        cloud.call(cloud.services.bus.listen, owner, self._note)

    def _note(self, event):
        self.events.append(event)

    def named(self, prefix):
        """Return name and data of the events with a prefix."""
        found = [event for event in list(self.events) if event.name.startswith(prefix)]
        return [(e.name, e.data.decode(errors="replace")) for e in found]

    def wait(self, prefix, count=1):
        """Wait for so many events with a prefix and return them."""
        eventually(lambda: len(self.named(prefix)) >= count)
        return self.named(prefix)

    def close(self):
        self._cloud.call(self._cloud.services.bus.forget, self._owner, self._note)


def eventually(condition, seconds=30):
    """Wait until the condition gives something true and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)
    return found


class Account:
    """A user's view: makes hooks, publishes, hears."""

    def __init__(self, cloud, api, user):
        self.api = api
        self.cloud = cloud
        self.id = cloud.call(cloud.services.accounts.find, user[0]).id
        self.heard = Heard(cloud, self.id)
        self._made = []

    def hook(self, event, url, path="/v1/webhooks", **fields):
        """Make a webhook and return its id."""
        status, body = self.api("POST", path, {"event": event, "url": url, **fields})
        assert status == 201, body
        self._made.append(f"{path}/{body['id']}")
        return body["id"]

    def product(self, name):
        """Make a product and return its number."""
        status, body = self.api("POST", "/local/v1/products", {"name": name, "platform_id": 3})
        assert status == 200, body
        number = body["product"]["id"]
        self._made.append(f"/local/v1/products/{number}")
        return number

    def publish(self, name, data=""):
        assert self.api("POST", "/v1/devices/events", {"name": name, "data": data})[0] == 200

    def counters(self, hook_id):
        return self.api("GET", f"/v1/webhooks/{hook_id}")[1]["webhook"]["counters"]

    def close(self):
        """Delete what was made."""
        self.heard.close()
        for path in self._made:
            self.api("DELETE", path)
