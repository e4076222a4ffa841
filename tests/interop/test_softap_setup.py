"""npm softap-setup 4.1.0, unmodified, over TCP and HTTP (setup-protocols 12.2)."""

import itertools
import json
import urllib.request

import pytest
from Crypto.PublicKey import RSA

from interop import node, softap_setup
from interop.boards import eventually
from interop.softap_setup import Clients, Refused
from setup_board import DEVICE_ID, VECTORS, SetupBoard

PROTOCOLS = ("tcp", "http")
# its own names, all of them
OPEN = ("none", "open")
WEP = ("wep_psk", "wep_shared")
WPA = ("wpa_tkip", "wpa_aes", "wpa2_tkip", "wpa2_aes", "wpa2_mixed", "wpa2")
ENTERPRISE = ("wpa_enterprise_tkip", "wpa_enterprise_aes", "wpa2_enterprise_tkip")
ENTERPRISE += ("wpa2_enterprise_aes", "wpa2_enterprise_mixed", "wpa2_enterprise")
HOME = {"ssid": "Home", "password": "pässwörd 😀", "rssi": -50, "channel": 6}
OLD = {"ssid": "Old", "password": "12345", "security": "wep", "rssi": -70, "channel": 1}
ODD = {"ssid": 'say "hi" \\', "password": "12345678", "rssi": -60, "channel": 3}
CAFE = {"ssid": "café", "password": "12345678", "rssi": -61, "channel": 3}
GUEST = {"ssid": "Guest", "security": "open", "rssi": -80, "channel": 11}
AIR = [HOME, OLD, ODD, CAFE, GUEST, {"ssid": "Unseen", "hidden": True}]
CODE = "rCFTFRbXzIyXjnVxvuOSJiVxqzoCrJrQ1bEOzzL1fSgQhNoTNGAwTgB4TzT9ABC"
PEM = "-----BEGIN CERTIFICATE-----\nMIIBtest\n-----END CERTIFICATE-----"
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----" % ("MIIB" * 300)
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """Give the package in its process."""
    found = Clients(softap_setup.PACKAGES.find())
    yield found
    found.close()


@pytest.fixture(scope="module")
def shared_board(tmp_path_factory):
    """Give a board that goes on listening."""
    found = SetupBoard(tmp_path_factory.mktemp("softap"), AIR)
    yield found
    found.close()


@pytest.fixture
def call(need, request):
    """Give call(board, protocol, method, ...) of a client that is new for each test."""
    need("softap-setup (npm)", softap_setup.PACKAGES.find(), node.COMMAND)
    clients = request.getfixturevalue("clients")
    mine = next(_NUMBERS)

    def one(board, protocol, method, *args):
        port = board.tcp if protocol == "tcp" else board.http
        options = {"protocol": protocol, "host": "127.0.0.1", "port": port, "timeout": 8000}
        return clients.call(f"{mine} {protocol} {port}", options, method, *args)

    return one


@pytest.fixture
def board(call, request):
    """Give that board, if there is a client for it."""
    return request.getfixturevalue("shared_board")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_it_asks(call, board, protocol):
    assert call(board, protocol, "version")["v"] == 2
    assert call(board, protocol, "deviceInfo") == {"id": DEVICE_ID, "claimed": False}
    key = RSA.import_key(call(board, protocol, "publicKey"))
    assert key.n == int(VECTORS["test_key"]["n"], 16)
    scans = call(board, protocol, "scan")
    assert [s["ssid"] for s in scans] == [n["ssid"] for n in AIR if not n.get("hidden")]
    assert [s["sec"] for s in scans] == [0x400004, 1, 0x400004, 0x400004, 0]
    assert [(s["rssi"], s["ch"]) for s in scans][0] == (-50, 6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_claim_codes(call, board, protocol):
    code = CODE[1:] + protocol[0]
    call(board, protocol, "setClaimCode", code)
    board.knows(lambda networks, claim: claim == code)
    code = CODE[1:] + protocol[1]
    call(board, protocol, "set", {"k": "cc", "v": code})
    board.knows(lambda networks, claim: claim == code)
    with pytest.raises(Refused):
        call(board, protocol, "set", {"k": "xy", "v": "1"})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_kind_of_security(call, board, protocol):
    call(board, protocol, "publicKey")
    for name in OPEN + WEP + WPA:
        near = HOME if name in WPA else OLD if name in WEP else GUEST
        given = {"ssid": near["ssid"], "security": name, "channel": near["channel"]}
        # every time another password: that it is stored is seen, not that it was
        password = near.get("password", "") + name
        if near is GUEST:
            call(board, protocol, "configure", given)
            board.knows(lambda networks, code: "Guest" in networks)
            continue
        assert call(board, protocol, "configure", given | {"password": password})["r"] == 0
        found, _ = board.knows(
            lambda networks, code, ssid=near["ssid"], p=password: (
                networks.get(ssid, {}).get("password") == p
            )
        )
        assert found[near["ssid"]]["security"] == (3 if name in WPA else 1)


def corp_of(networks, name):
    """Return a value of the enterprise network, None without one."""
    return networks.get("Corp", {}).get(name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_enterprise(call, board, protocol):
    call(board, protocol, "publicKey")
    for name in ENTERPRISE:
        given = {"ssid": "Corp", "security": name, "channel": 1, "eap": "peap"}
        given |= {"inner_identity": "alice " + name, "password": "correct horse"}
        assert call(board, protocol, "configure", given)["r"] == 0
        found, _ = board.knows(
            lambda networks, code, n=name: corp_of(networks, "identity") == "alice " + n
        )
        corp = found["Corp"]
        assert (corp["eap"], corp["password"]) == (25, "correct horse")
        assert corp["security"] == (5 if name.startswith("wpa2") else 4)
        given = {"ssid": "Corp", "security": name, "channel": 1, "eap": "tls"}
        given |= {"client_certificate": PEM, "private_key": PRIVATE, "ca": PEM}
        given |= {"outer_identity": "out " + name}
        assert call(board, protocol, "configure", given)["r"] == 0
        found, _ = board.knows(
            lambda networks, code, n=name: corp_of(networks, "outer_identity") == "out " + n
        )
        corp = found["Corp"]
        assert corp["eap"] == 13
        # it ends every one of them with CR LF
        assert corp["private_key"] == PRIVATE + "\r\n"
        assert corp["client_cert"] == corp["ca_cert"] == PEM + "\r\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_traps(call, board, protocol):
    """No channel is null, an unknown security is none, and lengths are in UTF-16 units."""
    call(board, protocol, "publicKey")
    given = {"ssid": "Guest", "security": "no such thing"}
    assert call(board, protocol, "configure", given)["r"] == 0
    for near in (HOME, ODD, CAFE):
        given = {"ssid": near["ssid"], "security": "wpa2_aes", "password": near["password"]}
        assert call(board, protocol, "configure", given)["r"] == 0
        board.knows(
            lambda networks, code, n=near: (
                networks.get(n["ssid"], {}).get("password") == n["password"]
            )
        )
    # it does not look at the result
    for given, code in (
        ({"ssid": "x" * 33, "security": "open"}, -3),
        ({"ssid": "Attic", "security": "wpa2_aes", "password": "12345678"}, -2),
        ({"ssid": "Home", "security": "wpa2_aes", "password": "1234567"}, -4),
        ({"ssid": "Home", "security": "wpa2_aes", "password": "x" * 200}, -4),  # two blocks
    ):
        assert call(board, protocol, "configure", given) == {"r": code}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_setup_from_the_first_command_to_the_network(call, tmp_path, protocol):
    new = SetupBoard(tmp_path, AIR)
    try:
        assert new.listeners() == set(new.ports.values())
        call(new, protocol, "deviceInfo")
        call(new, protocol, "publicKey")
        call(new, protocol, "setClaimCode", CODE)
        call(new, protocol, "scan")
        given = {"ssid": "Home", "security": "wpa2_aes", "password": HOME["password"]}
        assert call(new, protocol, "configure", given)["r"] == 0
        # a connection that the device ends in time is a success, before it leaves
        call(new, protocol, "connect")
        assert int(new.says("setup is over").split()[-1]) > 10  # the application went on
        assert "b'Home'" in new.says("ends")
        assert new.listeners() == set(), new.lines()
    finally:
        new.close()


def key_of(board):
    """Return the answer to public-key."""
    with urllib.request.urlopen(f"http://127.0.0.1:{board.http}/public-key", timeout=30) as answer:
        return json.load(answer)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_board_that_has_no_key_yet(call, tmp_path, protocol):
    """That of a board over UDP: it makes one while it listens."""
    new = SetupBoard(tmp_path, AIR, key=None)
    try:
        # it crashes over an answer without a key
        assert eventually(lambda: key_of(new)["r"] == 0)
        call(new, protocol, "publicKey")
        given = {"ssid": "Home", "security": "wpa2_aes", "password": "correct horse"}
        assert call(new, protocol, "configure", given)["r"] == 0
        found, _ = new.knows(lambda networks, code: "Home" in networks)
        assert found["Home"]["password"] == "correct horse"
    finally:
        new.close()
