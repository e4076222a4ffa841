"""What the local cloud holds and handles, and @brewskey/spark-server beside it over TCP.

A message counts when it has come out of an event stream; the local cloud has committed it by then
and, over UDP, acknowledged it. spark-server acknowledges no event: over TCP nobody waits for that.
Devices, streams and clouds share the same cores.
"""

import contextlib
import http.client
import os
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from Crypto.PublicKey import RSA

from bench.cloud_senders import Senders, senders
from bench.cloud_udp import Load
from bench.figures import Figure
from cloud.device import ACK, CON, NON, TestDevice, pack, random_id
from cloud.running import provision
from cloud.test_process import LOGIN, Process
from interop import node, spark_server
from particle_tools.local import wait_for

PEER, COMMAND = "@brewskey/spark-server (npm)", node.COMMAND
DEVICES = 10_000
_PROCESSES = 2  # that are these devices
_SENDERS = 4
_MESSAGES = 40_000
_TCP_MESSAGES = 20_000
_SPARK_MESSAGES = 4_000
_BURST = 40  # messages over TCP that are sent before the stream is looked at
_AHEAD = 200  # messages over TCP that have not come out of the stream yet
_STREAM_S = 120
_EVENT = b"load/tick"
_BEGIN = b"load/begin"
_GET = 1
_DESCRIPTION = b'{"f":[],"v":{},"p":3,"m":[]}'
_ASK_ME = 0x16  # flags of a Hello: describe me (spark-server asks in any case)


def spark() -> list[Figure]:
    """Measure spark-server; an empty list when it was not fetched."""
    packages = spark_server.PACKAGES.find()
    return _spark(packages) if packages else []


def measure() -> list[Figure]:
    """Measure the local cloud."""
    with (
        tempfile.TemporaryDirectory(prefix="particle-bench-") as folder,
        Process(Path(folder) / "cloud", "--user", LOGIN) as process,
    ):
        process.api.login()
        return [_over_tcp_of(process), *over_udp(process)]


def over_udp(process: Process, devices: int = DEVICES) -> list[Figure]:
    """Connect devices and let a few of them, then all of them publish."""
    api = process.api
    cloud = api.url, api.token, process.ready["udp_port"], process.server_spki
    with senders(_PROCESSES, *cloud) as fleet:
        fleet.all("connect", devices // _PROCESSES)
        few = _load(process, fleet, _SENDERS)
        all_ = _load(process, fleet, devices)
        answered = sum(fleet.all("ping"))
    note = f"{answered} connected over UDP"
    return [
        Figure("cloud_devices", answered, "", f"all answered; {os.cpu_count()} cores", 10_000),
        Figure("cloud_messages_per_s", few[0], "1/s", f"of {_SENDERS} devices; {note}", 5_000),
        Figure("cloud_message_cpu_us", few[1], "us", "CPU of the cloud for each of these"),
        Figure("cloud_sender_cpu_us", few[2], "us", "CPU of who sends it and reads its ACK"),
        Figure("cloud_fleet_messages_per_s", all_[0], "1/s", f"of all devices in turn; {note}"),
        Figure("cloud_fleet_message_cpu_us", all_[1], "us", "CPU of the cloud for each of these"),
    ]


def _load(process: Process, fleet: Senders, publishing: int) -> tuple[int, int, int]:
    # messages per second, microseconds of CPU of the cloud and of the senders for each
    fleet.all("seal", publishing // _PROCESSES, _MESSAGES // _PROCESSES, _EVENT)
    load = Load(process.child.pid)
    with _Stream(process.api.url, process.api.token) as stream:
        if not wait_for(lambda: stream.has(b":ok\n"), _STREAM_S):
            raise RuntimeError(f"{process.api.url}: no stream")
        cpu, began = load.cpu(), time.monotonic()
        sending = sum(fleet.all("send"))
        stream.wait(_MESSAGES)
        took, used = time.monotonic() - began, load.cpu() - cpu
    each = round(used / _MESSAGES * 1e6), round(sending / _MESSAGES * 1e6)
    return round(_MESSAGES / took), *each


def _spark(packages: Path) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="particle-bench-") as folder:
        server = spark_server.SparkServer(packages, Path(folder))
        try:
            api = server.api()
            key = RSA.generate(1024)
            public = key.public_key().export_key("PEM").decode()

            def device() -> TestDevice:
                device_id = random_id()
                api.provision(device_id, public, "rsa")
                return TestDevice(server.device_port, server.public_key, key, device_id)

            return [_over_tcp("spark", device, server.url, api._token, _SPARK_MESSAGES)]
        finally:
            server.stop()


def _over_tcp_of(process: Process) -> Figure:
    key = RSA.generate(1024)
    api = process.api

    def device() -> TestDevice:
        device_id = provision(api, key)
        return TestDevice(process.ready["tcp_port"], process.server_key, key, device_id)

    return _over_tcp("cloud_tcp", device, api.url, api.token, _TCP_MESSAGES)


def _over_tcp(who: str, device, url: str, token: str, count: int) -> Figure:
    devices = []
    for _ in range(_SENDERS):
        one = device()
        one.exchange_keys()
        one.send(one.hello_message(_ASK_ME))
        devices.append(one)
        asked = None
        while asked is None or asked.path != ["d"]:
            asked = one.recv()
            _answer(one, asked)
    rate = _messages(devices, url, token, count)
    for one in devices:
        one.close()
    note = f"over TCP, {_SENDERS} devices publish, nothing is acknowledged"
    return Figure(f"{who}_messages_per_s", rate, "1/s", note)


def _answer(device, message) -> None:
    # what a cloud asks of a device
    if message.type == ACK:
        return
    if message.type == CON:
        device.acknowledge(message)
    if message.code == _GET and message.path == ["d"]:
        device.send(pack(CON, 0x45, device.next_mid(), message.token, payload=_DESCRIPTION))


def _messages(devices, url: str, token: str, count: int) -> int:
    # messages per second, the last of them read from a stream
    with _Stream(url, token) as stream:
        # spark-server drops the events of devices that it has not understood yet
        for number, device in enumerate(devices):
            name = _BEGIN + b"%d" % number
            until = time.monotonic() + _STREAM_S
            while not stream.has(b"event: " + name + b"\n"):
                _publish([device], 1, name)
                wait_for(lambda name=name: stream.has(b"event: " + name + b"\n"), 1)
                if time.monotonic() > until:
                    raise RuntimeError(f"{url}: no events")
        begin = time.monotonic()
        for sent in range(0, count, _BURST):
            # a cloud ends streams whose readers fall behind
            if not wait_for(lambda sent=sent: stream.seen >= sent - _AHEAD, _STREAM_S, 0.001):
                break
            _publish(devices, _BURST, _EVENT)
        stream.wait(count)
        return round(count / (time.monotonic() - begin))


def _publish(devices, count: int, name: bytes) -> None:
    options = [(11, b"E"), (11, name)]
    for i in range(count):
        device = devices[i % len(devices)]
        device.send(pack(NON, 2, device.next_mid(), options=options, payload=b"1"))


class _Stream:
    """The stream of a user's events; counts those of this measurement."""

    def __init__(self, url: str, token: str):
        headers = {"Authorization": f"Bearer {token}"}
        self._url = url
        self._request = urllib.request.Request(url + "/v1/devices/events", headers=headers)
        self._end = threading.Event()
        self._begun = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.seen = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()

    def has(self, line: bytes) -> bool:
        """Tell whether one of the first lines was this one, or is before the first event."""
        return line in self._begun

    def wait(self, count: int) -> None:
        """Wait until so many events have come. Raises RuntimeError."""
        if not wait_for(lambda: self.seen >= count, _STREAM_S, 0.001):
            raise RuntimeError(f"{self._url}: {self.seen} events of {count}")

    def _read(self) -> None:
        line = b"event: " + _EVENT + b"\n"
        rest = b""
        closed = contextlib.suppress(OSError, http.client.HTTPException)  # the measurement is over
        with closed, urllib.request.urlopen(self._request, timeout=_STREAM_S) as response:
            while not self._end.is_set():
                data = rest + response.read1(65536)
                self.seen += data.count(line)
                if not self.seen:
                    self._begun += data
                rest = data[data.rfind(b"\n") + 1 :]
