"""DTLS clients nobody here wrote; what is written to them they send, what they get they print."""

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from interop.dtls_programs import GNUTLS_PRIORITY, MBEDTLS_SUITE, OPENSSL_CIPHER, Program


def make_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """Make device.pem, device.pub.pem and device.crt; return the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "device.pem").write_bytes(pem)
    for command in (
        "pkey -in device.pem -pubout -out device.pub.pem",
        "req -x509 -key device.pem -subj /CN=device -days 3650 -sha256 -out device.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, timeout=30)
    return key


def gnutls(folder: Path, port: int) -> Program:
    """Start GnuTLS with raw keys on both sides."""
    command = ["gnutls-cli", "--udp", "-p", str(port), "127.0.0.1", "--insecure"]
    command += ["--rawpkkeyfile", "device.pem", "--rawpkfile", "device.pub.pem"]
    command += ["--priority", GNUTLS_PRIORITY, "--logfile", "gnutls.log"]
    return Program(command, folder, errors=False)


def openssl(folder: Path, port: int, *more: str) -> Program:
    """Start OpenSSL with a certificate of its own."""
    command = ["openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}"]
    command += ["-quiet", "-no_ign_eof", "-cipher", OPENSSL_CIPHER]
    return Program([*command, *more], folder, errors=False)


CERTIFICATE = ("-cert", "device.crt", "-key", "device.pem")


def mbedtls(program: Path, folder: Path, port: int, *more: str) -> Program:
    """Start mbedTLS with connection IDs; it asks for a page."""
    command = [str(program), "dtls=1", "server_addr=127.0.0.1", f"server_port={port}"]
    command += ["crt_file=device.crt", "key_file=device.pem", "ca_file=none", "auth_mode=none"]
    command += [f"force_ciphersuite={MBEDTLS_SUITE}", "cid=1"]
    return Program([*command, *more], folder, errors=False)
