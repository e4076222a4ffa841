"""The published vectors against the server: every CoAP message, the TCP handshake byte for byte.

Source of the data: tests/vectors/coap-messages.json (see its `note`).
"""

import functools
import json
import secrets
import socket
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from Crypto.PublicKey import RSA

from cloud.running import USER, Api, Running, provision
from particle_tools.cloud import coap, session
from particle_tools.cloud.hello import Hello
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.tcp import handshake as tcp_handshake
from particle_tools.cloud.tcp import link as tcp_link
from particle_tools.cloud.tcp.frames import Opener, Sealer
from particle_tools.cloud.tcp.handshake import Credentials

_FILE = Path(__file__).parents[1] / "vectors" / "coap-messages.json"
VECTORS = json.loads(_FILE.read_text())
TCP = VECTORS["tcp_handshake"]
TYPES = {"CON": 0, "NON": 1, "ACK": 2, "RST": 3}


def raw(field):
    return bytes.fromhex(TCP[field])


def take(data, n):
    """Padding bytes of the vector, which must be exactly as many as asked for."""
    assert len(data) == n
    return data


@pytest.mark.parametrize("vector", VECTORS["coap"], ids=lambda v: v["name"])
def test_coap_message(vector):
    data, parsed = bytes.fromhex(vector["hex"]), vector["parsed"]
    message = coap.decode(data)
    assert message.type == TYPES[parsed["type"]]
    assert f"{message.code >> 5}.{message.code & 31:02d}" == parsed["code"]
    assert message.mid == parsed["message_id"]
    assert message.token.hex() == parsed["token"]
    assert message.payload.hex() == parsed["payload"]
    assert len(message.options) == len(parsed["options"])
    paths = [n for n, _ in message.options if n == 11]
    assert len(paths) == len(message.path)
    other = [(n, value) for n, value in message.options if n != 11]
    again = coap.encode(
        message.type,
        message.code,
        message.mid,
        message.token,
        path=message.path,
        payload=message.payload,
        extra=other,
    )
    assert again == data


def test_hello_with_and_without_tail():
    by_name = {v["name"]: coap.decode(bytes.fromhex(v["hex"])) for v in VECTORS["coap"]}
    long = Hello.parse(by_name["hello_tcp"].payload)
    assert (long.product_id, long.product_version, long.flags, long.platform_id) == (6, 1, 0x36, 6)
    assert (long.device_id, long.system_version, long.max_message) == (b"", 3302, 800)
    short = Hello.parse(by_name["hello_tcp_legacy"].payload)
    assert (short.product_id, short.platform_id, short.max_message) == (6, 6, None)
    udp = Hello.parse(by_name["hello_udp"].payload)
    assert udp.device_id.hex() == "e00fce681234567890abcdef" and udp.chunk == 512
    assert short.message_limit_tcp() == 600
    assert Hello(0, 0, 0, 0, max_message=1152).message_limit_tcp() == 1104
    assert Hello(0, 0, 0, 0, max_message=960).message_limit_tcp() == 927


def test_handshake_steps():
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    from particle_tools.cloud.keys import ServerKeys

    private = load_der_private_key(raw("server_private_key_pkcs1_der"), None)
    keys = ServerKeys(private, None)
    plain = keys.decrypt(raw("client_message"))
    assert plain == raw("client_plaintext")
    client = tcp_handshake.read_client_message(plain, raw("server_nonce"))
    assert client.device_id == TCP["device_id"]
    spki = raw("device_public_key_der")
    assert tcp_handshake.check_identity(client, True, spki) == spki
    credentials = Credentials(raw("credentials"))
    assert (credentials.key, credentials.iv, credentials.salt) == (
        raw("aes_key"),
        raw("iv"),
        raw("salt"),
    )
    padding = functools.partial(take, raw("server_padding_string"))
    sealed = tcp_handshake.encrypt(spki, credentials.raw, padding)
    assert sealed == raw("encrypted_credentials")
    digest = tcp_handshake.digest(credentials, sealed)
    assert digest == raw("hmac_sha1")
    assert sealed + keys.sign_plain(digest) == raw("server_reply")


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_frames_whole_and_in_pieces(step):
    up = Opener(raw("aes_key"), raw("iv"))
    down = Sealer(raw("aes_key"), raw("iv"))
    stream, expected = b"", []
    for frame in TCP["frames"]:
        if frame["direction"] == "device->cloud":
            stream += bytes.fromhex(frame["frame"])
            expected.append(bytes.fromhex(frame["plaintext"]))
        else:
            assert down.seal(bytes.fromhex(frame["plaintext"])).hex() == frame["frame"]
    got = []
    for i in range(0, len(stream), step):
        got += up.feed(stream[i : i + step])
    assert got == expected and up.partial == 0


@pytest.fixture
def vector_cloud(tmp_path):
    """A cloud that has the vector's RSA key."""
    data = tmp_path / "data"
    data.mkdir()
    key = RSA.import_key(raw("server_private_key_pkcs1_der"))
    (data / "server.rsa.pem").write_bytes(key.export_key("PEM"))
    running = Running(Settings(data=data, user=USER))
    yield running
    running.stop()


def test_handshake_replayed_on_the_port(vector_cloud, monkeypatch):
    cloud = vector_cloud
    assert cloud.server_key == raw("server_public_key_der")
    device_key = RSA.import_key(raw("device_private_key_der"))
    provision(Api(cloud.url).login(), device_key, TCP["device_id"])
    frames = [
        (f["direction"], bytes.fromhex(f["plaintext"]), bytes.fromhex(f["frame"]))
        for f in TCP["frames"]
    ]
    hello = frames[1][1]
    monkeypatch.setattr(tcp_link.secrets, "token_bytes", lambda n: take(raw("server_nonce"), n))
    monkeypatch.setattr(Credentials, "new", lambda: Credentials(raw("credentials")))
    padding = functools.partial(take, raw("server_padding_string"))
    monkeypatch.setattr(
        tcp_handshake, "encrypt", functools.partial(tcp_handshake.encrypt, padding=padding)
    )
    before = int.from_bytes(hello[2:4], "big") - 1
    real = secrets.randbelow
    monkeypatch.setattr(
        session.secrets, "randbelow", lambda n: before if n == 1 << 16 else real(n)
    )
    with socket.create_connection(("127.0.0.1", cloud.tcp_port), timeout=5) as sock:
        assert receive(sock, 40) == raw("server_nonce")
        sock.sendall(raw("client_message"))
        assert receive(sock, 384) == raw("server_reply")
        sock.sendall(frames[0][2])
        assert receive(sock, len(frames[1][2])) == frames[1][2]
        iv = frames[1][2][2:18]
        for direction, plain, frame in frames[2:]:
            if direction != "device->cloud":
                continue
            sock.sendall(frame)
            if plain[0] >> 4 & 3:
                continue  # NON: no answer
            size = int.from_bytes(receive(sock, 2), "big")
            sealed = receive(sock, size)
            answer = AES.new(raw("aes_key"), AES.MODE_CBC, iv).decrypt(sealed)
            iv = sealed[:16]
            assert answer[0] >> 4 & 3 == 2 and answer[2:4] == plain[2:4]
    assert cloud.last_end(TCP["device_id"]) == "the device closed the connection"
    counters = cloud.call(cloud.services.usage.of, TCP["device_id"])
    assert counters.events_up == 1 and counters.to_json()["pings"] == 1
    description = cloud.call(cloud.services.devices.description, TCP["device_id"])
    assert description.functions == ["led", "relay"]


def receive(sock, n):
    """Read exactly n bytes."""
    data = b""
    while len(data) < n:
        got = sock.recv(n - len(data))
        assert got, "the cloud closed the connection"
        data += got
    return data
