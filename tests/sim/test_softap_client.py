"""`particle-mp setup softap` sets a simulated board up as a person would."""

import io
import json
import socket
import threading

import pytest

import ports
from particle_tools import cli
from setup_board import DEVICE_ID, SetupBoard

CODE = "rCFTFRbXzIyXjnVxvuOSJiVxqzoCrJrQ1bEOzzL1fSgQhNoTNGAwTgB4TzT9ABC"
HOME = {"ssid": "Home", "password": "pässwörd 😀", "rssi": -50, "channel": 6}
ODD = {"ssid": "\x1b[2J", "security": "open", "rssi": -70}
CORP = {"ssid": "Corp", "security": "wpa2-enterprise", "rssi": -71}
RAW = {"ssid_hex": "ff20", "password": "12345678", "rssi": -72}
ATTIC = {"ssid": "Attic", "password": "in the dark", "hidden": True, "rssi": -60}
AIR = [ODD, HOME, CORP, RAW, ATTIC]


@pytest.fixture
def board(tmp_path):
    """Give a board in setup mode."""
    found = SetupBoard(tmp_path, AIR)
    yield found
    found.close()


@pytest.fixture
def setup(capsys):
    """Give setup(board, *options) -> (status, standard output, standard error) of the verb."""

    def run(board, *options):
        where = ["--address", "127.0.0.1", "--port", str(board.tcp), "--pages", str(board.http)]
        status = cli.main(["setup", "softap", *where, *options])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_from_the_list_to_the_network(board, setup, tmp_path):
    status, out, _ = setup(board, "--list")
    assert (status, out.splitlines()) == (
        0,
        [
            " -50 dBm  wpa2            Home",
            " -70 dBm  open            \\x1b[2J",
            " -71 dBm  wpa2-enterprise Corp",
            " -72 dBm  wpa2            \\xff ",
        ],
    )
    assert board.lines()[0].startswith("setup: join the network Photon-")
    # why not, while the board still listens
    status, _, err = setup(board, "--wifi", "Home:wrong horse")
    assert status == 1 and err.endswith("not joined: Home: wrong password\n")
    status, _, err = setup(board, "--wifi", "Gone:12345678")
    assert status == 1 and "the board does not hear it" in err
    # everything that a file of networks may say
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n")
    (tmp_path / "key.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n")
    corp = {"ssid": "Corp", "private_key": "key.pem", "client_cert": "cert.pem"}
    still = ["10.0.0.7", "255.255.255.0", "10.0.0.1", "10.0.0.1"]
    networks = [
        {"ssid": "Home", "password": HOME["password"], "static": still},
        {"ssid": "Attic", "password": "in the dark", "security": "wpa2", "hidden": True},
        {"ssid_hex": "ff20", "password": "12345678"},
        corp | {"outer_identity": "outside", "ca_cert": "cert.pem"},
    ]
    file = tmp_path / "networks.json"
    file.write_text(json.dumps(networks))
    options = ("--wifi-file", str(file), "--claim-code", CODE, "--json")
    status, _, err = setup(board, *options, "--stay", "--http")
    assert status == 1 and "--port" not in err  # HTTP on the port of the other protocol
    status, out, err = setup(board, *options, "--stay")
    assert status == 0, err
    assert "joined" not in json.loads(out)
    found, code = board.knows(lambda known, code: known["Home"]["password"] == HOME["password"])
    assert code == CODE and len(found) == 4 and found["Home"]["static"] == still
    assert found["Attic"]["hidden"] and found["Corp"]["eap"] == 13
    assert found["Corp"]["private_key"] == (tmp_path / "key.pem").read_text()
    status, out, _ = setup(board, *options)
    report = json.loads(out)
    assert status == 0 and report["device_id"] == DEVICE_ID
    assert report["joined"] == {"ssid": "Home", "ip": "10.0.0.7"}
    assert report["networks"] == ["Home", "Attic", "\\xff ", "Corp"]
    assert "b'Home' 10.0.0.7" in board.says("ends")
    assert board.listeners() == set()


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self):
        """Tell that it is one."""
        return True


def test_somebody_at_a_terminal(board, setup, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("\n1\n2\n"))
    monkeypatch.setattr("getpass.getpass", lambda prompt: HOME["password"])
    status, _, err = setup(board, "--stay")
    assert status == 1 and "1 to 32 bytes" in err
    for name in ("Home", "\\x1b[2J"):
        status, out, _ = setup(board, "--stay")
        assert status == 0 and f"wifi       {name} stored" in out
    found, _ = board.knows(lambda known, code: len(known) == 2)
    assert found["Home"]["password"] == HOME["password"]
    assert found["\x1b[2J"]["security"] == 0


def answering(*answers):
    """Return the port of a server that gives one answer to each connection, then none."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with server:
            for answer in answers:
                with server.accept()[0] as s:
                    s.recv(4096)
                    s.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


WHO = b'\n\n{"id":"3200200018473335313231EF","c":"0"}'


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([b""], "does not say who it is"),
        ([b"HTTP/1.1 200 OK\r\n\r\n"], "does not answer device-id like a board"),
        ([b"[]"], "does not answer device-id like a board"),
        ([b'{"id":' * 10_000], "does not answer device-id like a board"),
        ([b'{"id":5}'], "does not say who it is"),
        ([WHO, b'{"r":-1}'], "does not take the claim code"),
        ([WHO, b'{"r":0}', b'{"r":1}'], "gave no RSA-1024 key"),
        ([WHO, b'{"r":0}', b'{"b":"30","r":0}'], "gave no RSA-1024 key"),
        ([WHO, b'{"r":0}', b'{"b":"xx","r":0}'], "is no key"),
        ([WHO, b'{"r":0}', b'{"b":5}'], "is no key"),
    ],
)
def test_what_is_no_such_board(answers, problem, capsys):
    port = answering(*answers)
    where = ["--address", "127.0.0.1", "--port", str(port)]
    status = cli.main(["setup", "softap", *where, "--wifi", "a:12345678", "--claim-code", CODE])
    err = capsys.readouterr().err
    assert status == 1 and problem in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "scans",
    [
        b'"x"',
        b"5",
        b'["a"]',
        b'[{"ssid":"a"}]',
        b'[{"ssid":"a","rssi":"-50","sec":0}]',
        b'[{"ssid":"a","rssi":-50,"sec":[]}]',
        b'[{"ssid":["a"],"rssi":-50,"sec":0}]',
        b'[{"ssid":"\\ud800","rssi":-50,"sec":0}]',
        b'[{"rssi":-50,"sec":0}]',
    ],
)
def test_lists_that_are_none(scans, capsys):
    for before, option in (((), "--list"), ((WHO,), "--wifi=a:")):
        port = answering(*before, b'{"scans":' + scans + b"}")
        status = cli.main(
            ["setup", "softap", "--address", "127.0.0.1", "--port", str(port), option]
        )
        err = capsys.readouterr().err
        assert status == 1 and "scan-ap: the board's answer is no list" in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("result", "problem"),
    [(b"[]", "refused ([])"), (b'{"a":5}', "refused ({'a': 5})"), (b"7", "refused (7)")]
    + [(b'"x\\ny"', r"refused ('x\ny')"), (b"null", "a Photon knows neither"), (b"2", "store it")],
)
def test_networks_that_are_refused(result, problem, capsys):
    port = answering(WHO, b'{"scans":[{"ssid":"a","rssi":-50,"sec":0}]}', b'{"r":%s}' % result)
    where = ["--address", "127.0.0.1", "--port", str(port)]
    status = cli.main(["setup", "softap", *where, "--wifi", "a:"])
    err = capsys.readouterr().err
    assert status == 1 and problem in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "--wifi SSID"),
        (("--wifi", ":x"), "1 to 32 bytes"),
        (("--wifi", "a"), "no password"),
        (("--wifi", "a:", "--port", "0"), "--port 0"),
        (("--wifi", "a:", "--cloud", "http://127.0.0.1:1"), "--user"),
        (("--wifi", "a:"), "join the network of the board"),
    ],
)
def test_what_cannot_be_meant(options, problem, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115
    where = ["--address", "127.0.0.1", "--port", str(ports.take())]
    assert cli.main(["setup", "softap", *where, *options]) == 1
    err = capsys.readouterr().err
    assert problem in err and len(err.splitlines()) == 1
