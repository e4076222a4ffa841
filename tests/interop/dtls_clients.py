"""DTLS clients nobody here wrote; what is written to them they send, what they get they print."""

import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from interop.dtls_servers import Mbedtls
from particle_tools import cache

_PRIORITY = (
    "NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD:+COMP-NULL:+CURVE-SECP256R1"
    ":+SIGN-ECDSA-SHA256:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"
)


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


class Client:
    """One client process; `text` is what it printed, application data included."""

    def __init__(self, command: list[str], folder: Path):
        self.text = b""
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            while data := os.read(self._process.stdout.fileno(), 4096):
                self.text += data

    def send(self, message: bytes) -> None:
        """Have one message sent."""
        self._process.stdin.write(message)
        self._process.stdin.flush()

    def wait_text(self, text: bytes, seconds: float = 10) -> bool:
        """Tell whether the client prints `text` in time."""
        end = time.monotonic() + seconds
        while text not in self.text and time.monotonic() < end:
            time.sleep(0.02)
        return text in self.text

    def leave(self) -> None:
        """End its input; the client closes the session."""
        self._process.stdin.close()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()


def gnutls(folder: Path, port: int) -> Client:
    """Start GnuTLS with raw keys on both sides."""
    command = ["gnutls-cli", "--udp", "-p", str(port), "127.0.0.1", "--insecure"]
    command += ["--rawpkkeyfile", "device.pem", "--rawpkfile", "device.pub.pem"]
    return Client([*command, "--priority", _PRIORITY, "--logfile", "gnutls.log"], folder)


def openssl(folder: Path, port: int, *more: str) -> Client:
    """Start OpenSSL with a certificate of its own."""
    command = ["openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}"]
    command += ["-quiet", "-no_ign_eof", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"]
    return Client([*command, *more], folder)


CERTIFICATE = ("-cert", "device.crt", "-key", "device.pem")


def mbedtls(program: Path, folder: Path, port: int, *more: str) -> Client:
    """Start mbedTLS with connection IDs; it asks for a page."""
    command = [str(program), "dtls=1", "server_addr=127.0.0.1", f"server_port={port}"]
    command += ["crt_file=device.crt", "key_file=device.pem", "ca_file=none", "auth_mode=none"]
    command += ["force_ciphersuite=TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8", "cid=1"]
    return Client([*command, *more], folder)


class MbedtlsClient(Mbedtls):
    """mbedTLS's own test client in two builds: with RFC 9146 and with its draft form."""

    NAME = "debian-trixie-mbedtls-client"
    PROGRAM = "ssl_client2"

    @classmethod
    def fetch(cls) -> None:
        """Build both unless that was done. Raises RuntimeError with one line."""
        cache.install(cls.NAME, cls._fill)
