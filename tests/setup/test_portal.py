"""The portal: a page from a file, probes of phones lead to it, how the join goes as JSON."""

import json
import os
import sys
from binascii import hexlify

import softap_world
from particle.crypto.rsa import encrypt
from particle.errors import Error
from particle.setup import portal
from particle.setup.mode import Mode
from particle.setup.softap_http import HttpTalk, Site
from softap_world import VECTORS, Heard
from support import drive, folder, known, rng

PROBES = (
    "/generate_204",  # Android
    "/gen_204",
    "/hotspot-detect.html",  # Apple
    "/library/test/success.html",
    "/connecttest.txt",  # Windows
    "/ncsi.txt",
    "/redirect",
    "/canonical.html",  # Firefox
    "/success.txt",
    "/whatever/comes/next",
)


class World:
    """Ports of a listening mode, and commands of which there are none."""

    device_id = "0123456789abcdef01234567"
    now = 5
    join = None
    why = None

    def __init__(self):
        self.link = self.trying = self
        self.ssid = b"Home"
        self.joins = []
        self.tried = {}
        self.cleared = []
        self.clear_credentials = self.cleared.append
        self.ports = {"client": self, "wifi": self, "mode": self}
        self.page = portal.page(self.ports, self, "192.168.0.1:8080", "Photon-ABCDEF")
        self.site = Site(self, self.page)

    def try_join(self, now, ssid):
        assert self.join != "joining"
        self.joins.append((now, ssid))
        self.join = "joining"

    def info(self):
        return ("10.0.0.7", "", "", "")

    def http(self, name, body):
        return None

    def get(self, path):
        """Return (status, header lines, content) of what a browser gets."""
        talk = HttpTalk(self.site)
        request = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        talk.feed(request, len(request))
        head, _, rest = b"".join(talk.answer()).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        content = b""
        while rest and "Transfer-Encoding: chunked" in lines:
            size, _, rest = rest.partition(b"\r\n")
            n = int(size, 16)
            content += rest[:n]
            rest = rest[n + 2 :]
        return int(lines[0].split()[1]), lines[1:], content

    def state(self, path="/portal/state"):
        """Return what the page is told."""
        status, _, content = self.get(path)
        assert status == 200
        return json.loads(content)


def installed(content):
    """Put a page where the portal looks for it; without content there is none."""
    path = folder("portal")
    if content:
        os.mkdir(path + "/particle")
        os.mkdir(path + "/particle/setup")
        with open(path + "/particle/setup/portal.html.gz", "wb") as file:
            file.write(content)
    sys.path[:] = [path, ""]


def test_the_page_is_sent_in_small_pieces():
    w = World()
    kept = list(sys.path)
    try:
        for content in (bytes(range(256)) * 5 + b"end", bytes(512), b"1"):
            installed(content)
            pieces = list(w.page("/index", ""))
            assert b"text/html" in pieces[0] and b"Content-Encoding: gzip" in pieces[0]
            assert b"".join(pieces[1:]) == content
            assert max([len(piece) for piece in pieces[1:]]) <= 512
            status, lines, said = w.get("/index?x=1")
            assert status == 200 and said == content
            assert [line for line in lines if "gzip" in line]
    finally:
        sys.path[:] = kept


def test_a_page_that_is_not_installed():
    w = World()
    kept = list(sys.path)
    try:
        installed(None)
        status, lines, content = w.get("/index")
    finally:
        sys.path[:] = kept
    assert status == 200 and b"mip install" in content
    assert not [line for line in lines if "gzip" in line]


def test_every_probe_leads_to_the_page():
    w = World()
    for path in PROBES:
        status, lines, content = w.get(path)
        assert status == 302 and content == b"", path
        assert "Location: http://192.168.0.1:8080/index" in lines
    for path in ("/favicon.ico", "/apple-touch-icon.png", "/wpad.dat"):
        assert w.get(path)[0] == 404


def test_states():
    w = World()
    said = w.state()
    assert said["state"] == "idle" and said["ssid"] == ""
    assert said["ap"] == "Photon-ABCDEF" and said["id"] == w.device_id
    said = w.state("/portal/join?ssid=Caf%C3%A9%20%22%3C%2B1")
    assert w.joins == [(5, b'Caf\xc3\xa9 "<+1')]
    assert said["state"] == "joining" and said["ssid"] == 'Caf\u00e9 "<+1'
    w.join = Error(-130, "'Home': wrong password", "link")
    w.why = "password"
    said = w.state()
    assert (said["state"], said["why"]) == ("failed", "password")
    assert said["text"] == "'Home': wrong password"
    w.join = Error(-230, "Wi-Fi: Wifi Internal Error", "link")
    w.why = None  # what the driver says is of no kind
    said = w.state()
    assert (said["state"], said["why"]) == ("failed", "")
    assert said["text"] == "Wi-Fi: Wifi Internal Error"
    w.join = "joined"
    said = w.state()
    assert (said["state"], said["ssid"], said["ip"]) == ("joined", "Home", "10.0.0.7")


def test_networks_that_refused_the_password_are_forgotten():
    w = World()
    w.why = "password"
    for name in ("One", "Two", "Home", ""):
        w.state("/portal/join?ssid=" + name)
        w.join = Error(-130, "wrong password", "link")
        w.state()
        w.state()
    w.why = "absent"
    w.state("/portal/join?ssid=Three")
    w.join = Error(-170, "not found", "link")
    w.state()
    assert w.cleared == []
    assert [ssid for _, ssid in w.joins] == [b"One", b"Two", b"Home", None, b"Three"]
    w.state("/portal/join?ssid=Home")
    w.join = "joined"
    w.state()
    w.state()
    assert sorted(w.cleared) == [b"One", b"Two"]


class Air:
    """The radio of a listening board, and real commands; `passwords`: the right ones."""

    passwords = {b"Home": b"correct horse", b"Attic": b"battery staple", b"Cafe": None}
    error = Error(-130, "wrong password", "link")
    device_id = "0123456789abcdef01234567"
    only = why = None

    def __init__(self):
        self.world = w = softap_world.World(*[Heard(name) for name in self.passwords])
        w.link = self
        w.clear_credentials = w.networks.remove
        w.ports["event"] = lambda name, parameter: None
        self.mode = Mode(w.ports, [])
        self.commands = w.commands()
        self.page = portal.page(w.ports, self.commands)
        self.mode.enter(0)
        self.mode.step(0)

    def up(self):
        self.trying = known(self.world.networks, self.only)

    def down(self):
        pass

    def info(self):
        return ("10.0.0.7", "", "", "")

    def step(self, now):
        ssid = self.trying.ssid
        right = self.world.networks.password(ssid) == self.passwords[ssid]
        self.why = None if right else "password"
        return 4 if right else 5

    def ask(self, what, ssid=None):
        """Return (state, SSID) that the page is told."""
        _, said = self.page("/portal/" + what, "ssid=" + ssid if ssid else "")
        said = json.loads(said)
        return said["state"], said["ssid"]

    def joins(self, ssid):
        """Return what becomes of joining a network."""
        assert self.ask("join", ssid) == ("joining", ssid)
        return self.ends()

    def ends(self):
        """Return how joining ended."""
        self.mode.step(0)
        return self.ask("state")

    def stores(self, ssid, password):
        """Store a network as the page does."""
        n = int(VECTORS["test_key"]["n"], 16)
        given = {"ssid": ssid, "sec": 0x400004, "hid": 1}
        given["pwd"] = hexlify(drive(encrypt(n, 65537, password, rng(1)))).decode()
        said = b"".join(list(self.commands.http("configure-ap", json.dumps(given).encode())))
        assert said == b'{"r":0}'

    def known(self):
        """Return the SSIDs that are stored."""
        return sorted([n.ssid.decode() for n in self.world.networks])


def stocked():
    """Return an `Air` whose board knows three networks, Home with a wrong password."""
    air = Air()
    air.world.networks.add("Attic", b"battery staple")
    air.world.networks.add("Home", b"mistyped")
    air.world.networks.add("Cafe")
    return air


def test_who_asks_while_another_one_is_joined_blames_nobody():
    air = stocked()
    assert air.ask("join", "Home") == ("joining", "Home")
    assert air.ask("join", "Attic") == ("joining", "Home")
    assert air.ends() == ("failed", "Home")
    assert air.joins("Cafe") == ("joined", "Cafe")
    assert air.known() == ["Attic", "Cafe"]


def test_a_password_that_was_mended_is_kept():
    air = stocked()
    assert air.joins("Home") == ("failed", "Home")
    air.stores("Home", b"correct horse")
    assert air.ask("state") == ("failed", "Home")  # of the password before
    assert air.joins("Cafe") == ("joined", "Cafe")
    assert air.known() == ["Attic", "Cafe", "Home"]
    # one that is mended before anybody has asked how it went
    air = stocked()
    air.ask("join", "Home")
    air.mode.step(0)
    air.stores("Home", b"correct horse")
    assert air.ask("state") == ("failed", "Home")
    assert air.joins("Cafe") == ("joined", "Cafe")
    assert air.known() == ["Attic", "Cafe", "Home"]
    # and one that is as wrong as before
    air = stocked()
    air.stores("Home", b"mistyped again")
    assert air.joins("Home") == ("failed", "Home")
    assert air.joins("Cafe") == ("joined", "Cafe")
    assert air.known() == ["Attic", "Cafe"]


def test_any_network_is_joined_when_none_is_named():
    w = World()
    for query in ("", "?", "?ssid=", "?other=1", "?ssid=%zz", "?ssid=%"):
        w.join = None
        w.state("/portal/join" + query)
    assert [ssid for _, ssid in w.joins] == [None] * 6
