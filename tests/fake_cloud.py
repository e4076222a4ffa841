"""A cloud in the same process: a link whose sockets lead to the scripted peer of tcp_peer.

For the client's own tests on both interpreters; the real cloud is met in tests/e2e.
"""

from particle import Cloud, operation
from particle.session.messaging import add, diff
from tcp_peer import Parsed, TcpPeer, V, field

ID = V["device_id"]


class Board:
    """A board profile without hardware."""

    PLATFORM_ID = 6
    NET = "host"
    TRANSPORT = "tcp"
    STORE_ROOT = "build/none"


class Files:
    """A store in memory, provisioned with the vector's keys."""

    def __init__(self):
        self.files = {
            "server.rsa.der": field("server_public_key_der"),
            "device.rsa.der": field("device_private_key_der"),
            "config.json": b'{"v": 1, "device_id": "%s", "server": "10.0.0.1"}' % ID.encode(),
        }

    def read(self, name):
        return self.files.get(name)

    def write(self, name, data):
        self.files[name] = data

    def get(self, kind):
        return self.files.get(kind)

    def put(self, kind, payload):
        self.files[kind] = payload

    def erase(self, kind):
        self.files.pop(kind, None)


class CloudLink:
    """A Link that is always up; `open` gives sockets to this cloud.

    answers: set False and it accepts connections but never says anything.
    """

    kind = "host"
    error = None

    def __init__(self):
        self.heard = []  # Parsed messages of the device
        self.answers = True
        self.acks = True
        self.refuses = False
        self.sock = None
        self.opened = 0
        self.is_up = False
        self.chunk = 10000  # bytes that a write takes
        self.port = 5683
        self.answer = {}  # event name -> data sent back under the same name
        self.mute = ""  # path that is not answered

    def up(self):
        self.is_up = True

    def down(self):
        self.is_up = False

    def step(self, now):
        return 4 if self.is_up else 0

    def deadline(self):
        return None

    def info(self):
        return None, None, None, "10.0.0.53"

    def open(self, kind):
        assert kind == "tcp"
        self.opened += 1
        self.sock = CloudSock(self)
        return self.sock

    def say(self, message):
        """Send a CoAP message whose ID bytes are left out to the device."""
        p = self.sock.peer
        self.sock.inbox += p.seal(message[:2] + p.next_mid() + message[2:])

    def take(self, path):
        """Return and forget what the device said to this path."""
        got = [m for m in self.heard if m.path == path]
        self.heard = [m for m in self.heard if m.path != path]
        return got


class CloudSock:
    """One connection to the scripted cloud."""

    def __init__(self, link):
        self.link = link
        self.inbox = b""
        self.raw = b""
        self.peer = None
        self.closed = False
        self.tries = 0
        self.taken = self.given = 0  # bytes of the device and of the cloud

    def connect(self, addr, port):
        assert (addr, port) == ("10.0.0.1", self.link.port)
        if self.link.refuses:
            raise OSError(111)
        self.tries += 1
        if self.tries < 3:
            return False
        if self.link.answers:
            self.inbox = field("server_nonce")
        return True

    def readinto(self, buf):
        if self.closed:
            return 0
        if not self.inbox:
            return None
        n = min(len(buf), len(self.inbox))
        buf[:n] = self.inbox[:n]
        self.inbox = self.inbox[n:]
        self.given += n
        return n

    def write(self, buf, n):
        n = min(n, self.link.chunk)
        if n == 0:
            return None
        self.taken += n
        data = bytes(buf[:n])
        if self.peer is None:
            self.raw += data
            if len(self.raw) == 256:
                self.inbox += field("server_reply")
                self.peer = TcpPeer()
            return n
        for message in self.peer.take(data):
            self._hear(Parsed(message))
        return n

    def _hear(self, m):
        self.link.heard.append(m)
        mid = m.raw[2:4]
        if m.name in self.link.answer:
            parts = m.name.split("/")
            path = b"".join([bytes([len(p)]) + p.encode() for p in parts])
            self.link.say(b"\x50\x02\xb1E" + path + b"\xff" + self.link.answer[m.name])
        if m.path == self.link.mute:
            return
        if m.path == "h":
            self.inbox += self.peer.hello()
        elif m.path == "t":
            answer = b"\x61\x45" + mid + m.token + b"\xff\x65\x53\xf1\x00"
            self.inbox += self.peer.seal(answer)
        elif m.type == 0 and self.link.acks:
            self.inbox += self.peer.seal(b"\x60\x00" + mid)

    def pollable(self):
        return None

    def close(self):
        self.closed = True


def make(**values):
    """Return a client that is not connected yet, and its link."""
    link = CloudLink()
    return Cloud(board=Board, store=Files(), link=link, **values), link


def connected(**values):
    """Return a connected client and its link, everything said so far forgotten."""
    c, link = make(**values)
    assert c.connect(timeout=30, background=False)
    settle(c, link, lambda: not c._conn._queue)
    link.heard = []
    return c, link


def hurried(function):
    """Return what `function()` returns; meanwhile the client's time runs 100 times as fast."""
    real = operation.now
    start = real()
    operation.now = lambda: add(start, 100 * diff(real(), start))
    try:
        return function()
    finally:
        operation.now = real


def settle(c, link, condition):
    """Serve the client until `condition()`, which must come true."""
    assert c.wait_until(condition, 10), [(m.path, m.code) for m in link.heard]
