"""A DTLS client on a real socket: `dtls_client.py '{JSON}'`, under CPython or MicroPython.

folder: where device.ec.der and server.ec.der are; port: whom to dial on the loopback; standard:
False for the Particle dialect, else arguments of `Standard`; profile; say: messages (hex), each
sent when the one before was answered; answers: how many; runs: give only the sizes of that many
handshakes; settle: wait for the end of the handshake even when it is open before; drop: indexes of
our datagrams that are not sent, ignore: of the peer's that are not read. Prints one line of JSON.
"""

import json
import os
import select
import sys
import time
from binascii import hexlify, unhexlify

import micropython  # noqa: F401 - gives CPython's `time` the clock of MicroPython

from particle.net.sockets import Sock
from particle.session.dtls import Dtls
from particle.session.dtls_std import Standard
from particle.session.messaging import diff
from particle.store.keys_ec import EcKeys

_PERIOD = 0x3FFFFFFF


class Folder:
    """A store that reads plain files."""

    def __init__(self, name):
        self.name = name

    def read(self, name):
        with open(self.name + "/" + name, "rb") as file:
            return file.read()


class Client:
    """The channel, its socket and what happened."""

    def __init__(self, options):
        self.options = options
        keys = EcKeys(Folder(options["folder"]), bytes(12))
        standard = options.get("standard")
        if standard:
            own = standard.get("own")
            own = None if own is None else unhexlify(own)
            self.channel = Standard(keys, None, os.urandom, 1152, own, standard.get("pad", 0))
        else:
            self.channel = Dtls(keys, None, os.urandom)
            self.channel.profile = options.get("profile", 0)
        self.say = [unhexlify(m) for m in options["say"]]
        self.events = []
        self.got = []
        self.up = []
        self.down = []
        self.open = False
        self.socket = Sock("udp")
        assert self.socket.connect("127.0.0.1", options["port"])
        self.poll = select.poll()
        self.poll.register(self.socket.pollable(), select.POLLIN)
        self.buffer = bytearray(2048)

    def now(self):
        return time.ticks_ms() & _PERIOD

    def drain(self):
        while True:
            e = self.channel.event()
            if e is None:
                return
            self.events.append(e)
            if e[0] == "OPEN":
                self.open = True
                self.speak()

    def speak(self):
        if self.say and len(self.got) < self.options["answers"]:
            m = self.say.pop(0)
            head = self.channel.head
            self.channel.out[head : head + len(m)] = m
            self.channel.seal(len(m))

    def transmit(self):
        c = self.channel
        while True:
            n = c.transmit(self.now())
            if n == 0:
                return
            if len(self.up) not in self.options.get("drop", ()):
                self.socket.write(c.out, n)
            self.up.append(n)

    def receive(self):
        try:
            n = self.socket.readinto(self.buffer)
        except OSError as e:
            if e.args[0] != 111 or self.down:  # the peer opens its port again after its cookie
                raise
            self.channel.receive(self.buffer, 0, self.now())
            return
        if not n:
            return
        self.down.append(n)
        if len(self.down) - 1 in self.options.get("ignore", ()):
            return
        c = self.channel
        c.receive(self.buffer, n, self.now())
        self.drain()
        while True:
            n = c.message()
            if n == 0:
                break
            self.got.append(bytes(c.buf[c.at : c.at + n]))
            self.speak()

    def finished(self):
        if self.events and self.events[-1][0] == "DOWN":
            return True
        if self.options.get("settle") and self.channel.deadline() is not None:
            return False
        return self.open and len(self.got) >= self.options["answers"]

    def run(self):
        c = self.channel
        c.start(self.now())
        end = time.ticks_add(time.ticks_ms(), self.options.get("seconds", 20) * 1000)
        while not self.finished() and time.ticks_diff(end, time.ticks_ms()) > 0:
            self.transmit()
            due = c.deadline()
            late = due is not None and diff(self.now(), due) >= 0
            if self.poll.poll(0 if late else 20):
                self.receive()
            c.tick(self.now())
            self.drain()
        if self.open and hasattr(c, "close"):
            c.close(self.now())
            self.transmit()
        self.socket.close()
        r = c._records
        return {
            "events": [list(e) for e in self.events],
            "got": [hexlify(m).decode() for m in self.got],
            "up": self.up,
            "down": self.down,
            "cid": hexlify(r.cid).decode(),
            "own": hexlify(r.own).decode(),
            "rfc": getattr(r, "_rfc", False),
        }


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    if "runs" in options:
        sizes = []
        for _ in range(options["runs"]):
            found = Client(options).run()
            assert found["events"][-1][0] == "OPEN", found
            sizes.append((found["up"], found["down"]))
        found = {"runs": sizes}
    else:
        found = Client(options).run()
    print(json.dumps(found))
