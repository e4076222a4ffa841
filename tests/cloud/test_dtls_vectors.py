"""The DTLS code against published vectors and a real device's recorded session, byte for byte."""

import json
from pathlib import Path

import pytest

from cloud import real_session
from cloud.dtls_client import handshake_message, spki
from particle_tools.cloud.dtls import handshake as dtls_handshake
from particle_tools.cloud.dtls import keys as dtls_keys
from particle_tools.cloud.dtls import messages
from particle_tools.cloud.dtls import records as dtls_records
from particle_tools.cloud.dtls.connection import Connection
from particle_tools.cloud.dtls.fragments import parse_fragments
from particle_tools.cloud.dtls.handshake import Handshake, Identity
from particle_tools.cloud.dtls.messages import ClientHello, Message
from particle_tools.cloud.dtls.records import Direction

_VECTORS = Path(__file__).parents[1] / "vectors" / "coap-messages.json"
DTLS = json.loads(_VECTORS.read_text())["dtls"]
REAL = real_session.facts()


def raw(field):
    return bytes.fromhex(DTLS[field])


def message_of(record):
    """Return the handshake message in a plain record."""
    (fragment,) = parse_fragments(dtls_records.split(record)[0].body)
    assert fragment.whole
    return Message(fragment.kind, fragment.number, fragment.data)


def test_key_schedule():
    block = dtls_keys.key_block(raw("master_secret"), raw("client_random"), raw("server_random"))
    assert block == raw("key_block")
    client, server = dtls_keys.split_key_block(block)
    assert client == (raw("client_write_key"), raw("client_write_iv"))
    assert server == (raw("server_write_key"), raw("server_write_iv"))
    assert (
        dtls_keys.key_block(REAL["master_secret"], REAL["client_random"], REAL["server_random"])
        == REAL["key_block"]
    )


@pytest.mark.parametrize("vector", DTLS["records"], ids=lambda v: v["name"])
def test_record(vector):
    data = bytes.fromhex(vector["record"])
    up = vector["direction"] == "device->cloud"
    if data[0] == dtls_records.MOVED_BY_ID:
        device_id, data = dtls_records.take_device_id(data)
        assert device_id == "e00fce681234567890abcdef"
    (record,) = dtls_records.split(data)
    assert (record.epoch, record.number) == (vector["epoch"], vector["sequence"])
    assert record.moved == (vector["record"][:2] == "fd")
    keys = dtls_keys.split_key_block(raw("key_block"))[0 if up else 1]
    direction = Direction(*keys, record.cid)
    inner = bytes.fromhex(vector["inner_plaintext"])
    if record.cid:
        inner = inner.rstrip(b"\0")[:-1]
    assert direction.open(record) == (23, inner)
    if not record.cid:
        assert direction.seal(23, record.number, inner) == data
    elif not vector["inner_plaintext"].endswith("00"):
        assert direction.seal(23, record.number, inner) == b"\x19" + data[1:]


def test_rfc9146_record():
    """The record of cloud-protocol 9.3, made with code that talked to mbedTLS 3.6.6."""
    data = bytes.fromhex(
        "19fefd0001000000000007a1a2a3a4a5a6a7a80015000100000000000780f1da29e2d88376195b7be5d4"
    )
    (record,) = dtls_records.split(data)
    keys = dtls_keys.split_key_block(raw("key_block"))[0]
    direction = Direction(*keys, record.cid, standard=True)
    assert direction.open(record) == (23, bytes.fromhex("40000102"))
    assert direction.seal(23, 7, bytes.fromhex("40000102")) == data
    assert Direction(*keys, record.cid).open(record) is None


def test_every_record_of_the_real_session():
    """Both directions decrypt to what was recorded; ours are reproduced exactly."""
    connection = Connection(REAL["key_block"], REAL["cid"], b"")
    server = dtls_keys.split_key_block(REAL["key_block"])[1]
    reader = Direction(*server)
    count = {"D>S": 0, "S>D": 0}
    connection.limit = 1 << 20
    for line in real_session.lines()[1:]:
        if line.get("rec", {}).get("epoch") != 1:
            continue
        (record,) = dtls_records.split(bytes.fromhex(line["raw"]))
        if line["dir"] == "D>S":
            received = connection.receive(record)
            assert received is not None and received.newest
            kind, content = received.kind, received.content
            assert connection.receive(record) is None  # a replay
        else:
            kind, content = reader.open(record)
            assert connection.number == record.number
            assert connection.seal(kind, content).hex() == line["raw"]
        expected = line.get("coap") or line.get("inner")
        if expected is not None:
            assert content.hex() == expected
        assert kind == (22 if "hs" in line else 23)
        count[line["dir"]] += 1
    assert count["D>S"] > 90 and count["S>D"] > 90


def test_hello_verify_of_the_real_session():
    hello = message_of(real_session.handshake("ClientHello"))
    offer = ClientHello.parse(hello.body)
    assert offer.random == REAL["client_random"] and offer.cookie == b""
    verify = real_session.handshake("HelloVerifyRequest")
    cookie = message_of(verify).body[3:]
    answer = Message(messages.HELLO_VERIFY, hello.number, messages.hello_verify(cookie))
    assert dtls_records.plain(22, 0, answer.encode()) == verify
    again = ClientHello.parse(message_of(real_session.handshake("ClientHello", 1)).body)
    assert again.cookie == cookie and again.parameters == offer.parameters


@pytest.fixture
def replayed(monkeypatch):
    """Give the handshake of the recorded hello with the recorded randomness."""
    key = real_session.private_key("server")
    exchange = message_of(real_session.handshake("ServerKeyExchange")).body
    monkeypatch.setattr(dtls_handshake.secrets, "token_bytes", lambda n: REAL["server_random"])
    ephemeral = type("E", (), {"point": exchange[4:69], "agree": lambda self, point: b"x"})
    monkeypatch.setattr(dtls_keys, "Ephemeral", ephemeral)
    monkeypatch.setattr(dtls_keys, "master_secret", lambda *a: REAL["master_secret"])
    signature = exchange[73:]
    signed = []
    monkeypatch.setattr(dtls_keys, "sign", lambda k, m: signed.append(m) or signature)
    hello = message_of(real_session.handshake("ClientHello", 1))
    handshake = Handshake(
        Identity(key, spki(key)), hello, ClientHello.parse(hello.body), REAL["cid"]
    )
    assert dtls_keys.verify(spki(key), signature, signed[0])
    return handshake


def test_the_server_flight_of_the_real_session(replayed):
    """Every byte the real device accepted, from the recorded randomness."""
    names = ["ServerHello", "ServerKeyExchange", "CertificateRequest", "ServerHelloDone"]
    for number, (name, message) in enumerate(zip(names, replayed.opening, strict=True), 1):
        record = dtls_records.plain(22, number, message.encode())
        assert record == real_session.handshake(name), name


def test_the_client_flight_of_the_real_session(replayed):
    """The real device's flight is accepted and its Finished answered with the recorded bytes."""
    for name in ("Certificate", "ClientKeyExchange", "CertificateVerify"):
        body = dtls_records.split(real_session.handshake(name))[0].body
        replayed.feed(body, protected=False)
    assert replayed.key_block == REAL["key_block"] and replayed.finished is None
    assert replayed.spki == spki(real_session.private_key("device"))
    connection = Connection(REAL["key_block"], REAL["cid"], b"")
    (record,) = dtls_records.split(real_session.handshake("Finished"))
    replayed.feed(connection.receive(record).content, protected=True)
    assert replayed.finished is not None
    sealed = connection.seal(22, replayed.finished.encode())
    assert sealed == real_session.handshake("Finished", 1)


def test_fragment_encoding_agrees_with_the_client_of_the_tests():
    message = Message(11, 3, b"body")
    assert message.encode() == handshake_message(11, 3, b"body")
