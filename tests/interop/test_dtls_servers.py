"""Our DTLS client with servers nobody here wrote (cloud-protocol 2.9; peers.md D)."""

import concurrent.futures
import shutil

import pytest

from dtls_device import make_keys
from dtls_device import run as client
from interop import dtls_servers
from interop.dtls_programs import MBEDTLS_SERVER

HELLO = b"hello from the device\n"
CID = "a1a2a3a4a5a6a7a8"
OPEN = [["STAGE", "transport", None], ["OPEN", False, None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys")
    make_keys(path)
    return path


@pytest.fixture
def stranger(folder, tmp_path):
    """Give a folder in which another server's key is pinned."""
    make_keys(tmp_path)
    shutil.copy(folder / "device.ec.der", tmp_path)
    return tmp_path


@pytest.fixture
def gnutls(need, start, folder):
    need("GnuTLS", shutil.which("gnutls-serv"), "apt-get install gnutls-bin")
    return start(dtls_servers.gnutls, folder)


@pytest.fixture
def openssl(need, start, folder):
    need("OpenSSL", shutil.which("openssl"), "apt-get install openssl")
    return lambda *more: start(dtls_servers.openssl, folder, *more)


@pytest.fixture
def mbedtls(need, start, folder):
    """Give a function that starts one of the two builds."""

    def begin(form, *more):
        program = MBEDTLS_SERVER.find(form)
        need("mbedTLS server (Debian source)", program, MBEDTLS_SERVER.COMMAND)
        return start(dtls_servers.mbedtls, program, folder, *more)

    return begin


def says(*messages):
    return {"say": [m.hex() for m in messages], "answers": len(messages)}


def text(found):
    return [bytes.fromhex(m) for m in found["got"]]


@pytest.mark.parametrize("micropython", [False, True], ids=["cpython", "micropython"])
def test_gnutls_raw_keys(gnutls, folder, micropython):
    found = client(folder, gnutls.port, micropython, standard={"own": None}, **says(HELLO, b"2\n"))
    assert found["events"] == OPEN
    assert text(found) == [HELLO, b"2\n"]
    assert found["cid"] == found["own"] == ""
    # the device's key was asked for and proven
    assert found["up"][2] > 350
    up, down = sum(found["up"][:3]), sum(found["down"]) - sum(map(len, text(found))) - 2 * 29
    assert 1150 <= up + down <= 1190


def test_gnutls_ignores_connection_ids(gnutls, folder):
    found = client(folder, gnutls.port, standard={"own": ""}, **says(HELLO))
    assert found["events"] == OPEN and text(found) == [HELLO] and found["cid"] == ""


@pytest.mark.parametrize("lost", [{"drop": [2]}, {"ignore": [3]}, {"ignore": [6, 7]}])
def test_gnutls_losses_are_repaired(gnutls, folder, lost):
    found = client(folder, gnutls.port, standard={"own": None}, **says(HELLO), **lost)
    assert found["events"] == OPEN and text(found) == [HELLO]


def test_gnutls_with_another_key(gnutls, stranger):
    found = client(stranger, gnutls.port, standard={"own": None}, **says(HELLO))
    assert found["events"][-1] == ["DOWN", "server key", -130]


@pytest.mark.parametrize(
    "more", [(), ("-verify", "1")], ids=["no client key", "client key asked for"]
)
def test_openssl_x509(openssl, folder, more):
    server = openssl(*more)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        options = {"say": [HELLO.hex()], "answers": 1}
        future = pool.submit(client, folder, server.port, standard={"own": ""}, **options)
        assert server.wait_text(HELLO), server.text
        server.say(b"a line from the server\n")
        found = future.result()
    assert found["events"] == OPEN
    assert text(found) == [b"a line from the server\n"]
    assert found["cid"] == "" and b"ECDHE-ECDSA-AES128-CCM8" in server.text
    assert sum(found["up"][:3]) + sum(found["down"][:3]) < 1300


def test_openssl_with_another_key(openssl, stranger):
    found = client(stranger, openssl().port, standard={"own": None}, **says(HELLO))
    assert found["events"][-1] == ["DOWN", "server key", -130]


@pytest.mark.parametrize("own", ["", "01020304", "0102030405060708"])
@pytest.mark.parametrize("pad", [0, 15])
def test_mbedtls_rfc_9146(mbedtls, folder, own, pad):
    server = mbedtls("rfc9146", "exchanges=3")
    standard = {"own": own, "pad": pad}
    found = client(folder, server.port, standard=standard, **says(HELLO, HELLO, HELLO))
    assert found["events"] == OPEN
    assert found["rfc"] is True and found["cid"] == CID and found["own"] == own
    assert all(m.startswith(b"HTTP/1.0 200 OK") for m in text(found)) and len(text(found)) == 3
    assert HELLO in server.text


@pytest.mark.parametrize("own", ["", "01020304"])
def test_mbedtls_draft_05(mbedtls, folder, own):
    server = mbedtls("draft", "exchanges=2")
    found = client(folder, server.port, standard={"own": own}, **says(HELLO, HELLO))
    assert found["events"] == OPEN
    assert found["rfc"] is False and found["cid"] == CID and found["own"] == own
    assert len(text(found)) == 2


def test_mbedtls_without_connection_ids(mbedtls, folder):
    server = mbedtls("rfc9146")
    found = client(folder, server.port, standard={"own": None}, **says(HELLO))
    assert found["events"] == OPEN and found["cid"] == found["own"] == ""
    assert len(text(found)) == 1


def test_mbedtls_whose_id_is_empty(mbedtls, folder):
    server = mbedtls("rfc9146", "cid_val=")
    found = client(folder, server.port, standard={"own": "0a0b"}, **says(HELLO))
    assert found["events"] == OPEN and found["cid"] == "" and found["own"] == "0a0b"
    assert len(text(found)) == 1


@pytest.mark.parametrize("more", [("mtu=200",), ("auth_mode=optional",)])
def test_mbedtls_fragments_and_asks_for_a_certificate(mbedtls, folder, more):
    server = mbedtls("rfc9146", "exchanges=2", *more)
    found = client(folder, server.port, True, standard={"own": ""}, **says(HELLO))
    assert found["events"] == OPEN and len(text(found)) == 1
    if more == ("mtu=200",):
        assert max(found["down"][:5]) <= 200


def test_mbedtls_says_goodbye(mbedtls, folder):
    server = mbedtls("rfc9146", "exchanges=1")
    found = client(folder, server.port, standard={"own": ""}, say=[HELLO.hex()], answers=2)
    assert found["events"] == [*OPEN, ["DOWN", "cloud", -201]]  # close_notify
    assert len(text(found)) == 1


def test_we_say_goodbye(mbedtls, folder):
    server = mbedtls("rfc9146", "exchanges=2")
    client(folder, server.port, standard={"own": ""}, **says(HELLO))
    assert server.wait_text(b"connection was closed gracefully"), server.text


def test_mbedtls_with_another_key(mbedtls, stranger):
    found = client(stranger, mbedtls("rfc9146").port, standard={"own": ""}, **says(HELLO))
    assert found["events"][-1] == ["DOWN", "server key", -130]
