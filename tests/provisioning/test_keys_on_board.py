"""`particle-mp keys --port`: the keys of a board, through mpremote; private ones stay there."""

import json

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from particle_tools.cli import main
from particle_tools.provisioning.link import Board


@pytest.fixture
def keys(capsys):
    """Give `keys(action, board, *arguments)` -> (status, JSON or None, stderr)."""

    def run(action, board, *arguments):
        words = ["keys", action, "--port", board.port, *map(str, arguments), "--json"]
        status = main(words)
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run


def test_a_board_gets_keys(blank, keys, cloud, tmp_path):
    board = blank()
    assert keys("make", board)[1] == {"changed": ["device.ec.der"]}
    assert keys("make", board)[1] == {"changed": []}
    status, report, _ = keys("check", board)
    assert status == 1 and report["keys"]["server.ec.der"]["problem"] == "it is missing"
    fetched = ["server.ec.der", "server.rsa.der"]
    assert keys("server", board, "--cloud", cloud.url)[1] == {"changed": fetched}
    assert keys("server", board, "--cloud", cloud.url)[1] == {"changed": []}
    status, report, _ = keys("check", board, "--cloud", cloud.url)
    assert (status, report["ok"]) == (0, True)
    assert keys("export", board, "device.ec", tmp_path / "public.pem")[0] == 0
    exported = (tmp_path / "public.pem").read_bytes()
    assert b"PRIVATE" not in exported

    # somebody else's cloud, and a key that was made elsewhere
    other = ec.generate_private_key(ec.SECP256R1())
    spki = form.PublicFormat.SubjectPublicKeyInfo
    path = tmp_path / "other.pem"
    path.write_bytes(other.public_key().public_bytes(form.Encoding.PEM, spki))
    assert keys("import", board, path)[0] == 1
    assert keys("import", board, path, "--force")[1] == {"changed": ["server.ec.der"]}
    status, report, _ = keys("check", board, "--cloud", cloud.url)
    assert status == 1 and cloud.url in report["keys"]["server.ec.der"]["problem"]
    path.write_bytes(
        other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    assert keys("import", board, path, "--force")[1] == {"changed": ["device.ec.der"]}
    assert keys("export", board, "device.ec", path)[0] == 0
    assert form.load_pem_public_key(path.read_bytes()) == other.public_key()

    # halves that do not belong together are found by the board itself
    whole = other.private_bytes(
        form.Encoding.DER, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
    )
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(form.Encoding.X962, form.PublicFormat.UncompressedPoint)
    with Board(board.port) as link:
        link.write_file("/flash/pt/device.ec.der", whole[:-65] + point)
    status, report, _ = keys("check", board)
    assert status == 1 and "halves" in report["keys"]["device.ec.der"]["problem"]
