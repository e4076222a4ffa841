"""DTLS servers nobody here wrote, each on a free loopback port."""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import ports
from particle_tools import cache, debian

_PRIORITY = (
    "NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD:+COMP-NULL:+CURVE-SECP256R1"
    ":+SIGN-ECDSA-SHA256:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"
)


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
    port = ports.take()
    command = ["gnutls-serv", "--udp", "-p", str(port), "--echo", "--require-client-cert"]
    command += ["--rawpkkeyfile", "server.pem", "--rawpkfile", "server.pub.pem"]
    return Server([*command, "--priority", _PRIORITY], folder, port)


def openssl(folder: Path, *more: str) -> Server:
    """Start OpenSSL with a certificate; it prints what it reads and sends what it is told."""
    port = ports.take()
    command = ["openssl", "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{port}", "-listen"]
    command += ["-cert", "server.crt", "-key", "server.pem"]
    command += ["-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"]
    return Server([*command, *more], folder, port)


def mbedtls(program: Path, folder: Path, *more: str) -> Server:
    """Start mbedTLS with a certificate and connection IDs; it answers with a page of HTML."""
    port = ports.take()
    command = [str(program), "dtls=1", "server_addr=127.0.0.1", f"server_port={port}"]
    command += ["crt_file=server.crt", "key_file=server.pem", "ca_file=none", "auth_mode=none"]
    command += ["force_ciphersuite=TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8", "cid=1"]
    return Server([*command, "cid_val=a1a2a3a4a5a6a7a8", *more], folder, port)


class Mbedtls:
    """mbedTLS's own test server in two builds: with RFC 9146 and with its draft form."""

    NAME = "debian-trixie-mbedtls-server"
    COMMAND = "make fetch"
    FORMS = ("rfc9146", "draft")
    PROGRAM = "ssl_server2"

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
        program = f"ssl/{cls.PROGRAM}"
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
            (source / "programs" / program).unlink(missing_ok=True)
            debian.run(["make", "-j2", "-C", "programs", program, "CFLAGS=-O1"], source)
            shutil.copy(source / "programs" / program, work / name)
        shutil.rmtree(source)
