"""Networks on the command line, in a file, at a prompt; passwords are shown nowhere."""

import json
import sys

import pexpect
import pytest

from particle_tools.cli import main
from particle_tools.errors import UserError
from particle_tools.provisioning import networks
from particle_tools.provisioning.link import Board

SECRET = "Geheim77"
ODD = b"\x00\"\xff'\n,;\\{}\t=\x80\xc3(<>|%s\r\x7f#`&"


def test_on_the_command_line():
    take = networks.from_argument
    assert take(f"home:{SECRET}") == {"ssid": b"home", "password": SECRET.encode()}
    assert take("home:a:b") == {"ssid": b"home", "password": b"a:b"}
    assert take("cafe:") == {"ssid": b"cafe", "password": None}
    # what is no UTF-8 comes from the shell as it is
    assert take("caf\udce9:12345678")["ssid"] == b"caf\xe9"
    for wrong in (f":{SECRET}", f"{'x' * 33}:{SECRET}", f"{'ü' * 17}:{SECRET}", f"a:{SECRET * 9}"):
        with pytest.raises(UserError) as caught:
            take(wrong)
        assert SECRET not in str(caught.value) and "bytes" in str(caught.value)


def test_in_a_file(tmp_path):
    path = tmp_path / "wifi.json"
    (tmp_path / "ca.pem").write_bytes(b"CA")
    path.write_text(
        json.dumps(
            [
                {"ssid": "home", "password": SECRET, "security": "wpa2", "hidden": True},
                {"ssid_hex": ODD.hex(), "channel": 11, "static": ["10.0.0.2"] * 4},
                {"ssid": "corp", "eap": "peap", "identity": "me", "password": SECRET}
                | {"ca_cert": "ca.pem"},
            ]
        )
    )
    home, odd, corp = networks.from_file(path)
    assert home == {"ssid": b"home", "password": SECRET.encode(), "security": 3, "hidden": True}
    assert odd == {"ssid": ODD, "channel": 11, "static": ["10.0.0.2"] * 4}
    assert (corp["ca_cert"], corp["identity"], corp["eap"]) == (b"CA", b"me", "peap")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no JSON"),
        ("{}", "a list"),
        ("[5]", "a list"),
        (b"\xff\xfe", "no JSON"),
        ([{"password": SECRET}], "texts"),
        ([{"ssid": 5, "password": SECRET}], "texts"),
        ([{"ssid": "", "password": SECRET}], "1 to 32"),
        ([{"ssid_hex": "zz", "password": SECRET}], "texts"),
        ([{"ssid": "a", "password": 12345678}], "texts"),
        ([{"ssid": "a", "pasword": SECRET}], "unknown key pasword"),
        ([{"ssid": "a", "password": SECRET, "security": "wpa9"}], "security"),
        ([{"ssid": "a", "password": SECRET, "channel": "11"}], "channel"),
        ([{"ssid": "a", "password": SECRET, "hidden": "no"}], "hidden is"),
        ([{"ssid": "a", "password": SECRET, "eap": 13}], "eap is"),
        ([{"ssid": "a", "password": SECRET, "eap": ["tls"]}], "eap is"),
        ([{"ssid": "a", "password": SECRET, "static": 5}], "four texts"),
        ([{"ssid": "a", "password": SECRET, "static": [1, 2, 3, 4]}], "four texts"),
        ([{"ssid": "a", "password": SECRET, "static": "1.2.3.4"}], "four texts"),
        ([{"ssid": "a", "password": SECRET, "static": []}], "four texts"),
        ([{"ssid": "a", "password": SECRET, "static": ["10.0.0.2"] * 3}], "four texts"),
        (
            [{"ssid": "a", "password": SECRET, "static": ["\ud800"] * 4}],
            "four texts",
        ),
        ("[" * 100_000, "no JSON"),
        ([{"ssid": "a", "password": SECRET, "ca_cert": "nowhere.pem"}], "No such file"),
        ([{"ssid": f"n{i}"} for i in range(11)], "11 networks"),
    ],
)
def test_bad_files(tmp_path, content, problem):
    path = tmp_path / "wifi.json"
    if isinstance(content, list):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        networks.from_file(path)
    assert problem in str(caught.value) and SECRET not in str(caught.value)
    with pytest.raises(UserError, match="No such file"):
        networks.from_file(tmp_path / "none.json")


def test_a_password_is_asked_for_without_echo(tmp_path):
    argv = ["-m", "particle_tools", "provision", "--port", str(tmp_path / "none")]
    child = pexpect.spawn(sys.executable, [*argv, "--wifi", "home"], timeout=30)
    child.expect("Password of home")
    child.waitnoecho(30)
    child.sendline(SECRET)
    child.expect("--user")  # nobody was named who could own it
    child.expect(pexpect.EOF)
    assert SECRET.encode() not in child.before
    child.close()
    assert child.exitstatus == 1


def test_a_password_that_nobody_can_be_asked_for(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115
    assert main(["provision", "--port", "x", "--user", "a:b", "--wifi", "home"]) == 1
    assert "--wifi-file" in capsys.readouterr().err


def test_on_a_board(blank, provision, tmp_path):
    """Ten odd networks, the first in front; an eleventh takes the place of the last."""
    path = tmp_path / "wifi.json"
    entries = [{"ssid_hex": ODD.hex(), "password": "\0" * 8}]
    entries += [{"ssid": f"n{i}", "password": SECRET, "hidden": bool(i % 2)} for i in range(8)]
    eap = {"eap": "tls", "client_cert": "wifi.json", "private_key": "wifi.json"}
    entries.append({"ssid": "corp"} | eap)
    path.write_text(json.dumps(entries))
    board = blank()
    status, report, err = provision("--port", board.port, "--wifi-file", path)
    assert status == 0, err
    assert len([text for text in report["changed"] if text.startswith("wifi ")]) == 10
    assert provision("--port", board.port, "--wifi-file", path)[1]["changed"] == []
    # a damaged certificate is replaced
    with Board(board.port) as link:
        link.write_file("/flash/pt/wifi.eap0", b"damaged")
    assert provision("--port", board.port, "--wifi-file", path)[1]["changed"] == ["wifi corp"]
    status, report, _ = provision("--port", board.port, "--wifi", f"n3:{SECRET}2")
    assert report["changed"] == ["wifi n3"] and report["notes"] == []
    status, report, _ = provision("--port", board.port, "--wifi", f"new:{SECRET}")
    assert report["changed"] == ["wifi new"] and "corp had to go" in report["notes"][0]
    # the preferred one comes first though the board knows it, changed or not
    for name, password in (("n6", SECRET), ("n4", f"{SECRET}2")):
        _, report, _ = provision("--port", board.port, "--wifi", f"{name}:{password}")
        with Board(board.port) as link:
            known = link.run("look")["networks"]
        assert report["changed"] == [f"wifi {name}"]
        assert bytes.fromhex(known[0][0]) == name.encode() and len(known) == 10
    # the board itself refuses what this side cannot know
    status, report, err = provision("--port", board.port, "--wifi", f"new:{SECRET[:4]}")
    assert status == 1 and "password" in report["error"] and SECRET[:4] not in err
