"""A whole connection over AES/TCP on a fake clock, and the scripted cloud at its other end."""

from particle.session.aes_tcp import TcpConn
from tcp_peer import Parsed, TcpPeer, VectorKeys, field, vector_rng

HELLO = (6, 1, 0x30, 6)
APP = b'{"f":["led"],"v":{"temp":9}}'


class World:
    """A Conn, its clock and the cloud's end; collects what comes out."""

    def __init__(self, host="10.0.0.1", rng=vector_rng):
        self.now = 5
        self.conn = TcpConn(VectorKeys(), None, rng, HELLO, {"server": host})
        self.events = []
        self.heard = []
        self.raw = b""
        self.peer = None

    def step(self):
        c = self.conn
        c.tick(self.now)
        self.drain()
        while True:
            n = c.transmit(self.now)
            if n == 0:
                break
            data = bytes(c.out[:n])
            if self.peer:
                self.heard += [Parsed(m) for m in self.peer.take(data)]
            else:
                self.raw += data
        self.drain()

    def drain(self):
        while True:
            e = self.conn.event()
            if e is None:
                return
            self.events.append(e)

    def feed(self, data):
        for i in range(0, len(data), 200):
            piece = bytearray(data[i : i + 200])
            self.conn.receive(piece, len(piece), self.now)
        self.drain()

    def say(self, head, rest, token=b""):
        """Send a message: first byte and code, then everything behind ID and token."""
        mid = self.peer.next_mid()
        self.feed(self.peer.seal(bytes([head[0] | len(token), head[1]]) + mid + token + rest))
        self.step()
        return mid

    def settle(self):
        for _ in range(400):
            self.step()
            if self.conn.deadline() != self.now:
                return
        raise AssertionError("a calculation that does not end")

    def kinds(self):
        got = [e[0] for e in self.events]
        self.events = []
        return got

    def take(self):
        got = self.heard
        self.heard = []
        return got

    def dial(self):
        self.conn.start(self.now)
        self.conn.link(self.now, True)
        self.settle()
        if ("RESOLVE", self.conn._host, None) in self.events:
            self.conn.addresses(self.now, ["10.0.0.1"])
            self.drain()

    def shake(self):
        self.peer = None
        self.raw = b""
        self.conn.opened(self.now, True)
        self.drain()
        self.feed(field("server_nonce"))
        self.settle()
        assert self.raw == field("client_message")
        self.peer = TcpPeer()
        self.feed(field("server_reply"))
        self.settle()

    def connect(self):
        self.dial()
        self.shake()
        self.feed(self.peer.hello())
        self.settle()
        assert self.conn.ready
        self.take()
        self.kinds()
        return self
