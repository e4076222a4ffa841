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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Crypto.PublicKey import RSA

from bench.cloud_udp import FORM, THREADS
from bench.figures import Figure
from cloud.device import ACK, CON, NON, TestDevice, pack, random_id
from cloud.running import new_ec_key, provision, provision_ec
from cloud.test_process import LOGIN, Process
from interop import node, spark_server
from particle_tools.local import wait_for

NAME, PEER, COMMAND = "spark_*", "@brewskey/spark-server (npm)", node.COMMAND
_DEVICES = 10_000
_SENDERS = 4
_MESSAGES = 20_000
_SPARK_MESSAGES = 4_000
_BURST = 40  # messages that are sent before the answers are read
_AHEAD = 200  # messages that have not come out of the stream yet
_STREAM_S = 120
_EVENT = b"load/tick"
_BEGIN = b"load/begin"
_GET = 1
_DESCRIPTION = b'{"f":[],"v":{},"p":3,"m":[]}'
_ASK_ME = 0x16  # flags of a Hello: describe me (spark-server asks in any case)


def measure() -> list[Figure]:
    """Measure spark-server first, if it is there, then the local cloud."""
    packages = spark_server.PACKAGES.find()
    figures = _spark(packages) if packages else []
    with (
        tempfile.TemporaryDirectory(prefix="particle-bench-") as folder,
        Process(Path(folder) / "cloud", "--user", LOGIN) as process,
    ):
        process.api.login()
        return figures + _local(process)


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


def _local(process: Process) -> list[Figure]:
    key = RSA.generate(1024)
    api = process.api

    def device() -> TestDevice:
        device_id = provision(api, key)
        return TestDevice(process.ready["tcp_port"], process.server_key, key, device_id)

    over_tcp = _over_tcp("cloud_tcp", device, api.url, api.token, _MESSAGES)
    ec = new_ec_key()

    def udp_device():
        made = process.udp_device(ec, provision_ec(api, ec), timeout=30, **FORM)
        return made.connect()

    with ThreadPoolExecutor(THREADS) as pool:
        devices = list(pool.map(lambda _: udp_device(), range(_DEVICES)))
    rate = _messages(devices[:_SENDERS], CON, api.url, api.token, _MESSAGES)
    for one in devices:
        one.ping()  # raises when it is not connected any more
        one.close()
    cores = f"{os.cpu_count()} cores"
    return [
        over_tcp,
        Figure("cloud_devices", len(devices), "", f"over UDP, all answered; {cores}", 10_000),
        Figure("cloud_messages_per_s", rate, "1/s", f"over UDP, {len(devices)} connected", 5_000),
    ]


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
    rate = _messages(devices, NON, url, token, count)
    for one in devices:
        one.close()
    note = f"over TCP, {_SENDERS} devices publish, nothing is acknowledged"
    return Figure(f"{who}_messages_per_s", rate, "1/s", note)


def _answer(device, message) -> bool:
    # what a cloud asks of a device; True for an acknowledgement
    if message.type == ACK:
        return True
    if message.type == CON:
        device.acknowledge(message)
    if message.code == _GET and message.path == ["d"]:
        device.send(pack(CON, 0x45, device.next_mid(), message.token, payload=_DESCRIPTION))
    return False


def _messages(devices, kind: int, url: str, token: str, count: int) -> int:
    # messages per second, the last of them read from a stream
    with _Stream(url, token) as stream:
        # spark-server drops the events of devices that it has not understood yet
        for number, device in enumerate(devices):
            name = _BEGIN + b"%d" % number
            until = time.monotonic() + _STREAM_S
            while not stream.has(name):
                _publish([device], NON, 1, name)
                wait_for(lambda name=name: stream.has(name), 1)
                if time.monotonic() > until:
                    raise RuntimeError(f"{url}: no events")
        begin = time.monotonic()
        for sent in range(0, count, _BURST):
            # a cloud ends streams whose readers fall behind
            if not wait_for(lambda sent=sent: stream.seen >= sent - _AHEAD, _STREAM_S, 0.001):
                break
            _publish(devices, kind, _BURST, _EVENT)
        if not wait_for(lambda: stream.seen >= count, _STREAM_S, 0.001):
            raise RuntimeError(f"{url}: {stream.seen} events of {count}")
        return round(count / (time.monotonic() - begin))


def _publish(devices, kind: int, count: int, name: bytes) -> None:
    options = [(11, b"E"), (11, name)]
    for i in range(count):
        device = devices[i % len(devices)]
        device.send(pack(kind, 2, device.next_mid(), options=options, payload=b"1"))
    waiting = count if kind == CON else 0
    for i in range(waiting):
        device = devices[i % len(devices)]
        while not _answer(device, device.recv()):
            pass


class _Stream:
    """The stream of a user's events; counts those of this measurement."""

    def __init__(self, url: str, token: str):
        headers = {"Authorization": f"Bearer {token}"}
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

    def has(self, name: bytes) -> bool:
        """Tell whether one of the first events was of this name."""
        return b"event: " + name + b"\n" in self._begun

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
