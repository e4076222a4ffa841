"""Everything that can go wrong before a session exists: closed silently, recorded by stage."""

import dataclasses
import secrets
import socket
import struct

import pytest
from Crypto.PublicKey import RSA

from cloud.device import CON, pack, random_id
from cloud.running import provision


def refused(cloud, device):
    """Wait for the refusal; the peer must have been told nothing but the end."""
    address = device.sock.getsockname()
    refusal = cloud.last_refusal(address)
    assert device.ended()
    return refusal.stage, refusal.reason


def test_connection_cut_at_every_byte_of_the_client_message(cloud, keys, device_id):
    for n in range(256):
        with cloud.device(keys[0], device_id) as device:
            message = device.client_message(device.recv_exactly(40))
            address = device.sock.getsockname()
            if n:
                device.send_raw(message[:n])
        refusal = cloud.last_refusal(address)
        assert refusal.stage == ("transport" if n else "link")
    assert still_works(cloud, keys, device_id)


def test_connection_reset_at_some_bytes(cloud, keys, device_id):
    for n in (0, 1, 128, 255, 256):
        with cloud.device(keys[0], device_id) as device:
            message = device.client_message(device.recv_exactly(40))
            address = device.sock.getsockname()
            device.send_raw(message[:n])
            linger = struct.pack("ii", 1, 0)
            device.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert cloud.last_refusal(address).stage in ("link", "transport", "device key")
    assert still_works(cloud, keys, device_id)


def test_connection_cut_at_every_byte_of_the_hello(cloud, keys, device_id):
    for n in range(34):
        with cloud.device(keys[0], device_id) as device:
            device.exchange_keys()
            address = device.sock.getsockname()
            frame = device.seal(device.hello_message())
            assert len(frame) == 34
            device.send_raw(frame[:n])
        refusal = cloud.last_refusal(address)
        assert refusal.stage == ("transport" if n else "device key")
        assert refusal.device_id == device_id
    assert still_works(cloud, keys, device_id)


def test_wrong_server_key(cloud, keys, device_id):
    other = RSA.generate(2048)  # may take longer than the handshake
    with cloud.device(keys[0], device_id) as device:
        device.server_key = other
        device.send_raw(device.client_message(device.recv_exactly(40)))
        stage, reason = refused(cloud, device)
        assert stage == "server key"
        assert reason == "the client message was not made for this server's key and nonce"


def test_garbage_client_message(cloud, keys):
    for block in (bytes(256), b"\xff" * 256, secrets.token_bytes(256)):
        with cloud.device(keys[0], random_id()) as device:
            device.send_raw(block)
            assert refused(cloud, device)[0] == "server key"


def test_wrong_nonce(cloud, keys, device_id):
    for wrong in (bytes(40), bytes(39), bytes(41)):
        with cloud.device(keys[0], device_id) as device:
            device.recv_exactly(40)
            device.send_raw(device.client_message(wrong))
            assert refused(cloud, device)[0] == "server key"


def test_plaintext_shorter_than_nonce_and_id(cloud, keys):
    with cloud.device(keys[0], random_id()[:22]) as device:
        nonce = device.recv_exactly(40)
        device.send_raw(device.client_message(nonce, b""))
        assert refused(cloud, device)[0] == "server key"


def test_unknown_id(cloud, keys):
    unknown = random_id()
    with cloud.device(keys[0], unknown) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        assert refused(cloud, device)[0] == "id"
    assert cloud.call(cloud.services.devices.get, unknown) is None


def test_other_key_is_refused_and_never_stored(cloud, keys, device_id):
    with cloud.device(keys[1], device_id) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        assert refused(cloud, device)[0] == "device key"
    stored = cloud.call(cloud.services.devices.key, device_id, "rsa")
    assert stored == keys[0].public_key().export_key("DER")
    assert still_works(cloud, keys, device_id)


def test_device_without_an_rsa_key(cloud, api, keys):
    from Crypto.PublicKey import ECC

    device_id = random_id()
    pem = ECC.generate(curve="P-256").public_key().export_key(format="PEM")
    assert api("POST", f"/v1/provisioning/{device_id}", {"publicKey": pem})[0] == 200
    with cloud.device(keys[0], device_id) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        assert refused(cloud, device)[0] == "device key"


def test_52_byte_form(cloud, keys, device_id):
    with cloud.device(keys[0], device_id, short=True).connect() as device:
        device.ping()


FIRST_FRAMES = {
    "zero length": lambda d: b"\x00\x00",
    "odd length": lambda d: b"\x00\x11" + bytes(17),
    "oversized": lambda d: b"\xff\xf0" + bytes(100),
    "garbage": lambda d: b"\x00\x20" + secrets.token_bytes(32),
    "bad padding": lambda d: d.seal(d.hello_message(), bytes(5)),
    "padding longer than a block": lambda d: d.seal(b"", bytes([17]) * 16),
    "not CoAP": lambda d: d.seal(b"GET / HTTP/1.1"),
    "empty plaintext": lambda d: d.seal(b""),
    "not a Hello": lambda d: d.seal(pack(CON, 0, d.next_mid())),
    "short Hello": lambda d: d.seal(
        pack(1, 2, d.next_mid(), options=[(11, b"h")], payload=bytes(7))
    ),
}


@pytest.mark.parametrize("name", FIRST_FRAMES)
def test_bad_first_frame(cloud, keys, device_id, name):
    with cloud.device(keys[0], device_id) as device:
        device.exchange_keys()
        device.send_raw(FIRST_FRAMES[name](device))
        stage, _ = refused(cloud, device)
        assert stage == "transport"
    assert still_works(cloud, keys, device_id)


def test_long_client_message_spoils_the_first_frame(cloud, keys, device_id):
    with cloud.device(keys[0], device_id) as device:
        message = device.client_message(device.recv_exactly(40))
        device.send_raw(message + bytes(2))
        assert refused(cloud, device)[0] == "transport"


def test_too_many_connections_in_the_handshake(cloud, keys, device_id):
    old = cloud.services.settings
    tight = dataclasses.replace(old, limits=dataclasses.replace(old.limits, greeting=2))
    object.__setattr__(cloud.services, "settings", tight)
    try:
        waiting = [cloud.device(keys[0], device_id) for _ in range(2)]
        for device in waiting:
            device.recv_exactly(40)
        with cloud.device(keys[0], device_id) as device:
            stage, reason = refused(cloud, device)
            assert stage == "link" and "too many" in reason
        for device in waiting:
            device.close()
    finally:
        object.__setattr__(cloud.services, "settings", old)


def test_refusals_over_rest(cloud, api, other_api, keys):
    device_id = provision(api, keys[0])
    with cloud.device(keys[1], device_id) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        refused(cloud, device)
    status, body = api("GET", "/local/v1/refusals")
    assert status == 200
    assert [r["at"] for r in body] == sorted((r["at"] for r in body), reverse=True)
    newest = next(r for r in body if r["device_id"] == device_id)
    assert newest["stage"] == "device key"
    assert newest["reason"] == "the device's key is not the registered one"
    assert "provisioning" in newest["remedy"] and newest["transport"] == "tcp"
    assert all(r["device_id"] != device_id for r in other_api("GET", "/local/v1/refusals")[1])
    assert api("GET", "/local/v1/sessions")[0] == 200


def still_works(cloud, keys, device_id):
    """A good device is served as if nothing had happened."""
    with cloud.device(keys[0], device_id).connect() as device:
        device.ping()
    return True
