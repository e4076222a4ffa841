"""What the same costs over MQTT and TLS: mosquitto as the broker, OpenSSL on both sides.

The client is the smallest there can be: CONNECT without a password, PUBLISH with QoS 1, short
self-signed P-256 certificates. Bytes of the stream are counted by a relay; the headers are an
estimate in favour of MQTT: 40 bytes for each segment of at most 1460, three for the opening, one
bare acknowledgement at the end, none in between.
"""

import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import dtls_device
import ports
from bench.figures import Figure
from bench.relay import CountingRelay
from particle_tools.local import wait_for

NAME = "mosquitto"
COMMAND = "apt-get install mosquitto"
_HEADERS = 40  # IPv4 + TCP
_SEGMENT = 1460
_OPENING = 3
_SECONDS = 10
_CONF = """
listener {port} 127.0.0.1
allow_anonymous true
certfile {folder}/server/server.crt
keyfile {folder}/server/server.pem
cafile {folder}/client/server.crt
require_certificate {mutual}
user root
"""


def broker() -> str | None:
    """Return the path of mosquitto, None when it is not installed."""
    return shutil.which(NAME, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def measure() -> list[Figure]:
    """Count connect and publish, also with a resumed TLS session; nothing without a broker."""
    program = broker()
    if program is None:
        return []
    note = "MQTT 3.1.1, QoS 1, TLS 1.2, estimate of headers; "
    connect, resume, publish = _with_broker(program, "true")
    one_sided = _with_broker(program, "false")[0]
    return [
        Figure("mqtt_connect_publish_network_bytes", connect, "bytes", note + "both certificates"),
        Figure("mqtt_connect_publish_one_sided", one_sided, "bytes", "the server's key only"),
        Figure("mqtt_resume_publish_network_bytes", resume, "bytes", "with a TLS session ticket"),
        Figure("mqtt_publish_network_bytes", publish, "bytes", "with PUBACK, connected"),
    ]


def _with_broker(program: str, mutual: str) -> tuple[int, int, int]:
    with tempfile.TemporaryDirectory(prefix="particle-bench-") as name:
        folder = Path(name)
        for side in ("client", "server"):  # each with its own certificate
            (folder / side).mkdir()
            dtls_device.make_keys(folder / side)
        port = ports.take()
        (folder / "conf").write_text(_CONF.format(port=port, folder=folder, mutual=mutual))
        child = subprocess.Popen(
            [program, "-c", str(folder / "conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if not wait_for(lambda: _open(port), _SECONDS):
                raise RuntimeError("mosquitto does not listen")
            return _measure(folder, port)
        finally:
            child.terminate()
            child.wait(_SECONDS)


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _measure(folder: Path, port: int) -> tuple[int, int, int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "server" / "server.crt")
    context.load_cert_chain(folder / "client" / "server.crt", folder / "client" / "server.pem")
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # what boards of this size speak
    first = _Client(context, port)
    publish = first.publish(1)
    session = first.tls.session
    first.close()
    again = _Client(context, port, session)
    if not again.tls.session_reused:
        raise RuntimeError("the TLS session was not resumed")
    again.close()
    return _network(first.opening), _network(again.opening), _network(publish, 0)


def _network(runs: list[tuple[str, int]], opening: int = _OPENING) -> int:
    segments = sum(-(-count // _SEGMENT) for _, count in runs)
    return sum(count for _, count in runs) + (segments + opening + 1) * _HEADERS


class _Client:
    """Connects and publishes the event of the other rows: 9 characters, 1 byte of data."""

    def __init__(self, context: ssl.SSLContext, port: int, session: ssl.SSLSession | None = None):
        self.relay = CountingRelay(port)
        raw = socket.create_connection(("127.0.0.1", self.relay.port), _SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(raw, session=session)
        # protocol MQTT, level 4, clean session, keep-alive 60 s, client id of 24 characters
        self._ask(b"\x10\x24\0\x04MQTT\x04\x02\0\x3c\0\x18" + b"e" * 24, b"\x20\x02\0\0")
        self._publish(0)
        self.opening = self.relay.runs()

    def _ask(self, packet: bytes, answer: bytes) -> None:
        self.tls.sendall(packet)
        got = b""
        while len(got) < len(answer):
            more = self.tls.recv(len(answer) - len(got))
            if not more:
                raise RuntimeError("mosquitto closed the connection")
            got += more
        if got != answer:
            raise RuntimeError(f"mosquitto answered {got.hex()}")

    def _publish(self, number: int) -> None:
        mid = bytes((0, number + 1))
        self._ask(b"\x32\x0e\0\x09vdev/tick" + mid + b"1", b"\x40\x02" + mid)

    def publish(self, number: int) -> list[tuple[str, int]]:
        """Publish once more; return what that took."""
        time.sleep(0.2)
        before = len(self.relay.log)
        self._publish(number)
        return [(way, count) for _, way, count in self.relay.log[before:]]

    def close(self) -> None:
        """Hang up."""
        self.tls.close()
        self.relay.close()
