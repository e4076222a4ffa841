"""DTLS servers nobody here wrote, each on a free loopback port."""

from pathlib import Path

import ports
from interop.dtls_programs import GNUTLS_PRIORITY, MBEDTLS_SUITE, OPENSSL_CIPHER, Program


class Server(Program):
    """A server that has its port."""

    def __init__(self, command: list[str], folder: Path, port: int):
        super().__init__(command, folder)
        self.port = port
        try:
            self.wait_bound(port)
        except RuntimeError:
            self.stop()
            raise


def gnutls(folder: Path) -> Server:
    """Start GnuTLS with raw keys on both sides; it sends back every line."""
    port = ports.take()
    command = ["gnutls-serv", "--udp", "-p", str(port), "--echo", "--require-client-cert"]
    command += ["--rawpkkeyfile", "server.pem", "--rawpkfile", "server.pub.pem"]
    return Server([*command, "--priority", GNUTLS_PRIORITY], folder, port)


def openssl(folder: Path, *more: str) -> Server:
    """Start OpenSSL with a certificate; it prints what it reads and sends what it is told."""
    port = ports.take()
    command = ["openssl", "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{port}", "-listen"]
    command += ["-cert", "server.crt", "-key", "server.pem", "-cipher", OPENSSL_CIPHER]
    return Server([*command, *more], folder, port)


def mbedtls(program: Path, folder: Path, *more: str) -> Server:
    """Start mbedTLS with a certificate and connection IDs; it answers with a page of HTML."""
    port = ports.take()
    command = [str(program), "dtls=1", "server_addr=127.0.0.1", f"server_port={port}"]
    command += ["crt_file=server.crt", "key_file=server.pem", "ca_file=none", "auth_mode=none"]
    command += [f"force_ciphersuite={MBEDTLS_SUITE}", "cid=1", "cid_val=a1a2a3a4a5a6a7a8"]
    return Server([*command, *more], folder, port)
