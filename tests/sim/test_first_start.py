"""A board's first start registers it; an interrupted one is repeated; mistakes are one line."""

import json
import threading

import pytest
from Crypto.PublicKey import ECC, RSA

from particle_tools.sim import image
from particle_tools.sim.board_dir import BoardDir
from sim.fake_rest import USER, FakeRest

_ID = "0123456789abcdef01234567"


@pytest.fixture
def rest():
    """Give a fake cloud."""
    server = FakeRest()
    yield server
    server.close()


@pytest.fixture
def board(tmp_path):
    """Give a folder that holds no board yet."""
    return BoardDir(tmp_path / "new" / "board")


def _config(board):
    return json.loads(image.read(board.flash, "/pt/config.json"))


def test_everything_is_on_the_flash(bench, rest, board):
    program = "import os, machine; print(sorted(os.listdir('pt')), machine.unique_id().hex())"
    status, lines = bench.run(board, program, "--cloud", rest.url, "--user", USER)
    device_id = json.loads((board.path / "board.json").read_text())["unique_id"]
    files = ["config.json", "device.ec.der", "device.rsa.der", "server.ec.der", "server.rsa.der"]
    assert (status, lines) == (0, [f"{files} {device_id}"])
    assert _config(board) == {
        "v": 1,
        "device_id": device_id,
        "platform_id": 3,
        "transport": "udp",
        "server": "127.0.0.1",
        "port": 5684,
    }
    rsa = image.read(board.flash, "/pt/device.rsa.der")
    key = RSA.import_key(rsa)
    assert key.size_in_bits() == 1024
    assert key.export_key("DER", pkcs=1) == rsa
    ec = image.read(board.flash, "/pt/device.ec.der")
    assert ec[:7] == bytes.fromhex("30770201010420")
    assert RSA.import_key(rest.keys[device_id, "rsa"]) == key.public_key()
    assert ECC.import_key(rest.keys[device_id, "ecc"]) == ECC.import_key(ec).public_key()
    assert image.read(board.flash, "/pt/server.rsa.der") == rest.rsa_key
    assert image.read(board.flash, "/pt/server.ec.der") == rest.ec_key
    assert rest.claimed == [device_id]
    # later starts need neither the cloud nor to be told of it
    rest.close()
    calls = len(rest.calls)
    for arguments in ((), ("--cloud", rest.url, "--user", USER)):
        status, lines = bench.run(board, program, *arguments)
        assert (status, lines) == (0, [f"{files} {device_id}"])
    assert len(rest.calls) == calls


def test_options_of_the_first_start(bench, rest, board):
    rest.ec = True
    arguments = ("--device-id", _ID.upper(), "--server", "device.example:99")
    status, _ = bench.run(
        board, "pass", "--cloud", rest.url + "/", "--user", USER, "--transport", "udp", *arguments
    )
    assert status == 0
    config = _config(board)
    assert (config["device_id"], config["transport"]) == (_ID, "udp")
    assert (config["server"], config["port"]) == ("device.example", 99)
    # the address can be changed later, and the rest stays
    status, _ = bench.run(board, "pass", "--server", "10.0.0.1", "--transport", "tcp")
    assert status == 0
    assert _config(board) == config | {"server": "10.0.0.1", "transport": "tcp"}
    status, lines = bench.run(board, "pass", "--device-id", "f" * 24)
    assert status == 1
    assert _ID in lines[0]


def test_a_cloud_without_ec_key(bench, rest, board):
    rest.ec = False
    rest.info["udp_port"] = None
    arguments = ("--cloud", rest.url, "--user", USER)
    status, lines = bench.run(board, "pass", *arguments, "--transport", "udp")
    assert (status, len(lines)) == (1, 1)
    assert "transport udp" in lines[0]
    program = "import os; print(sorted(os.listdir('pt')))"
    status, lines = bench.run(board, program, *arguments, "--transport", "tcp")
    assert lines == ["['config.json', 'device.ec.der', 'device.rsa.der', 'server.rsa.der']"]
    assert list(rest.keys) == [(_config(board)["device_id"], "rsa")]


def test_interrupted_at_every_call_it_is_repeated(bench, rest, board):
    arguments = ("--cloud", rest.url, "--user", USER)
    reached = threading.Event()
    hold = threading.Event()
    held = [0]

    def before(number):
        if number in held:
            reached.set()
            hold.wait(60)

    rest.before = before
    # token, info, two server keys, two provisionings, claim
    for call in range(1, 8):
        held[0] = call
        rest.calls.clear()
        reached.clear()
        hold.clear()
        sim = bench.start(board, "print('ran')", *arguments)
        assert reached.wait(60), rest.calls
        sim.process.kill()
        assert sim.wait() == -9
        hold.set()
        assert sim.lines == []
        assert not board.flash.exists()
    held[0] = 0
    rest.calls.clear()
    status, lines = bench.run(board, "print('ran')", *arguments)
    assert (status, lines) == (0, ["ran"])
    # every attempt was the same device
    assert len({device_id for device_id, _ in rest.keys}) == 1


def _refused(bench, board, *arguments):
    status, lines = bench.run(board, "print('ran')", *arguments)
    assert status == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("particle-mp sim: ")
    assert not board.flash.exists()
    return lines[0]


def test_a_new_board_needs_a_cloud(bench, board):
    assert "--cloud and --user" in _refused(bench, board)


def test_cloud_that_is_not_there(bench, board):
    line = _refused(bench, board, "--cloud", "http://127.0.0.1:1", "--user", USER)
    assert "not reachable" in line
    line = _refused(bench, board, "--cloud", "127.0.0.1:8080", "--user", USER)
    assert "expected a URL" in line


def test_wrong_password(bench, rest, board):
    line = _refused(bench, board, "--cloud", rest.url, "--user", "ann@example.com:wrong")
    assert "refuses ann@example.com" in line
    assert "wrong" not in line
    assert "NAME:PASSWORD" in _refused(bench, board, "--cloud", rest.url, "--user", "ann")


def test_device_of_someone_else(bench, rest, board):
    rest.foreign.add(_ID)
    line = _refused(bench, board, "--cloud", rest.url, "--user", USER, "--device-id", _ID)
    assert _ID in line
    assert "someone else" in line


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/oauth/token", (500, {"error": "broken"})),
        ("/local/v1/info", (404, b"<html>not found</html>")),
        ("/local/v1/info", (200, b"<html>hello</html>")),
        ("/local/v1/info", (200, {"host": "h"})),
        ("/local/v1/server-key", (200, b"")),
        ("/local/v1/server-key", (500, b"")),
        ("/v1/provisioning", (400, {"ok": False, "error": "bad key"})),
        ("/v1/devices", (500, {"error": "broken"})),
        ("/oauth/token", (200, {"nothing": 1})),
    ],
)
def test_strange_answers_are_one_line(bench, rest, board, path, answer):
    rest.broken[path] = answer
    _refused(bench, board, "--cloud", rest.url, "--user", USER)


def test_bad_device_ids(bench, rest, board):
    for wrong in ("12", "x" * 24, "0" * 23):
        arguments = ("--cloud", rest.url, "--user", USER, "--device-id", wrong)
        assert "24 hex digits" in _refused(bench, board, *arguments)
    assert rest.calls == []


def test_bad_addresses(bench, rest, board):
    for wrong in ("host:", "host:99999", "host:x", ":1"):
        arguments = ("--cloud", rest.url, "--user", USER, "--server", wrong)
        assert "HOST:PORT" in _refused(bench, board, *arguments)
    assert rest.calls == []
