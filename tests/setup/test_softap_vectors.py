"""softAP setup, every exchange of the vectors and its damaged twins."""

from binascii import hexlify, unhexlify

from particle.setup.softap import device_code, ssid
from particle.setup.softap_commands import wiced
from particle.setup.softap_configure import security_of
from particle.setup.softap_dns import answer
from particle.setup.softap_http import HttpTalk, Site
from particle.setup.softap_tcp import TcpTalk
from softap_world import GUEST, HOME, VECTORS, Files, World, ask, body_of
from support import drive, known

EXCHANGES = VECTORS["exchanges"]


def world(exchange):
    """Return the `World` of an exchange."""
    if "none" in exchange["name"]:
        return World()
    w = World(HOME, GUEST)
    w.is_claimed = exchange["name"] == "device-id claimed"
    return w


def test_tcp():
    for e in EXCHANGES:
        for pieces in (1, 7, None):
            w = world(e)
            commands = w.commands()
            got = ask(TcpTalk, commands, e["tcp_request"].encode(), pieces)
            assert got == e["tcp_response"].encode(), (e["name"], got)


def test_http():
    for e in EXCHANGES:
        if "http_request" not in e:
            continue
        for pieces in (1, 50, None):
            w = world(e)
            site = Site(w.commands())
            got = ask(HttpTalk, site, e["http_request"].encode(), pieces)
            head, body = body_of(got)
            assert body == e["http_body"].encode(), (e["name"], body)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
            for line in (
                b"Content-Type: application/json",
                b"Connection: close",
                b"Access-Control-Allow-Origin: *",
                b"Cache-Control: no-store, no-cache, must-revalidate, post-check=0, pre-check=0",
                b"Pragma: no-cache",
                b"Transfer-Encoding: chunked",
            ):
                assert line in head.split(b"\r\n"), (line, head)


def test_what_was_stored():
    w = World(HOME, GUEST)
    commands = w.commands()
    for e in EXCHANGES:
        ask(TcpTalk, commands, e["tcp_request"].encode())
    assert w.networks.password("HomeWiFi") == b"correct horse"
    assert known(w.networks, "Guest").security == 0
    assert known(w.networks, "Attic") is None
    corp = known(w.networks, "Corp")
    assert (corp.security, corp.eap) == (5, 13)
    assert w.codes == [b"rCFTFRbXzIyXjnVxvuOSJiVxqzoCrJrQ1bEOzzL1fSgQhNoTNGAwTgB4TzT9ABC"]
    assert w.antenna == 2 and commands.connecting


def test_damaged_requests_change_nothing_and_end():
    """Cut at every position, and each byte replaced: an answer or an end, never a hang."""
    for e in EXCHANGES:
        request = e["tcp_request"].encode()
        if len(request) > 120:
            request = request[:60] + request[-60:]  # neither length nor ciphertext are right
        for at in range(len(request)):
            for damaged in (request[:at], request[:at] + b"\xff" + request[at + 1 :]):
                w = world(e)
                commands = w.commands(rsa=NoKey())
                got = ask(TcpTalk, commands, damaged)
                assert got is None or got == b"" or got[:2] == b"\n\n", (damaged, got)
                assert len(w.networks) <= 1
                assert commands._room == 16000


def test_damaged_requests_of_http():
    for e in EXCHANGES:
        request = e.get("http_request", "").encode()
        body = request.find(b"\r\n\r\n")
        if body > 200:
            continue
        for at in range(body + 4):
            for damaged in (request[:at], request[:at] + b"\xff" + request[at + 1 :]):
                w = world(e)
                commands = w.commands(rsa=NoKey())
                got = ask(HttpTalk, Site(commands), damaged)
                assert got is None or got.startswith(b"HTTP/1.1 "), (damaged, got)
                assert got is None or got[9:12] in (b"200", b"400", b"404"), (damaged, got)
                assert len(w.networks) <= 1 and commands._room == 16000


class NoKey:
    """A key that nothing was encrypted with; fast."""

    public = b"\x30"

    def rsa_decrypt(self, block):
        """Refuse it."""
        yield
        raise ValueError("padding")


def test_numbers_of_security():
    for name, sec in VECTORS["security"].items():
        expected = {"open": 0, "wep_psk": 1, "wep_shared": 1}.get(name)
        if expected is None:
            wpa2 = name.startswith("wpa2")
            expected = (4 if name.endswith("_ent") else 2) + wpa2
        assert security_of(sec) == expected, name
    for sec in (-1, 2, 4, 0x10000000, 0x20000000, 0x02000000, 0x8000):
        assert security_of(sec) is None, sec
    assert security_of(0x00600004) == 2
    shown = [wiced(*how) for how in ((0, 0), (1, 0), (2, 3), (3, 1), (3, 3), (5, 1), (6, 1))]
    assert shown == [0, 1, 0x200004, 0x400004, 0x400006, 0x02400004, 0x400004]
    assert wiced(3, 2) == 0x400002 and wiced(255, 0) == -1


def test_names_of_access_points():
    for v in VECTORS["device_code"]:
        assert device_code(v["random_u32"]) == v["code"].encode()
    for v in VECTORS["ssid"]:
        assert ssid(Files(apcode=v["device_code"].encode()), v["prefix"]) == v["ssid"]
    store = Files()
    asked = []

    def rng(n):
        asked.append(n)
        return unhexlify("78563412")

    assert ssid(store, "Photon", rng) == "Photon-SMPA5B"
    assert ssid(store, "Acme", rng) == "Acme-SMPA5B" and asked == [4]
    for damaged in (b"", b"SMPA5", b"SMPA5!", b"smpa5b", b"SMPA5BB"):
        assert ssid(Files(apcode=damaged), "Photon", rng) == "Photon-SMPA5B"
    assert len(ssid(store, "x" * 40, rng)) == 32
    assert len(ssid(store, "é" * 25, rng).encode()) == 31


def test_rsa():
    for v in VECTORS["rsa_pkcs1v15"]:
        key = World().commands().key
        assert drive(key.decrypt(v["ciphertext"].encode())) == unhexlify(v["message"])
        assert drive(key.decrypt(v["ciphertext"].upper().encode())) == unhexlify(v["message"])
    both = "".join([v["ciphertext"] for v in VECTORS["rsa_pkcs1v15"]])
    whole = "".join([v["message"] for v in VECTORS["rsa_pkcs1v15"]])
    assert drive(key.decrypt(both.encode())) == unhexlify(whole)
    padded = VECTORS["test_key"]["public_key_field_b"].lower()
    assert hexlify(key.public).decode() == padded[:324] and not int(padded[324:])


def test_dns():
    v = VECTORS["dns"]
    ours = bytes((192, 168, 0, 1))
    query = unhexlify(v["query"])
    assert answer(query, ours) == unhexlify(v["reply"])
    for name in v["names_answered"] + ["anything.example"]:
        labels = b"".join([bytes((len(s),)) + s.encode() for s in name.split(".")])
        asked = query[:12] + labels + b"\0\0\1\0\1"
        assert answer(asked, ours)[-4:] == ours
        # IPv6 has no address here, and the phone is to know
        six = answer(asked[:-4] + b"\0\x1c\0\1", ours)
        assert (
            six[3] & 15 == 0 and six[6:8] == b"\0\0" and six[12:] == asked[12:-4] + b"\0\x1c\0\1"
        )
    for at in range(len(query)):
        assert answer(query[:at], ours) is None
    assert answer(unhexlify(v["reply"]), ours) is None  # no answers to answers
    assert answer(query[:2] + b"\x28" + query[3:], ours)[3] & 15 == 4
    assert answer(query + b"\0" * 11, ours) == unhexlify(v["reply"])  # EDNS and the like
    for at in range(12, len(query)):
        for octet in (0, 63, 64, 192, 255):
            answer(query[:at] + bytes((octet,)) + query[at + 1 :], ours)
