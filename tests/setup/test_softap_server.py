"""The servers of softAP: whatever a visitor does, the others get their answers, and soon."""

import particle.setup.softap_server as module
from fake_sockets import Net, Peer
from particle.errors import Error
from particle.setup.softap_http import HttpTalk, Site
from particle.setup.softap_server import Server, host
from particle.setup.softap_tcp import TcpTalk
from softap_world import GUEST, HOME, VECTORS, World, body_of
from support import known, raises, vectors

VERSION = b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
STEP_MS = 10


class Running:
    """A server with a clock; visitors are `Peer`s."""

    def __init__(self, tcp=False, page=None, w=None):
        self.world = w or World(HOME, GUEST)
        self.commands = commands = self.world.commands()
        self.net = Net()
        kept = module.socket, module.select
        module.socket = module.select = self.net
        site = Site(commands, page)
        try:
            self.server = Server(
                "192.168.0.1", 80, lambda: TcpTalk(commands) if tcp else HttpTalk(site)
            )
        finally:
            module.socket, module.select = kept
        self.ms = 0x3FFFFF00  # it wraps soon
        self.buf = bytearray(512)

    def visit(self, data=b"", address="192.168.0.2", window=5000):
        """Come, and send something."""
        peer = Peer(address, window)
        peer.send(data)
        self.net.queue.append(peer)
        return peer

    def run(self, ms, until=None):
        """Let time pass; return how much did until `until` was closed."""
        for passed in range(0, ms, STEP_MS):
            self.ms = self.ms + STEP_MS & 0x3FFFFFFF
            self.commands.now = self.ms
            self.server.step(self.ms, self.buf)
            if until and until.closed:
                return passed + STEP_MS
        assert until is None, "not answered in %d ms: %r" % (ms, until.got)
        return ms

    def asks(self, data=VERSION, ms=1000, address="192.168.0.2"):
        """Return the answer to a request."""
        peer = self.visit(data, address)
        self.run(ms, peer)
        assert peer.closed == "server", peer.closed
        return bytes(peer.got)


def test_an_answer_and_the_end():
    r = Running()
    assert body_of(r.asks())[1] == b'{"v":2}'
    assert r.server.visits() == 0
    r.server.close()
    r.server.close()
    assert r.net.open == 0


def test_it_listens_on_its_address_only():
    assert Running().net.bound == ("192.168.0.1", 80)


class Taken(Net):
    """Somebody else listens there already."""

    number = 98
    where = ("192.168.0.1", 8081)

    def getaddrinfo(self, host, port):
        return [(2, 1, 0, "", self.where)]

    def bind(self, address):
        raise OSError(self.number)


def test_a_port_that_is_in_use():
    kept = module.socket, module.select
    unix = b"\2\0\x1f\x91\x7f\0\0\1"
    for number, where in ((98, Taken.where), (112, Taken.where), (98, unix), (13, unix)):
        net = module.socket = module.select = Taken()
        net.number, net.where = number, where
        try:
            e = raises(OSError, Server, "192.168.0.1", 80, None)
        finally:
            module.socket, module.select = kept
        assert net.open == 0
        if number == 13:
            assert e.args[0] == 13
        else:
            assert isinstance(e, Error) and "port 8081 is in use: end " in e.text


def test_a_slow_one_does_not_keep_another_waiting():
    r = Running()
    slow = [r.visit(b"GET /ver", "192.168.0.3") for _ in range(4)]
    r.run(100)
    for n in range(50):
        slow[n & 3].send(b"x")
        r.run(STEP_MS)
    # all places are taken; who has several gives one up
    assert body_of(r.asks(ms=400))[1] == b'{"v":2}'
    r.run(11000)
    assert r.server.visits() == 0 and all(s.closed for s in slow)


def test_fifty_at_once():
    r = Running()
    silent = [r.visit(b"", "192.168.0.%d" % (3 + n % 5)) for n in range(50)]
    good = r.visit(VERSION)
    assert r.run(20000, good) < 15000 and body_of(bytes(good.got))[1] == b'{"v":2}'
    r.run(20000)
    assert r.server.visits() == 0 and all(s.closed for s in silent)
    talking = [r.visit(VERSION, "192.168.0.%d" % (3 + n % 5)) for n in range(50)]
    r.run(2000)
    assert all(bytes(t.got).endswith(b"0\r\n\r\n") and t.closed == "server" for t in talking)


def test_one_that_does_not_read():
    r = Running()
    deaf = [r.visit(VERSION, "192.168.0.3", window=10) for _ in range(4)]
    r.run(1500)
    assert body_of(r.asks(ms=400))[1] == b'{"v":2}'
    r.run(21000)
    assert r.server.visits() == 0 and all(d.closed for d in deaf)


def test_one_that_reads_slowly_gets_all():
    r = Running(
        page=lambda path, query: iter([b"Content-Type: text/html\r\n"] + [b"x" * 512] * 20)
    )
    peer = r.visit(b"GET /index HTTP/1.1\r\n\r\n", window=0)
    for _ in range(600):
        peer.window = 40
        r.run(20)
    assert peer.closed == "server" and len(body_of(bytes(peer.got))[1]) == 10240


def test_one_that_leaves_in_the_middle():
    configure = [e for e in VECTORS["exchanges"] if e["name"] == "configure-ap WPA2"][0]
    request = configure["http_request"].encode()
    for at in list(range(0, len(request), 20)) + [len(request)]:
        for end in ("leave", "half"):
            r = Running()
            peer = r.visit(request[:at])
            r.run(30)
            if end == "leave":
                peer.leave()
            else:
                peer.half = True
            r.run(1000)
            assert r.server.visits() == 0
            assert body_of(r.asks())[1] == b'{"v":2}'
            assert r.commands._room == 16000
    # what was whole is done, whether he is there for the answer or not
    assert r.world.networks.password("HomeWiFi") == b"correct horse"


def test_calculations_share_the_time():
    r = Running(tcp=True)
    request = [e for e in VECTORS["exchanges"] if e["name"] == "configure-ap WPA2"][0]
    both = [r.visit(request["tcp_request"].encode(), "192.168.0.%d" % n) for n in (3, 4, 5)]
    assert r.asks(b"version\n0\n\n", 50) == b'\n\n{"v":2}'
    r.run(8000)
    assert [bytes(peer.got) for peer in both] == [b'\n\n{"r":0}'] * 3


def test_64_kb_of_json():
    text = b'{"ssid":"' + b"x" * 65536 + b'"}'
    r = Running()
    head = b"POST /configure-ap HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(text)
    assert r.asks(head + text, 4000).startswith(b"HTTP/1.1 413 ")
    r = Running(tcp=True)
    assert r.asks(b"configure-ap\n%d\n\n" % len(text) + text, 4000) == b"\n\n"
    assert r.commands._room == 16000 and known(r.world.networks, "x") is None


def test_a_length_that_never_comes():
    r = Running()
    for length in (b"999999999", b"70000", b"14001"):
        peer = r.visit(b"POST /set HTTP/1.1\r\nContent-Length: %s\r\n\r\n{}" % length)
        r.run(300)
        assert body_of(r.asks(address="192.168.0.9"))[1] == b'{"v":2}'
        r.run(11000, peer)
    for bad in (b"-1", b"9999999999", b"1e3", b"", b"0x10"):
        got = r.asks(b"POST /set HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % bad)
        assert got.startswith(b"HTTP/1.1 400 "), bad
    r = Running(tcp=True)
    for length in (b"999999999", b"-1", b"1234567890"):
        peer = r.visit(b"set\n%s\n\n{}" % length)
        r.run(11000, peer)


def test_bodies_share_a_limit():
    r = Running()
    head = b"POST /configure-ap HTTP/1.1\r\nContent-Length: 13000\r\n\r\n"
    first = r.visit(head + b'{"crt":"' + b"x" * 12000, "192.168.0.3")
    r.run(500)
    second = r.visit(head + b'{"crt":"' + b"x" * 12000, "192.168.0.4")
    r.run(1500, second)
    assert bytes(second.got).startswith(b"HTTP/1.1 413 ")
    assert body_of(r.asks())[1] == b'{"v":2}'
    r.run(11000, first)
    assert r.commands._room == 16000


def test_a_length_in_characters():
    # softap-setup counts UTF-16 units (rule 7)
    body = '{"k":"cc","v":"%s"}' % ("é" * 3)
    r = Running(tcp=True)
    peer = r.visit(b"set\n%d\n\n" % len(body) + body.encode()[: len(body)])
    r.run(200)
    assert not peer.closed and not peer.got
    peer.send(body.encode()[len(body) :])
    r.run(600, peer)
    assert peer.got == b'\n\n{"r":-1}'
    # nothing more comes: that was all
    peer = r.visit(b'set\n9\n\n{"k":"cc"')
    assert 400 < r.run(700, peer) < 700 and peer.got == b"\n\n"


def test_what_is_no_http():
    r = Running()
    for bad in (
        b"\x16\x03\x01\x02\x00\x01\x00\n",  # TLS
        b"GET\r\n",
        b"GET / HTTP/1.1 x\r\n",
        b"GET version HTTP/1.1\r\n",
        b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 500),
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2000,
        b"GET / HTTP/1.1\r\n" + b"x" * 7000,
        b"POST /set HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ):
        assert r.asks(bad, 2000).startswith(b"HTTP/1.1 400 "), bad
    assert r.asks(b"GET /nothing HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert r.asks(b"\r\nGET /version?a=b HTTP/1.0\n\n").startswith(b"HTTP/1.1 200 ")


def test_pages():
    def page(path, query):
        if path == "/index":
            return iter((b"Content-Type: text/html\r\n", b"", query.encode(), b"<p>"))
        return iter((b"Location: http://192.168.0.1/index\r\n",)) if path != "/x" else None

    r = Running(page=page)
    head, body = body_of(r.asks(b"GET /index?q=1 HTTP/1.1\r\n\r\n"))
    assert b"Content-Type: text/html" in head and body == b"q=1<p>"
    assert b"302 Found\r\n" in r.asks(b"GET /generate_204 HTTP/1.1\r\n\r\n")
    assert b"404 Not Found\r\n" in r.asks(b"GET /x HTTP/1.1\r\n\r\n")
    assert b"301 Moved Permanently\r\n" in r.asks(b"GET / HTTP/1.1\r\n\r\n")
    r = Running()
    assert b"Location: /hello\r\n" in r.asks(b"GET /index HTTP/1.1\r\n\r\n")
    assert r.asks(b"GET /hello HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\nSoft AP Setup\0")


def test_a_scan_costs_nobody_his_place():
    """While the radio looks around nobody is served for 3 s; who has asked meanwhile stays."""
    r = Running()
    peers = [r.visit() for _ in range(4)]
    r.run(50)
    for peer in peers:
        peer.send(VERSION)
    others = [r.visit(VERSION) for _ in range(2)]
    r.ms = r.ms + 3000 & 0x3FFFFFFF
    r.run(200)
    assert [peer.closed for peer in peers + others] == ["server"] * 6


def test_who_is_who():
    assert host(("10.0.0.1", 5)) == "10.0.0.1"
    assert host(b"\x02\x00\x12\x34\x7f\0\0\1" + bytes(8)) == b"\x7f\0\0\1"


def test_the_vectors_over_sockets():
    for e in vectors("setup-softap.json")["exchanges"]:
        if e["name"] in ("scan-ap none", "device-id claimed"):
            continue
        r = Running(tcp=True)
        peer = r.visit(e["tcp_request"].encode())
        r.run(8000, peer)
        assert peer.got == e["tcp_response"].encode() and peer.closed == "server"
