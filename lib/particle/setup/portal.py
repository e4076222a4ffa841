"""The page of setup by phone: what a person sees who has no app (setup-protocols 2.3, 2.8).

The page is one packed file beside this one, written by `particle_tools.portal`; it talks to the
commands of softAP and to two paths of this file:

    /portal/join?ssid=NAME  begin to join that network, or any known one without a name
    /portal/state           how that goes: {"state": "idle" | "joining" | "joined" | "failed", ...}

Every other address leads to the page: that is how the captive browsers of phones find it, whatever
they ask for.
"""

import sys

from micropython import const

from .softap_commands import quoted

_FILE = const("particle/setup/portal.html.gz")
_PIECE = const(512)

_PAGE = const(
    b"Content-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\n"
    b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
)
_JSON = const(b"Content-Type: application/json\r\nCache-Control: no-store\r\n")
_TEXT = const(b"Content-Type: text/plain\r\nCache-Control: no-store\r\n")
_MISSING = const(b"The page is not installed: mip install the component portal.\n")

# what browsers and systems fetch on their own, and is no page
_NO_PAGES = const((".ico", ".png", ".dat"))


def page(ports, commands, address="192.168.0.1", name=""):
    """Return the function page(path, query) of `softap_http.Site`.

    ports: of the listening mode. commands: `softap_commands.Commands`. address: that of
    the access point, with the port if it is not 80; name: what it is called.
    """
    mode = ports["mode"]
    tried = commands.tried
    wanted = b""

    def page(path, query):
        # -> None or an iterator: header lines, then the content in pieces
        nonlocal wanted
        if path == "/index":
            return _document()
        if path == "/portal/join" and mode.join != "joining":  # one after the other
            key, _, ssid = query.partition("=")
            wanted = ssid = _octets(ssid) if key == "ssid" else b""
            if ssid:
                tried.setdefault(ssid, False)
            mode.try_join(commands.now, ssid or None)
        if path in ("/portal/join", "/portal/state"):
            return iter((_JSON, _object(state())))
        if path[-4:] in _NO_PAGES:
            return None
        # Android /generate_204, Apple /hotspot-detect.html, Windows /connecttest.txt, Firefox
        # /canonical.html, and whatever comes next
        home = "Location: http://%s/index\r\nCache-Control: no-store\r\n" % address
        return iter((home.encode(),))

    def state():
        wifi = ports["wifi"]
        join = mode.join
        said = {"ssid": wanted, "ap": name, "id": ports["client"].device_id}
        if join is None:
            said["state"] = b"idle"
        elif join == "joining":
            said["state"] = b"joining"
        elif join == "joined":
            said["state"] = b"joined"
            said["ssid"] = wifi.link.trying.ssid
            for ssid in list(tried):  # who gave up did not want these to be tried for ever
                if tried.pop(ssid) and ssid != said["ssid"]:
                    wifi.clear_credentials(ssid)
            said["ip"] = wifi.link.info()[0]
        else:
            said["state"] = b"failed"
            said["why"] = wifi.link.why or b""
            said["text"] = join.text
            if said["why"] == "password" and wanted in tried:
                tried[wanted] = True
        return said

    return page


def _object(values):
    # -> JSON of an object of texts
    parts = []
    for name in values:
        text = values[name]
        if isinstance(text, str):
            text = text.encode()
        parts.append(b'"%s":%s' % (name.encode(), quoted(text)))
    return b"{" + b",".join(parts) + b"}"


def _octets(text):
    # percent-decoding
    parts = text.split("%")
    out = bytearray(parts[0].encode())
    for part in parts[1:]:
        try:
            out.append(int(part[:2], 16))
        except ValueError:
            return b""
        out += part[2:].encode()
    return bytes(out)


def _document():
    for folder in sys.path:
        try:
            file = open((folder + "/" if folder else "") + _FILE, "rb")  # noqa: SIM115
        except OSError:
            continue
        yield _PAGE
        try:
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    return
                yield piece
        finally:
            file.close()
    yield _TEXT
    yield _MISSING
