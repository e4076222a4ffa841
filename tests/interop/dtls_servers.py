"""DTLS servers nobody here wrote, each on a free loopback port, and our client beside them."""

import contextlib
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from particle_tools import ROOT, cache, debian, interpreter

_CLIENT = Path(__file__).with_name("dtls_client.py")
_PRIORITY = (
    "NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD:+COMP-NULL:+CURVE-SECP256R1"
    ":+SIGN-ECDSA-SHA256:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"
)


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


def free_port() -> int:
    """Return a UDP port of the loopback that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One server process; `text` is what it printed."""

    def __init__(self, command: list[str], folder: Path, port: int):
        self.port = port
        self.text = b""
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_bound()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            while data := os.read(self._process.stdout.fileno(), 4096):
                self.text += data

    def _wait_bound(self) -> None:
        port = f":{self.port:04X}"
        end = time.monotonic() + 10
        while time.monotonic() < end:
            tables = [Path("/proc/net/udp"), Path("/proc/net/udp6")]
            if any(port in line for t in tables if t.exists() for line in t.open()):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the server does not listen: {self.text.decode(errors='replace')}")

    def say(self, line: bytes) -> None:
        """Write a line to the server's standard input."""
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def wait_text(self, text: bytes, seconds: float = 5) -> bool:
        """Tell whether the server prints `text` in time."""
        end = time.monotonic() + seconds
        while text not in self.text and time.monotonic() < end:
            time.sleep(0.02)
        return text in self.text

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        self._process.stdin.close()
        self._process.stdout.close()


def gnutls(folder: Path) -> Server:
    """Start GnuTLS with raw keys on both sides; it sends back every line."""
    port = free_port()
    command = ["gnutls-serv", "--udp", "-p", str(port), "--echo", "--require-client-cert"]
    command += ["--rawpkkeyfile", "server.pem", "--rawpkfile", "server.pub.pem"]
    return Server([*command, "--priority", _PRIORITY], folder, port)


def openssl(folder: Path, *more: str) -> Server:
    """Start OpenSSL with a certificate; it prints what it reads and sends what it is told."""
    port = free_port()
    command = ["openssl", "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{port}", "-listen"]
    command += ["-cert", "server.crt", "-key", "server.pem"]
    command += ["-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"]
    return Server([*command, *more], folder, port)


def mbedtls(program: Path, folder: Path, *more: str) -> Server:
    """Start mbedTLS with a certificate and connection IDs; it answers with a page of HTML."""
    port = free_port()
    command = [str(program), "dtls=1", "server_addr=127.0.0.1", f"server_port={port}"]
    command += ["crt_file=server.crt", "key_file=server.pem", "ca_file=none", "auth_mode=none"]
    command += ["force_ciphersuite=TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8", "cid=1"]
    return Server([*command, "cid_val=a1a2a3a4a5a6a7a8", *more], folder, port)


class Mbedtls:
    """mbedTLS's own test server in two builds: with RFC 9146 and with its draft form."""

    NAME = "debian-trixie-mbedtls-server"
    COMMAND = "make fetch"
    FORMS = ("rfc9146", "draft")

    @classmethod
    def find(cls, name: str) -> Path | None:
        """Return the program, None when it was not built."""
        program = cache.folder() / cls.NAME / name
        return program if program.exists() else None

    @classmethod
    def fetch(cls) -> None:
        """Build both unless that was done. Raises RuntimeError with one line."""
        cache.install(cls.NAME, cls._fill)

    @classmethod
    def _fill(cls, work: Path) -> None:
        source = debian.unpack_sources(work, ["mbedtls"])["mbedtls"]
        header = source / "include/mbedtls/mbedtls_config.h"
        for name in cls.FORMS:
            if name == "draft":
                text = header.read_text().replace(
                    "CONNECTION_ID_COMPAT 0", "CONNECTION_ID_COMPAT 1"
                )
                header.write_text(text)
                debian.run(["make", "-C", "library", "clean"], source)
            debian.run(["make", "-j2", "-C", "library", "CFLAGS=-O1", "static"], source)
            # the program does not depend on the header in that makefile
            (source / "programs/ssl/ssl_server2").unlink(missing_ok=True)
            debian.run(["make", "-j2", "-C", "programs", "ssl/ssl_server2", "CFLAGS=-O1"], source)
            shutil.copy(source / "programs/ssl/ssl_server2", work / name)
        shutil.rmtree(source)


def client(folder: Path, port: int, micropython: bool = False, **options) -> dict:
    """Run our client against a port and return what it tells."""
    environment = dict(os.environ)
    if micropython:
        argv = interpreter.find()
        environment["MICROPYPATH"] = "lib:tests:.frozen"
    else:
        argv = [sys.executable]
        environment["PYTHONPATH"] = os.pathsep.join(["tests/shims/cpython", "lib", "tests"])
    options = {"folder": str(folder), "port": port, "say": [], "answers": 0} | options
    done = subprocess.run(
        [*argv, str(_CLIENT.relative_to(ROOT)), json.dumps(options)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    last = done.stdout.rstrip().rpartition("\n")[2]
    assert last.startswith("{"), done.stdout
    return json.loads(last)
