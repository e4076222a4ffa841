"""A cloud in a thread, REST with a token, and how to register a device."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import Future
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import ports
from cloud.device import TestDevice, random_id
from cloud.udp_device import UdpDevice
from particle_tools.cloud import server
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.server import Cloud
from particle_tools.cloud.settings import Settings

USER = ("ann@example.com", "secret-one")
OTHER = ("bob@example.com", "secret-two")


class Api:
    """REST with one token. Returns (status, parsed body)."""

    def __init__(self, url, token=None):
        self.url = url
        self.token = token

    def __call__(self, method, path, body=None, *, headers=None, form=False, raw=None):
        headers = dict(headers or {})
        data = raw
        if body is not None and form:
            data = urllib.parse.urlencode(body).encode()
        elif body is not None:
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, self._parsed(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._parsed(error)

    def _parsed(self, response):
        self.headers = response.headers
        body = response.read()
        if response.headers.get_content_type() == "application/json":
            return json.loads(body)
        return body

    def login(self, user=USER):
        """Get a token by the password grant."""
        status, body = self(
            "POST",
            "/oauth/token",
            {"grant_type": "password", "username": user[0], "password": user[1]},
            form=True,
        )
        assert status == 200, body
        self.token = body["access_token"]
        return self


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time can be held; then only a test lets it pass."""

    _held = None
    _ahead = 0.0

    def __init__(self):
        super().__init__()
        self.aside = set()  # what threads still work at

    def run_in_executor(self, executor, function, *args):
        future = super().run_in_executor(executor, function, *args)
        self.aside.add(future)
        future.add_done_callback(self.aside.discard)
        return future

    def time(self):
        return super().time() + self._ahead if self._held is None else self._held

    def hold(self):
        self._held = self.time()

    def skip(self, seconds):
        self._held += seconds

    def release(self):
        if self._held is not None:
            self._ahead, self._held = self._held - super().time(), None


class _LoopClock(Clock):
    """The cloud's clock as the time of its loop."""

    def __init__(self, loop):
        super().__init__()
        self._loop = loop
        self._begin = loop.time()

    def monotonic(self):
        return self._loop.time() - self._begin


class Running:
    """A cloud in its own thread and event loop.

    held: its time stands still but for `pass_time`, however slow this machine is.
    """

    def __init__(self, settings, *, held=False):
        self.cloud = Cloud(settings)
        self.loop = _Loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        if held:
            with mock.patch.object(server, "Clock", lambda scale: _LoopClock(self.loop)):
                self.run(self.cloud.start())
            self.call(self.loop.hold)
        else:
            self.run(self.cloud.start())
        self.url = self.cloud.http_url
        self.services = self.cloud.services
        self.tcp_port = self.services.addresses.tcp_port
        self.udp_port = self.services.addresses.udp_port
        self.server_key = Api(self.url)("GET", "/local/v1/server-key?format=der")[1]
        self.server_spki = Api(self.url)("GET", "/local/v1/server-key?alg=ec&format=der")[1]
        self._noted = []  # each refusal as it was shown at first: the list joins repetitions
        self._earlier = {}  # how many there were when a device got its address
        self._note_refusals()

    def run(self, coroutine):
        """Run a coroutine in the cloud's loop and return its value."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def call(self, function, *args):
        """Call a function in the cloud's loop and return its value."""
        future: Future = Future()
        self.loop.call_soon_threadsafe(lambda: future.set_result(function(*args)))
        return future.result(60)

    def pass_time(self, seconds, step=1.0):
        """Let time pass in steps; what is due is done after each.

        What came before is done first: a wait that it begins begins before the time passes.
        """
        self.run(self._settle())
        while seconds > 0:
            self.run(self._pass(min(step, seconds)))
            seconds -= step

    async def _pass(self, seconds):
        self.loop.skip(seconds)
        await self._settle()

    async def _settle(self):
        for _ in range(2):
            for _ in range(5):  # of timers, what they wake, what that sends
                await asyncio.sleep(0)
            if self.loop.aside:
                await asyncio.wait(set(self.loop.aside))
            await self.services.db.write(lambda db: None)  # what they have stored

    def stop(self):
        """Stop the cloud."""
        self.call(self.loop.release)
        self.run(self.cloud.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def device(self, key, device_id, **options):
        """Connect a test device's socket."""
        return TestDevice(
            self.tcp_port, self.server_key, key, device_id, bound=self._begins, **options
        )

    def udp_device(self, key, device_id, **options):
        """Make a test device on UDP."""
        return UdpDevice(
            self.udp_port, self.server_spki, key, device_id, bound=self._begins, **options
        )

    def _begins(self, address):
        self._earlier[address] = len(self._noted)

    def _note_refusals(self):
        refusals = self.services.refusals
        record = refusals.record

        def noted(*details):
            record(*details)
            self._noted.append(refusals.recent()[0])

        refusals.record = noted

    def last_refusal(self, address):
        """Wait for the refusal of a connection from this local address."""
        text = f"{address[0]}:{address[1]}"
        for _ in range(3000):
            for refusal in reversed(self._noted[self._earlier.get(address, 0) :]):
                if refusal.address == text:
                    return refusal
            time.sleep(0.01)
        raise AssertionError(f"no refusal of {address} was recorded")

    def last_end(self, device_id):
        """Wait until the device is offline and return why its session ended."""
        for _ in range(3000):
            ended = self.services.sessions.ended(device_id)
            if self.services.sessions.get(device_id) is None and ended is not None:
                return ended.reason
            time.sleep(0.01)
        raise AssertionError("the session did not end")


class Restarted:
    """A cloud that can be stopped and started on the same data and ports."""

    def __init__(self, folder, *, held=False, **more):
        self.settings = Settings(
            data=folder, user=USER, udp_port=ports.take(), tcp_port=ports.take(), **more
        )
        self.held = held
        self.cloud = None
        self.start()

    def start(self, **changes):
        if self.cloud is not None:
            self.cloud.stop()
        self.settings = dataclasses.replace(self.settings, **changes)
        self.cloud = Running(self.settings, held=self.held)
        self.api = Api(self.cloud.url).login()
        return self.cloud

    def start_on(self, folder):
        """Start on other data; the cloud was stopped."""
        self.cloud = None
        return self.start(data=folder)


def provision(api, key, device_id=None):
    """Register a device with a public key."""
    device_id = device_id or random_id()
    pem = key.public_key().export_key("PEM").decode()
    status, body = api(
        "POST",
        f"/v1/provisioning/{device_id}",
        {"deviceID": device_id, "publicKey": pem, "algorithm": "rsa", "filename": "test"},
    )
    assert (status, body["ok"]) == (200, True)
    return device_id


def new_ec_key():
    """Make a P-256 device key."""
    return ec.generate_private_key(ec.SECP256R1())


def provision_ec(api, key, device_id=None):
    """Register a device with a P-256 public key."""
    device_id = device_id or random_id()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    status, body = api(
        "POST",
        f"/v1/provisioning/{device_id}",
        {"deviceID": device_id, "publicKey": pem.decode(), "algorithm": "ecc", "filename": "t"},
    )
    assert (status, body["ok"]) == (200, True), body
    return device_id
