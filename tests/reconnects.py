"""Reconnects a client again and again and tells what is left of the heap (MicroPython).

    micropython tests/reconnects.py COUNT

The real client, store interface, session and DTLS; the cloud is `dtls_peer.Peer` in the same
process, which acknowledges everything. Every reconnect carries an acknowledged publish, every
tenth is a new boot from what is stored. Prints JSON.
"""

import gc
import json
import sys

from dtls_peer import SERVER, Key, Peer
from particle import Cloud
from up_link import UpLink

_SAMPLES = 10
_TURNS = 4000  # of the client until something must have happened

_DEVICE = Key(0x123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF)


class Board:
    """A board profile without hardware."""

    PLATFORM_ID = 6
    NET = "host"
    TRANSPORT = "udp"
    STORE_ROOT = "build/none"


class Files:
    """A store in memory, provisioned."""

    def __init__(self):
        der = b"\x30\x77\x02\x01\x01\x04\x20" + _DEVICE.d.to_bytes(32, "big")
        der += b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\xa1\x44\x03\x42\x00"
        self.files = {
            "device.ec.der": der + _DEVICE.spki[-65:],
            "server.ec.der": SERVER.spki,
            "config.json": b'{"v": 1, "device_id": "0123456789abcdef01234567",'
            b' "server": "10.0.0.1"}',
        }

    def read(self, name):
        return self.files.get(name)

    def write(self, name, data):
        self.files[name] = data

    get = read
    put = write

    def erase(self, kind):
        self.files.pop(kind, None)


class Link(UpLink):
    """A Link that is always up; `open` gives sockets to the peer."""

    inbox = b""

    def __init__(self):
        self.peer = Peer()
        self.opened = 0

    def open(self, kind):
        self.opened += 1
        self.inbox = []
        return self

    # it is its own socket

    def connect(self, addr, port):
        return True

    def readinto(self, buf):
        if not self.inbox:
            return None
        data = self.inbox.pop(0)
        buf[: len(data)] = data
        return len(data)

    def write(self, buf, n):
        peer = self.peer
        self.inbox += peer.receive(bytes(buf[:n]))
        # what the peer remembers must not be taken for the client's
        if peer.finished:
            peer.numbers.clear()
            peer.heard.clear()
        return n

    def pollable(self):
        return None

    def close(self):
        self.inbox = []


def until(client, condition):
    for _ in range(_TURNS):
        client.process()
        if condition():
            return
    raise RuntimeError(client.error)


def idle(client):
    """Serve until every message is acknowledged, and hang up."""
    until(client, lambda: not client._conn._open)
    client.disconnect()
    until(client, client.disconnected)


def boot(files, link):
    client = Cloud(board=Board, store=files, link=link)
    client.function("led", lambda text: 1)
    client.subscribe("order", print)
    return client


def main(count):
    files, link = Files(), Link()
    client = boot(files, link)
    samples = [0] * _SAMPLES
    handshakes = resumes = 0
    for turn in range(count):
        client._open()
        until(client, client.connected)
        client.more.recent = []  # four a second are allowed
        op = client.publish("a", "1")
        until(client, op.done)
        op.result()
        idle(client)
        if turn % 10 == 9:
            handshakes += client._conn.handshakes
            resumes += client._conn.resumes
            client = boot(files, link)
        if turn % (count // _SAMPLES) == count // _SAMPLES - 1:
            op = None
            gc.collect()
            samples[turn * _SAMPLES // count] = gc.mem_alloc()
    used = {"handshakes": handshakes, "resumes": resumes, "opened": link.opened}
    print(json.dumps({"alloc": samples, "used": used}))


main(int(sys.argv[1]))
