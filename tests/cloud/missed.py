"""A reader of an event stream that asks for what it has missed whenever it has to come back."""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit


class Reader:
    """Reads in a thread until it is closed; `got` is a list of (id, name, data, core id)."""

    def __init__(self, api, path="/v1/devices/events", last="0"):
        self.got = []
        self.last = last
        self.streams = 0  # how often it has connected
        self._api, self._path = api, path
        self._open = True
        self._connection = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        """Stop."""
        self._open = False
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(2)
            except OSError:
                pass
        self._thread.join(30)

    def _run(self):
        url = urlsplit(self._api.url)
        while self._open:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
            headers = {"Authorization": f"Bearer {self._api.token}"}
            if self.last is not None:
                headers["Last-Event-ID"] = self.last
            try:
                connection.request("GET", self._path, headers=headers)
                response = connection.getresponse()
                self._connection = connection
                if response.status == 200 and self._open:
                    self.streams += 1
                    self._read(response)
            except (OSError, http.client.HTTPException, AttributeError):
                pass  # killed, or closed by us
            finally:
                connection.close()
            time.sleep(0.01)

    def _read(self, response):
        fields = {}
        while line := response.readline():
            if line == b"\n":
                # An event counts when its empty line has come (HTML standard, 9.2.6).
                if "data" in fields:
                    body = json.loads(fields["data"])
                    self.last = fields.get("id", self.last)
                    self.got.append(
                        (fields.get("id"), fields["event"], body["data"], body["coreid"])
                    )
                fields = {}
                continue
            name, _, value = line.decode().rstrip("\n").partition(": ")
            fields[name] = value
