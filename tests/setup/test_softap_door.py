"""The door of softAP: the access point on both kinds of ports, and that all of it ends."""

import sys

import particle.setup.softap_dns as dns
import particle.setup.softap_server as server
from fake_sockets import Net, Peer
from particle.errors import Error
from particle.setup.mode import Mode
from particle.setup.softap import Door
from radio import SOURCE, Radio
from softap_world import HOME, World
from support import raises

PORTS = ("esp32", "rp2") if SOURCE else ()


class Bench:
    """A door over a radio of a port, with sockets in memory."""

    def __init__(self, port, **ports):
        self.radio = Radio(port)
        self.world = World(HOME)
        self.world.ports.update(ports)
        self.nets = []
        self.kept = server.socket, server.select
        server.socket = server.select = dns.socket = self
        self.SOCK_DGRAM = 2
        self.refuse = None
        self.AF_INET, self.SOCK_STREAM, self.SOL_SOCKET, self.SO_REUSEADDR, self.POLLIN = range(5)
        self.door = Door(self.world.ports, self.radio)

    # modules socket and select

    def socket(self, family, kind):
        """Give every socket a net of its own."""
        net = Net()
        net.kind = kind
        self.nets.append(net)
        return net.socket()

    def getaddrinfo(self, host, port):
        """Return the address as it is; refuse one to whom nothing is left."""
        if len(self.nets) - 1 == self.refuse:
            raise OSError(12)
        return [(2, 1, 0, "", (host, port))]

    def poll(self):
        """Return a poller: the net of the socket that is made last."""
        return self.nets[-1]

    def __call__(self, ports):
        """Be the class of the door."""
        return self.door

    def close(self):
        """Put the modules back."""
        self.door.close()
        server.socket, server.select = self.kept
        dns.socket = server.socket


def test_where_it_listens():
    for port in PORTS:
        address = "192.168.0.1" if port == "esp32" else "192.168.4.1"
        b = Bench(port)
        b.door.open(0)
        assert [(n.bound, n.kind) for n in b.nets] == [
            ((address, 5609), b.SOCK_STREAM),
            ((address, 80), b.SOCK_STREAM),
            ((address, 53), b.SOCK_DGRAM),
        ]
        wlan = b.radio.WLAN(b.radio.AP_IF)
        assert wlan.active() and wlan.ifconfig()[0] == address
        name = wlan.config("ssid")
        assert len(name) == 13 and name[:7] == "Photon-"
        assert wlan.config("security") == 0 and wlan.config("channel") == 11
        b.close()
        b.close()
        assert [n.open for n in b.nets] == [0, 0, 0] and not wlan.active()
        # the same name the next time
        again = Bench(port, store=b.world.files)
        again.world.setup_prefix = "Acme"
        again.door.open(0)
        assert wlan is not again.radio and again.radio.WLAN(1).config("ssid") == "Acme" + name[6:]
        again.close()


def test_what_does_not_open_is_closed():
    for port in PORTS:
        for refuse in range(2):
            b = Bench(port)
            b.refuse = refuse
            raises(OSError, b.door.open, 0)
            b.close()
            assert not any(n.open for n in b.nets)
            assert not b.radio.WLAN(b.radio.AP_IF).active()
        # without its own names a phone is still set up by an app
        b = Bench(port)
        b.refuse = 2
        b.door.open(0)
        assert [n.open for n in b.nets] == [1, 1, 0]
        b.close()


def test_without_rsa():
    """The parts of it are in another component (packing.py)."""
    name = "particle.setup.softap_key"
    kept = sys.modules.pop(name, None)
    sys.modules[name] = None
    try:
        for port in PORTS:
            b = Bench(port)
            assert "core-tcp" in raises(Error, b.door.open, 0).text
            b.close()
            assert not b.nets and not b.radio.WLAN(b.radio.AP_IF).active()
    finally:
        sys.modules[name] = kept


def visit(bench, data, number=0):
    """Send something to a server; return the visitor."""
    peer = Peer()
    peer.send(data)
    bench.nets[number].queue.append(peer)
    return peer


def test_connect_leaves_when_the_answer_is_gone():
    for port in PORTS:
        b = Bench(port)
        b.door.open(0)
        assert b.door.step(10) is None
        peer = visit(b, b'connect-ap\n9\n\n{"idx":0}')
        said = [b.door.step(ms) for ms in range(20, 800, 10)]
        assert peer.got == b'\n\n{"r":0}' and peer.closed == "server"
        first = said.index("connect")
        assert 300 <= first * 10 <= 500
        b.close()
        # somebody who asks on does not keep it up
        b = Bench(port)
        b.door.open(0)
        visit(b, b'connect-ap\n9\n\n{"idx":0}')
        b.door.step(10)
        visit(b, b"GET /ver", 1)
        said = [b.door.step(ms) for ms in range(20, 3000, 10)]
        assert 1000 <= said.index("connect") * 10 <= 1600
        b.close()


def test_guessing_ends_it():
    for port in PORTS:
        b = Bench(port)
        b.door.open(0)
        body = b'{"ssid":"HomeWiFi","sec":4194308,"pwd":"' + b"00" * 100 + b'"}'
        said = None
        for n in range(20):
            peer = visit(b, b"configure-ap\n%d\n\n" % len(body) + body)
            for ms in range(10):
                said = said or b.door.step(n * 100 + ms * 10)
            assert peer.got == b'\n\n{"r":-16640}'
            assert said == ("leave" if n == 19 else None)
        b.close()


def test_it_ends_with_the_mode():
    for port in PORTS:
        b = Bench(port)
        w = b.world
        w.ports["event"] = lambda *event: None
        mode = Mode(w.ports, [b])
        mode.timeout = 60
        mode.enter(0)
        mode.enter(0)  # setup entered twice is setup once
        for ms in range(0, 60000, 500):
            assert mode.step(ms)
            mode.enter(ms)
        assert len(b.nets) == 3 and not mode.step(60000)
        assert w.log == [False] and not any(n.open for n in b.nets)
        # and once more, from the start
        b.door = Door(w.ports, b.radio)
        mode.enter(61000)
        mode.step(61010)
        visit(b, b'connect-ap\n9\n\n{"idx":0}', 3)
        ms = 61020
        while mode.step(ms):
            ms += 10
        assert ms < 62000 and w.log == [False, True] and not any(n.open for n in b.nets)
        b.close()
