"""particle-api-js, Particle's own client of the REST API, in a process of its own per version."""

import json
import queue
import subprocess
import threading
from pathlib import Path

from interop import node

PACKAGES = node.Packages("particle-api-js")
VERSIONS = ("11", "12")

_DRIVER = Path(__file__).with_name("api_driver.js")
_ANSWER_S = 40


class Refused(Exception):
    """A call that was rejected: status, body and the text that the client makes of them."""

    def __init__(self, error):
        super().__init__(error.get("errorDescription") or error.get("message"))
        self.status = error.get("statusCode")
        self.body = error.get("body")


class Client:
    """One client of the cloud at `url`; it is not logged in.

    call: METHOD(options) of the client, returns the body of the answer; raises Refused.
    """

    def __init__(self, packages, version, url):
        self._process = subprocess.Popen(
            [node.program(), str(_DRIVER), f"particle-api-js-{version}", url],
            cwd=packages,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines = {0: queue.Queue()}
        self._ids = 0
        threading.Thread(target=self._read, daemon=True).start()
        self._next(0)

    def _read(self):
        for line in self._process.stdout:
            values = json.loads(line)
            self._lines[values.pop("id", 0)].put(values)

    def _next(self, number, seconds=_ANSWER_S):
        try:
            return self._lines[number].get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"nothing within {seconds} s") from None

    def _send(self, method, options):
        self._ids += 1
        self._lines[self._ids] = queue.Queue()
        line = {"id": self._ids, "method": method, "options": options}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer = self._next(self._ids)
        if "error" in answer:
            raise Refused(answer["error"])
        return self._ids, answer["ok"]

    def call(self, method, **options):
        """Call a method of the client; return the body of the answer."""
        return self._send(method, options)[1]["body"]

    def watch(self, **options):
        """Open an event stream."""
        number, _ = self._send("watch", options)
        return Stream(self._next, number)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Stream:
    """What an event stream of the client reported."""

    def __init__(self, following, number):
        self._following = following
        self._number = number

    def event(self, name, seconds=_ANSWER_S):
        """Return the next event called `name`; anything else than events is a failure."""
        while True:
            line = self._following(self._number, seconds)
            assert line["seen"] == "event", line
            if line["event"]["name"] == name:
                return line["event"]

    def report(self, seconds=_ANSWER_S):
        """Return what was reported next: "event", "disconnect", "error" and the like."""
        return self._following(self._number, seconds)["seen"]
