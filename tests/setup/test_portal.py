"""The portal: a page from a file, probes of phones lead to it, how the join goes as JSON."""

import json
import os
import sys

from particle.errors import Error
from particle.setup import portal
from particle.setup.softap_http import HttpTalk, Site
from support import folder

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
        self.tried = []
        self.cleared = []
        self.clear_credentials = self.cleared.append
        self.ports = {"client": self, "wifi": self, "mode": self}
        self.page = portal.page(self.ports, self, "192.168.0.1:8080", "Photon-ABCDEF")
        self.site = Site(self, self.page)

    def try_join(self, now, ssid):
        self.tried.append((now, ssid))
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
    assert w.tried == [(5, b'Caf\xc3\xa9 "<+1')]
    assert said["state"] == "joining" and said["ssid"] == 'Caf\u00e9 "<+1'
    w.join = Error(-130, "'Home': wrong password", "link")
    w.why = "password"
    said = w.state()
    assert (said["state"], said["why"]) == ("failed", "password")
    assert said["text"] == "'Home': wrong password"
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
    w.state("/portal/join?ssid=Home")
    w.join = "joined"
    w.state()
    w.state()
    assert sorted(w.cleared) == [b"One", b"Two"]


def test_any_network_is_joined_when_none_is_named():
    w = World()
    for query in ("", "?", "?ssid=", "?other=1", "?ssid=%zz", "?ssid=%"):
        w.state("/portal/join" + query)
    assert [ssid for _, ssid in w.tried] == [None] * 6
