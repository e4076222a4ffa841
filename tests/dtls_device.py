"""Runs the device's DTLS client as a program of its own, with keys made for it."""

import datetime
import json
import shutil
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import device_suite
from particle_tools import interpreter


def make_keys(folder: Path) -> None:
    """Write the key files of device and server in all the forms the peers want."""
    for name in ("device", "server"):
        key = ec.generate_private_key(ec.SECP256R1())
        sec1 = (form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())
        pkcs8 = (form.PrivateFormat.PKCS8, form.NoEncryption())
        public = key.public_key()
        spki = form.PublicFormat.SubjectPublicKeyInfo
        (folder / f"{name}.sec1.der").write_bytes(key.private_bytes(form.Encoding.DER, *sec1))
        (folder / f"{name}.pem").write_bytes(key.private_bytes(form.Encoding.PEM, *pkcs8))
        (folder / f"{name}.pub.pem").write_bytes(public.public_bytes(form.Encoding.PEM, spki))
        (folder / f"{name}.pub.der").write_bytes(public.public_bytes(form.Encoding.DER, spki))
    shutil.copy(folder / "device.sec1.der", folder / "device.ec.der")
    shutil.copy(folder / "server.pub.der", folder / "server.ec.der")
    _certify(folder, key)


def _certify(folder: Path, key: ec.EllipticCurvePrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(certificate.public_bytes(form.Encoding.PEM))


def run(folder: Path, port: int, micropython: bool = False, **options) -> dict:
    """Run it against a port of the loopback and return what it tells (see dtls_client.py)."""
    argv = interpreter.find() if micropython else [sys.executable]
    options = {"folder": str(folder), "port": port, "say": [], "answers": 0} | options
    done = device_suite.start(argv, "tests/dtls_client.py", json.dumps(options), seconds=60)
    last = done.stdout.rstrip().rpartition("\n")[2]
    assert last.startswith("{"), done.stdout
    return json.loads(last)
