"""Keys in a folder: made, shown, checked, taken over and given in every form; OpenSSL's too."""

import hashlib
import json
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from particle.store.container import Store
from particle.store.keys import RsaKeys
from particle.store.keys_ec import EcKeys
from particle_tools.cli import main

PEM, DER = form.Encoding.PEM, form.Encoding.DER
SPKI = form.PublicFormat.SubjectPublicKeyInfo


@pytest.fixture
def keys(capsys):
    """Give `keys(*arguments)` -> (status, JSON or None, what was on stderr)."""

    def run(*arguments):
        status = main(["keys", *map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run


@pytest.fixture(scope="module")
def server():
    """Give the keys of a cloud by algorithm."""
    return {
        "ec": ec.generate_private_key(ec.SECP256R1()).public_key(),
        "rsa": rsa.generate_private_key(65537, 2048).public_key(),
    }


def private(key, encoding, kind):
    return key.private_bytes(encoding, kind, form.NoEncryption())


def test_made_keys_are_those_of_a_device(keys, server, tmp_path):
    folder = tmp_path / "pt"
    made = ["device.ec.der", "device.rsa.der"]
    assert keys("make", "--dir", folder, "--transport", "both")[1] == {"changed": made}
    before = {name: (folder / name).read_bytes() for name in made}
    assert keys("make", "--dir", folder, "--transport", "both")[1] == {"changed": []}
    assert {name: (folder / name).read_bytes() for name in made} == before
    assert all((folder / name).stat().st_mode & 0o77 == 0 for name in made)
    status, report, _ = keys("check", "--dir", folder)
    assert (status, report["ok"]) == (1, False)
    assert report["keys"]["server.ec.der"]["problem"] == "it is missing"
    for algorithm, key in server.items():
        path = tmp_path / f"{algorithm}.pem"
        path.write_bytes(key.public_bytes(PEM, SPKI))
        assert keys("import", "--dir", folder, path)[1] == {"changed": [f"server.{algorithm}.der"]}
    status, report, _ = keys("check", "--dir", folder)
    assert (status, report["ok"]) == (0, True)
    # what the device itself makes of them
    store = Store(str(folder))
    shown = [report["keys"][name]["public_key"] for name in made]
    ours = [EcKeys(store, bytes(12)).public, RsaKeys(store, bytes(12)).public]
    assert [hashlib.sha256(public).hexdigest() for public in ours] == shown


@pytest.mark.parametrize("kind", ["TraditionalOpenSSL", "PKCS8"])
@pytest.mark.parametrize("encoding", [PEM, DER])
@pytest.mark.parametrize("algorithm", ["ec", "rsa"])
def test_every_form_is_taken_over(keys, tmp_path, kind, encoding, algorithm):
    made = {"ec": lambda: ec.generate_private_key(ec.SECP256R1())}
    made["rsa"] = lambda: rsa.generate_private_key(65537, 1024)
    key = made[algorithm]()
    padding = b"\xff" * 40 if encoding == DER else b""
    source = tmp_path / "key"
    source.write_bytes(private(key, encoding, getattr(form.PrivateFormat, kind)) + padding)
    folder = tmp_path / "pt"
    name = f"device.{algorithm}.der"
    assert keys("import", "--dir", folder, source)[1] == {"changed": [name]}
    stored = private(key, DER, form.PrivateFormat.TraditionalOpenSSL)
    assert (folder / name).read_bytes() == stored
    assert keys("import", "--dir", folder, source)[1] == {"changed": []}
    # and given back
    out = tmp_path / "out.pem"
    assert keys("export", "--dir", folder, name[:-4], out)[0] == 0
    assert out.read_bytes() == key.public_key().public_bytes(PEM, SPKI)
    assert keys("export", "--dir", folder, name[:-4], tmp_path / "x.der", "--private")[0] == 0
    assert (tmp_path / "x.der").read_bytes() == stored


def test_another_key_is_replaced_only_when_told(keys, tmp_path):
    folder, source = tmp_path / "pt", tmp_path / "key.der"
    keys("make", "--dir", folder)
    key = ec.generate_private_key(ec.SECP256R1())
    source.write_bytes(private(key, DER, form.PrivateFormat.PKCS8))
    before = (folder / "device.ec.der").read_bytes()
    status, _, err = keys("import", "--dir", folder, source)
    assert status == 1 and "--force" in err
    assert (folder / "device.ec.der").read_bytes() == before
    assert keys("import", "--dir", folder, source, "--force")[0] == 0
    assert (folder / "device.ec.der").read_bytes() != before


def test_keys_that_are_none(keys, tmp_path):
    source = tmp_path / "key"
    curve = ec.generate_private_key(ec.SECP384R1())
    small = rsa.generate_private_key(65537, 2048)
    good = private(ec.generate_private_key(ec.SECP256R1()), DER, form.PrivateFormat.PKCS8)
    locked = curve.private_bytes(PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"x"))
    legacy = curve.private_bytes(
        PEM, form.PrivateFormat.TraditionalOpenSSL, form.BestAvailableEncryption(b"x")
    )
    for content, problem in (
        (b"", "damaged"),
        (b"\x30\x82\xff\xff", "damaged"),
        (b"-----BEGIN PRIVATE KEY-----\n", "damaged"),
        (good[:-1], "damaged"),
        (private(curve, PEM, form.PrivateFormat.PKCS8), "secp384r1"),
        (private(small, DER, form.PrivateFormat.PKCS8), "2048 bits, 1024"),
        (locked, "encrypted"),
        (legacy, "encrypted"),
        (private(dsa.generate_private_key(1024), PEM, form.PrivateFormat.PKCS8), "damaged"),
    ):
        source.write_bytes(content)
        status, report, err = keys("import", "--dir", tmp_path / "pt", source)
        assert (status, report) == (1, None) and problem in err, (content[:20], err)
        assert len(err.splitlines()) == 1
    assert not (tmp_path / "pt").exists()


def test_files_of_a_store_that_are_damaged(keys, tmp_path):
    keys("make", "--dir", tmp_path)
    whole = (tmp_path / "device.ec.der").read_bytes()
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(DER, SPKI)
    pkcs8 = private(form.load_der_private_key(whole, None), DER, form.PrivateFormat.PKCS8)
    for content, problem in (
        (b"", "damaged"),
        (whole[:-1], "damaged"),
        (whole[:-65] + other[-65:], "damaged"),  # of another private key
        (pkcs8, "keys import"),
        (other, "a public key"),
        (private(rsa.generate_private_key(65537, 1024), DER, form.PrivateFormat.PKCS8), "RSA"),
    ):
        (tmp_path / "device.ec.der").write_bytes(content)
        status, report, _ = keys("check", "--dir", tmp_path)
        assert status == 1 and problem in report["keys"]["device.ec.der"]["problem"], report
        assert keys("show", "--dir", tmp_path)[0] == 0
        status, _, err = keys("export", "--dir", tmp_path, "device.ec", tmp_path / "x.pem")
        assert status == 1 and not (tmp_path / "x.pem").exists()
        status, _, err = keys("make", "--dir", tmp_path)
        assert status == 1 and "remove it" in err
        assert (tmp_path / "device.ec.der").read_bytes() == content


def test_arguments_that_cannot_be_meant(keys, tmp_path):
    keys("make", "--dir", tmp_path)
    for arguments, problem in (
        (("export", "--dir", tmp_path, "device.ec", "x.txt"), ".pem nor .der"),
        (("export", "--dir", tmp_path, "server.ec", "x.pem"), "there is none"),
        (("export", "--dir", tmp_path, "server.ec", "x.pem", "--private"), "--private"),
        (("export", "--port", "p", "device.ec", "x.pem", "--private"), "leaves no board"),
        (("import", "--dir", tmp_path, tmp_path / "none"), "No such file"),
        (("server", "--dir", tmp_path, "--cloud", "http://127.0.0.1:1"), "not reachable"),
        (("show", "--port", tmp_path / "none"), "cannot be opened"),
    ):
        status, report, err = keys(*arguments)
        assert (status, report) == (1, None) and problem in err and len(err.splitlines()) == 1


def test_openssl_reads_what_was_made(keys, tmp_path, need):
    tool = shutil.which("openssl")
    need("OpenSSL", tool, "install openssl, then `make test`")
    keys("make", "--dir", tmp_path, "--transport", "both")
    for algorithm in ("ec", "rsa"):
        path = tmp_path / f"device.{algorithm}.der"
        argv = [tool, "pkey", "-inform", "DER", "-in", str(path), "-noout", "-check"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        assert "is valid" in done.stdout + done.stderr, done
