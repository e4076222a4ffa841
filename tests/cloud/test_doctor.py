"""`particle-mp doctor`: each stage that can fail is named, with what to do."""

import json
import socket
import struct

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from cloud.device import random_id
from cloud.running import OTHER, USER, new_ec_key, provision, provision_ec
from particle_tools.cli import main
from particle_tools.cloud.refusals import TRANSPORT, Refused
from particle_tools.dct import record
from particle_tools.sim import first_start, image
from particle_tools.sim.board_dir import BoardDir

LOGIN = ":".join(USER)


@pytest.fixture(scope="module")
def flash(cloud, tmp_path_factory):
    """The flash of a board that was introduced to the cloud."""
    board = BoardDir(tmp_path_factory.mktemp("board"))
    first_start.make(board, random_id(), "udp", cloud=cloud.url, user=LOGIN, server=None)
    return board.flash.read_bytes()


@pytest.fixture
def board(api, flash, tmp_path):
    """A copy of that board, which is offline: another test may have left it connected."""
    path = tmp_path / "board"
    path.mkdir()
    (path / "flash.img").write_bytes(flash)
    assert api("POST", f"/local/v1/devices/{config(path)['device_id']}/offline")[0] == 200
    return path


@pytest.fixture
def doctor(cloud, capsys):
    """Ask the doctor; return status and the checks by stage, those of one stage together."""

    def ask(*options, url=cloud.url, user=LOGIN):
        argv = ["doctor", "--cloud", url, "--json", *options]
        status = main(argv + (["--user", user] if user else []))
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is (status == 0)
        checks = {}
        for check in report["checks"]:
            seen = checks.setdefault(check["stage"], check)
            if seen is not check:
                seen["text"] += "\n" + check["text"]
                seen["ok"] = False if check["ok"] is False else seen["ok"]
        return status, checks

    return ask


def config(board, **changes):
    """Change the board's configuration; return what it was."""
    path = board / "flash.img"
    values = json.loads(image.read(path, "/pt/config.json"))
    image.write(path, {"/pt/config.json": json.dumps(values | changes).encode()})
    return values


def key_of(board):
    return load_der_private_key(image.read(board / "flash.img", "/pt/device.ec.der"), None)


def failed(checks, stage):
    """Assert that this is the only check that failed; return it."""
    assert [name for name, check in checks.items() if check["ok"] is False] == [stage]
    assert checks[stage]["remedy"]
    return checks[stage]


def test_a_board_that_only_has_to_be_started(cloud, board, doctor):
    status, checks = doctor("--data", str(board))
    assert status == 0
    assert [stage for stage, check in checks.items() if check["ok"]] == [
        *("store", "networks", "board", "cloud", "clock", "port", "server key", "token", "id"),
        "device key",
    ]
    assert checks["session"]["text"].startswith("offline; ")
    with cloud.udp_device(key_of(board), config(board)["device_id"]).connect():
        status, checks = doctor("--data", str(board))
        assert status == 0 and checks["session"]["text"] == "online over udp"


def test_no_cloud(board, doctor):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        status, checks = doctor("--data", str(board), url=url)
    assert status == 1
    found = failed(checks, "cloud")
    assert "not reachable" in found["text"] and "particle-mp cloud" in found["remedy"]
    assert set(checks) == {"store", "networks", "board", "cloud"}


def test_another_port(cloud, board, doctor):
    config(board, port=cloud.tcp_port)
    found = failed(doctor("--data", str(board))[1], "port")
    assert f"--server 127.0.0.1:{cloud.udp_port}" in found["remedy"]


def test_the_transport_of_the_other_port(cloud, board, doctor):
    config(board, transport="tcp")
    found = failed(doctor("--data", str(board))[1], "port")
    assert f"dials TCP port {cloud.udp_port}" in found["text"]
    config(board, port=cloud.tcp_port)
    assert doctor("--data", str(board))[0] == 0


def test_a_name_without_an_address(board, doctor):
    config(board, server="nowhere.invalid")
    assert (
        "nowhere.invalid has no address" in failed(doctor("--data", str(board))[1], "DNS")["text"]
    )


def test_somebody_else_on_the_port(cloud, board, doctor):
    config(board, server="127.0.0.2")  # the cloud listens on another address
    found = failed(doctor("--data", str(board))[1], "port")
    assert "firewall" in found["remedy"]


def test_the_key_of_another_cloud(board, doctor):
    key = new_ec_key().public_key()
    from particle_tools.cloud.keys import spki_der

    image.write(board / "flash.img", {"/pt/server.ec.der": spki_der(key)})
    found = failed(doctor("--data", str(board))[1], "server key")
    assert "alg=ec" in found["remedy"]


def test_an_id_that_nobody_has_registered(cloud, board, doctor):
    device_id = random_id()
    config(board, device_id=device_id)
    assert "POST /v1/provisioning" in failed(doctor("--data", str(board))[1], "id")["remedy"]
    with cloud.udp_device(key_of(board), device_id) as device:
        device.handshake()
        device.send(_hello(device_id))
        assert cloud.last_refusal(device.address).stage == "id"
    checks = doctor("--data", str(board))[1]
    found = failed(checks, "id")
    assert "no device with this id is registered" in found["text"]


def _hello(device_id):
    from cloud.device import CON, pack
    from cloud.udp_device import hello_payload

    return pack(CON, 2, 1, options=[(11, b"h")], payload=hello_payload(device_id))


def test_another_key_of_the_device(cloud, api, board, doctor):
    device_id = config(board)["device_id"]
    provision_ec(api, new_ec_key(), device_id)
    try:
        found = failed(doctor("--data", str(board))[1], "device key")
        assert "another key" in found["text"] and "keys send" in found["remedy"]
        with cloud.udp_device(key_of(board), device_id) as device:
            device.handshake()
            device.send(_hello(device_id))
            assert cloud.last_refusal(device.address).stage == "device key"
        status, checks = doctor("--device", device_id)
        assert status == 1
        assert "not the registered one" in failed(checks, "device key")["text"]
        found = api("GET", f"/local/v1/devices/{device_id}/diagnosis")[1]
        assert found["refusals"][0]["remedy"].startswith("Register the device's public key")
    finally:
        provision_ec(api, key_of(board), device_id)
    # What was refused before a session that worked is of no interest any more.
    with cloud.udp_device(key_of(board), device_id).connect():
        pass
    assert api("POST", f"/local/v1/devices/{device_id}/offline")[0] == 200
    assert doctor("--data", str(board))[0] == 0


def test_a_foreign_device(board, doctor, other_api):
    status, checks = doctor("--data", str(board), user=":".join(OTHER))
    assert status == 1 and failed(checks, "id")
    path = f"/local/v1/devices/{config(board)['device_id']}/diagnosis"
    assert other_api("GET", path)[0] == 403


def test_only_what_may_have_been_the_board_is_a_hint(cloud, board, doctor, monkeypatch):
    device_id = random_id()
    strangers = [("tcp", 10.0, "a"), ("udp", 700.0, "b"), ("udp", 10.0, "c"), ("tcp", 700.0, "d")]

    def refuse():
        refusals = cloud.services.refusals
        clock = refusals._clock
        for transport, age, reason in strangers:
            monkeypatch.setattr(refusals, "_clock", Past(clock, age))
            refusals.record(transport, "10.0.0.9:1", Refused(TRANSPORT, f"stranger {reason}"))
        monkeypatch.setattr(refusals, "_clock", clock)

    cloud.call(refuse)
    hints = ["stranger a", "stranger b", "stranger c", "stranger d"]

    def hinted(*options):
        text = doctor(*options)[1].get("transport", {"text": ""})["text"]
        return [hint for hint in hints if hint in text]

    assert hinted("--data", str(board)) == ["stranger c"]
    assert hinted("--device", config(board)["device_id"]) == ["stranger a", "stranger c"]
    config(board, device_id=device_id)
    assert hinted("--data", str(board)) == ["stranger c"]
    config(board, transport="tcp", port=cloud.tcp_port)
    assert hinted("--data", str(board)) == ["stranger a"]


class Past:
    """A clock that was right some seconds ago."""

    def __init__(self, clock, age):
        self.moment = clock.time() - age

    def time(self):
        return self.moment


def test_tokens(api, board, doctor):
    status, checks = doctor("--data", str(board), user=f"{USER[0]}:wrong")
    assert status == 1 and "User credentials are invalid" in failed(checks, "token")["text"]
    status, checks = doctor("--data", str(board), user=None)
    assert status == 0 and "--user NAME:PASSWORD" in checks["token"]["text"]
    assert doctor("--token", api.token, user=None)[0] == 0
    status, checks = doctor("--token", "0" * 40, user=None)
    assert status == 1 and failed(checks, "token")


def test_by_name_and_without_a_board(api, keys, doctor):
    device_id = provision(api, keys[0])
    name = f"Lamp {device_id}"
    assert api("PUT", f"/v1/devices/{device_id}", {"name": name})[0] == 200
    status, checks = doctor("--device", name.lower())
    assert status == 0 and checks["id"]["text"] == f"{device_id} is {name} of this user"
    assert name in doctor()[1]["id"]["text"]


def test_words_for_people(cloud, board, capsys):
    config(board, port=1)
    assert main(["doctor", "--cloud", cloud.url, "--data", str(board)]) == 1
    out = capsys.readouterr().out
    assert "ok   cloud: " in out and "FAIL port: the board dials UDP port 1, " in out
    assert "     Start the board with --server " in out and "-    token: not checked" in out


def test_files_of_the_store(board, doctor):
    """What is damaged is named, and so is what a newer version wrote; wear is counted."""
    flash = board / "flash.img"
    image.write(flash, {"/pt/wifi": record(2, b"\x01\x01a\x01\x01b"), "/pt/new": b""})
    assert doctor("--data", str(board))[1]["networks"]["text"].startswith("2 of 10")
    for name, content, problem in (
        ("wifi", record(2, b"x")[:-1], "damaged"),
        ("claim", b"", "damaged"),
        ("session", b"PT\x01\x02", "newer version"),
        ("cell", record(4, b"x"), "damaged"),
    ):
        image.write(flash, {f"/pt/{name}": content})
        status, checks = doctor("--data", str(board))
        assert status == 1 and checks["store"]["remedy"]
        assert f"pt/{name} is" in checks["store"]["text"] and problem in checks["store"]["text"]
    (board / "ram").mkdir(exist_ok=True)
    (board / "ram" / "flash").write_bytes(struct.pack("<QQQ", 9, 7, 2))
    assert "7 programs and 2 erases" in doctor("--data", str(board))[1]["wear"]["text"]


def test_questions_that_cannot_be_answered(tmp_path, capsys):
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    assert "holds no board" in capsys.readouterr().err
    (tmp_path / "flash.img").write_bytes(b"x")
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert main(["doctor", "--cloud", "nonsense"]) == 1
    assert main(["doctor", "--device", " "]) == 1
