"""A local cloud and simulated boards as child processes, and the questions to ask the cloud.

Used by the demo, the measurements and the two-process tests: everything goes
through the commands a user types and the REST API a user calls.
"""

import contextlib
import http.client
import json
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from particle_tools import ROOT
from particle_tools.errors import UserError
from particle_tools.sim.rest import Rest

_COMMAND = [sys.executable, "-m", "particle_tools"]
_CUT = " [cut here by a kill]"  # ends a line in a log that was not finished


class Api(Rest):
    """The REST calls of somebody who watches and uses devices."""

    def use(self, token: str) -> None:
        """Use an access token instead of a login. Raises UserError for what is none."""
        if not token.strip() or not (token.isascii() and token.isprintable()):
            raise UserError("--token: it is empty, or has characters that no token has")
        self._token = token

    def get(self, path: str) -> Any:
        """Return the JSON answer of a GET. Raises UserError unless it is 2xx."""
        return self._json("GET", path)

    def post(self, path: str, **values: Any) -> Any:
        """Return the JSON answer of a POST of `values`. Raises UserError unless it is 2xx."""
        return self._json("POST", path, values)

    def put(self, path: str, **values: Any) -> Any:
        """Return the JSON answer of a PUT of `values`. Raises UserError unless it is 2xx."""
        return self._json("PUT", path, values)

    def delete(self, path: str) -> Any:
        """Return the JSON answer of a DELETE. Raises UserError unless it is 2xx."""
        return self._json("DELETE", path)

    def device(self, device_id: str) -> dict[str, Any]:
        """Return the device object."""
        return self.get(f"/v1/devices/{device_id}")

    def call(self, device_id: str, name: str, argument: str) -> int:
        """Call a function of a device and return its result."""
        path = f"/v1/devices/{device_id}/{urllib.parse.quote(name, safe='')}"
        return self.post(path, arg=argument)["return_value"]

    def read(self, device_id: str, name: str) -> Any:
        """Return the value of a device's variable."""
        path = f"/v1/devices/{device_id}/{urllib.parse.quote(name, safe='')}"
        return self.get(path)["result"]

    def flash(self, device_id: str, file: bytes) -> dict[str, Any]:
        """Upload a file for a device and return the answer."""
        path = f"/v1/devices/{device_id}"
        status, body = self._call("PUT", path, file=file)
        self._expect(status, body, path, "the cloud refused the file")
        return json.loads(body)

    def publish(self, name: str, data: str) -> None:
        """Publish an event to the user's devices."""
        self.post("/v1/devices/events", name=name, data=data, private=True)

    def usage(self, device_id: str) -> dict[str, Any]:
        """Return the cloud's counters of a device."""
        return self.get(f"/local/v1/usage/{device_id}")

    def events(self) -> "Events":
        """Open the stream of all events of the user's devices."""
        return Events(self._url, self._token or "")

    def _json(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        status, body = self._call(method, path, values=values)
        self._expect(status, body, path, "the cloud refused")
        return json.loads(body)


class Events:
    """The event stream of a cloud, read by a thread of its own."""

    def __init__(self, url: str, token: str):
        parts = urllib.parse.urlsplit(url)
        self._queue: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("GET", "/v1/devices/events", headers=headers)
        self._socket = connection.sock
        self._response = connection.getresponse()
        if self._response.status != http.HTTPStatus.OK:
            raise UserError(f"{url}: no event stream (HTTP {self._response.status})")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self._response:
                field, _, value = line.decode().rstrip("\r\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    self._queue.put((name, json.loads(value)))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return  # closed, by us or by the cloud

    def next(self, seconds: float = 15) -> tuple[str, dict[str, Any]]:
        """Return name and content (data, coreid, published_at, ttl) of the next event."""
        try:
            return self._queue.get(timeout=max(0.001, seconds))
        except queue.Empty:
            raise UserError(f"no event within {seconds:g} s") from None

    def wait(self, name: str, seconds: float = 15) -> dict[str, Any]:
        """Return the content of the next event called `name`."""
        end = time.monotonic() + seconds
        while True:
            try:
                found, event = self.next(end - time.monotonic())
            except UserError:
                raise UserError(f"no event {name} within {seconds:g} s") from None
            if found == name:
                return event

    def close(self) -> None:
        """Close the stream."""
        # shutdown, not close: it wakes the thread that reads
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class _Child:
    """A process with its output in a file."""

    def __init__(self, arguments: list[str], log: Path):
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab", buffering=0) as out:
            if out.tell() and not log.read_bytes().endswith(b"\n"):
                out.write(_CUT.encode() + b"\n")
            self._earlier = len(self._ready_lines())
            self.process = subprocess.Popen(
                [*_COMMAND, *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(errors="replace")

    def lines(self) -> list[str]:
        """Return the whole lines of it; one that is still written, or that a kill cut, is none."""
        whole, _, _ = self.output().rpartition("\n")
        return [line for line in whole.splitlines() if not line.endswith(_CUT)]

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def _ready_lines(self) -> list[str]:
        return [line for line in self.lines() if line.startswith("ready {")]

    def _wait_ready(self, what: str, seconds: float) -> dict[str, Any]:
        # what its `ready` line says; the log may hold those of earlier starts
        try:
            wait_for(lambda: len(self._ready_lines()) > self._earlier or not self.alive(), seconds)
        except BaseException:
            self.stop()  # nobody else knows of it yet
            raise
        lines = self._ready_lines()[self._earlier :]
        if not lines:
            self.stop()
            raise UserError(f"{what} did not start: {last_line(self.output())}")
        return json.loads(lines[0].removeprefix("ready "))

    def stop(self) -> None:
        """End it politely, then not."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Send SIGKILL: a power cut."""
        self.process.kill()
        self.process.wait()


class LocalCloud(_Child):
    """`particle-mp cloud` on free loopback ports with its data in `folder`.

    user: "NAME:PASSWORD" of an earlier start. options: more of the command's, they win.
    """

    def __init__(self, folder: Path, *, user: str | None = None, options: Sequence[str] = ()):
        self.user = user or f"demo@local.test:{secrets.token_hex(8)}"
        ports = ["--tcp-port", "0", "--udp-port", "0", "--http-port", "0"]
        data = ["--data", str(folder / "cloud")]
        arguments = ["cloud", *ports, *data, "--user", self.user, *options]
        super().__init__(arguments, folder / "cloud.log")
        self.ready = self._wait_ready("the local cloud", 60)
        self.url: str = self.ready["http"]

    def api(self) -> Api:
        """Log in and return the API."""
        api = Api(self.url)
        api.login(self.user)
        return api


class SimulatedBoard(_Child):
    """`particle-mp sim` with its flash in `folder`; a new one is a device of the cloud's user."""

    def __init__(
        self,
        folder: Path,
        cloud: LocalCloud,
        *,
        script: Path | None = None,
        server: str | None = None,
        pty: bool = False,
        transport: str | None = "tcp",
        options: Sequence[str] = (),
    ):
        arguments = ["sim", "--json", "--data", str(folder)]
        arguments += ["--cloud", cloud.url, "--user", cloud.user]
        if transport:
            arguments += ["--transport", transport]
        if script:
            arguments += ["--script", str(script)]
        if server:
            arguments += ["--server", server]
        if pty:
            arguments += ["--pty"]
        super().__init__([*arguments, *options], folder.with_name(folder.name + ".log"))
        ready = self._wait_ready("the simulated board", 60)
        self.device_id: str = ready["device_id"]
        self.serial: str | None = ready["serial"]


def wait_for(condition: Callable[[], Any], seconds: float, pause: float = 0.03) -> Any:
    """Call `condition` until it gives something true, and return that; None after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            return None
        time.sleep(pause)


def last_line(text: str) -> str:
    """Return the last line that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
