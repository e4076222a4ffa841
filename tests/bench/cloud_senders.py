"""Processes that are devices on UDP, so that a load costs the cloud more than who makes it.

Each has devices of its own: real handshakes, records and CoAP, every acknowledgement opened and
matched with its message. Only that the records are sealed ahead is unlike a fleet.
"""

from __future__ import annotations

import multiprocessing
import select
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from bench.cloud_udp import FORM
from cloud.device import ACK, CON, pack
from cloud.running import Api, new_ec_key, provision_ec
from cloud.udp_device import UdpDevice

_AT_ONCE = 4  # that one process connects
_WINDOW = 64  # messages of one process without an answer
_OF_ONE = 32  # of these of one device
_PATIENCE_S = 60.0


class Senders:
    """The processes; whatever is asked of them, all do at once."""

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes = pipes

    def all(self, what: str, *values: Any) -> list[Any]:
        """Have every process do something; return what each returned. Raises RuntimeError."""
        for pipe in self._pipes:
            pipe.send((what, values))
        answers = [pipe.recv() for pipe in self._pipes]
        for answer in answers:
            if isinstance(answer, Exception):
                raise RuntimeError(f"{what}: {answer!r}")
        return answers


@contextmanager
def senders(count: int, *cloud: Any) -> Iterator[Senders]:
    """Start processes for a cloud, given as URL, token, UDP port and public key; end them."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    children = [context.Process(target=_serve, args=(pipe, cloud)) for _, pipe in pipes]
    for child in children:
        child.start()
    for _, theirs in pipes:
        theirs.close()  # so that a process that ends is noticed
    try:
        yield Senders([ours for ours, _ in pipes])
    finally:
        for child in children:
            child.terminate()
            child.join()


def _serve(pipe: Connection, cloud: tuple) -> None:
    fleet = _Fleet(*cloud)
    while True:
        what, values = pipe.recv()
        try:
            pipe.send(getattr(fleet, what)(*values))
        except Exception as error:  # noqa: BLE001 - the parent raises it
            pipe.send(error)


class _Lane:
    """One device with its messages: those to send, and the IDs of those without an answer."""

    def __init__(self, device: UdpDevice) -> None:
        self.device = device
        self.sealed: deque[tuple[int, bytes]] = deque()
        self.waiting: set[int] = set()

    def seal(self, name: bytes) -> None:
        mid = self.device.next_mid()
        options = [(11, b"E"), (11, name)]
        message = pack(CON, 2, mid, options=options, payload=b"1")
        self.sealed.append((mid, self.device.seal(message)))

    def send(self) -> bool:
        """Send the next message; tell whether one more may follow at once."""
        mid, datagram = self.sealed.popleft()
        self.device.sock.send(datagram)
        self.waiting.add(mid)
        return self.more()

    def more(self) -> bool:
        return bool(self.sealed) and len(self.waiting) < _OF_ONE

    def receive(self) -> int:
        """Read a datagram; return how many messages it acknowledges."""
        contents = self.device.client.datagram(self.device.sock.recv(2048))[1]
        for content in contents:
            if content[:2] != bytes([0x40 | ACK << 4, 0]):
                raise RuntimeError(f"the cloud answered {content.hex()}")
            self.waiting.remove(int.from_bytes(content[2:], "big"))
        return len(contents)


class _Fleet:
    """The devices of one process; its methods are what `Senders.all` may ask for."""

    def __init__(self, url: str, token: str, port: int, server: bytes) -> None:
        self._api = Api(url, token)
        self._cloud = port, server
        self._key = new_ec_key()
        self._lanes: list[_Lane] = []

    def connect(self, count: int) -> int:
        """Register and connect devices; return how many."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._lanes += pool.map(lambda _: self._connected(), range(count))
        return len(self._lanes)

    def _connected(self) -> _Lane:
        device_id = provision_ec(self._api, self._key)
        device = UdpDevice(*self._cloud, self._key, device_id, timeout=30, **FORM)
        return _Lane(device.connect())

    def seal(self, devices: int, count: int, name: bytes) -> None:
        """Make events ready to be sent, by so many devices in turn."""
        for i in range(count):
            self._lanes[i % devices].seal(name)

    def send(self) -> float:
        """Send them and wait for every acknowledgement; return seconds of CPU."""
        began = time.process_time()
        ready = deque(lane for lane in self._lanes if lane.sealed)
        lanes = {lane.device.sock.fileno(): lane for lane in ready}
        left = sum(len(lane.sealed) for lane in ready)
        waiting = 0
        with select.epoll() as poll:
            for handle in lanes:
                poll.register(handle, select.EPOLLIN)
            while left:
                while ready and waiting < _WINDOW:
                    lane = ready.popleft()
                    if lane.send():
                        ready.append(lane)
                    waiting += 1
                heard = poll.poll(_PATIENCE_S)
                if not heard:
                    raise RuntimeError(f"{waiting} messages are not acknowledged")
                for handle, _ in heard:
                    lane = lanes[handle]
                    stuck = not lane.more()
                    done = lane.receive()
                    waiting, left = waiting - done, left - done
                    if stuck and lane.more():
                        ready.append(lane)
        return time.process_time() - began

    def ping(self) -> int:
        """Have every device ask whether it is still connected; return how many are."""
        for lane in self._lanes:
            lane.device.ping()  # raises when there is no answer
        return len(self._lanes)
