"""DTLS programs nobody here wrote: how one runs, and the builds of mbedTLS's own two."""

import contextlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

from particle_tools import cache, debian
from particle_tools.local import wait_for

#: The one suite and raw public keys on both sides, as GnuTLS has it.
GNUTLS_PRIORITY = (
    "NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD:+COMP-NULL:+CURVE-SECP256R1"
    ":+SIGN-ECDSA-SHA256:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"
)
OPENSSL_CIPHER = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"
MBEDTLS_SUITE = "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8"

_SECONDS = 30


class Program:
    """One process; `text` is what it printed, errors included when `errors` is set."""

    def __init__(self, command: list[str], folder: Path, errors: bool = True):
        self.text = b""
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            while data := os.read(self._process.stdout.fileno(), 4096):
                self.text += data

    def wait_bound(self, port: int) -> None:
        """Wait until it has the UDP port. Raises RuntimeError with what it said instead."""
        name = f":{port:04X}"
        tables = [Path("/proc/net/udp"), Path("/proc/net/udp6")]

        def bound() -> bool:
            return any(name in line for t in tables if t.exists() for line in t.open())

        wait_for(lambda: bound() or self._process.poll() is not None, _SECONDS)
        if not bound():
            raise RuntimeError(f"it does not listen: {self.text.decode(errors='replace')}")

    def say(self, data: bytes) -> None:
        """Write to its standard input."""
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def wait_text(self, text: bytes) -> bool:
        """Tell whether it prints `text` in time."""
        return bool(wait_for(lambda: text in self.text, _SECONDS))

    def leave(self) -> None:
        """End its input: a client closes the session."""
        self._process.stdin.close()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()


class Mbedtls:
    """One of mbedTLS's own programs in two builds: with RFC 9146 and with its draft form.

    name: of the builds in the cache.
    """

    COMMAND = "make fetch"
    FORMS = ("rfc9146", "draft")

    def __init__(self, name: str, program: str):
        self.name = name
        self._program = program

    def find(self, form: str) -> Path | None:
        """Return the program, None when it was not built."""
        program = cache.folder() / self.name / form
        return program if program.exists() else None

    def fetch(self) -> None:
        """Build both unless that was done. Raises RuntimeError with one line."""
        cache.install(self.name, self._fill)

    def _fill(self, work: Path) -> None:
        source = debian.unpack_sources(work, ["mbedtls"])["mbedtls"]
        program = f"ssl/{self._program}"
        header = source / "include/mbedtls/mbedtls_config.h"
        for form in self.FORMS:
            if form == "draft":
                text = header.read_text().replace(
                    "CONNECTION_ID_COMPAT 0", "CONNECTION_ID_COMPAT 1"
                )
                header.write_text(text)
                debian.run(["make", "-C", "library", "clean"], source)
            debian.run(["make", "-j2", "-C", "library", "CFLAGS=-O1", "static"], source)
            # the program does not depend on the header in that makefile
            (source / "programs" / program).unlink(missing_ok=True)
            debian.run(["make", "-j2", "-C", "programs", program, "CFLAGS=-O1"], source)
            shutil.copy(source / "programs" / program, work / form)
        shutil.rmtree(source)


MBEDTLS_SERVER = Mbedtls("debian-trixie-mbedtls-server", "ssl_server2")
MBEDTLS_CLIENT = Mbedtls("debian-trixie-mbedtls-client", "ssl_client2")
