"""What a connection over TCP calculates: the handshake's RSA, frames, CoAP messages."""

from cryptolib import aes

from particle.crypto import der, rsa
from particle.session.aes_tcp import Tcp, hmac
from particle.wire import messages
from particle.wire.coap import Message, Writer
from tcp_peer import VectorKeys, field, vector_rng

_CBC = 2  # mode of cryptolib
VECTORS = {"coap-messages.json": ("tcp_handshake",)}


def _handshake(keys, rng, nonce, reply):
    channel = Tcp(keys, None, rng)
    channel.start(0)
    for said in (nonce, reply):
        data = bytearray(said)
        channel.receive(data, len(data), 1)
        channel.message()
        while channel.deadline() in (0, 1):
            yield
            channel.tick(1)
        channel.transmit(1)
    channel.event()
    assert channel.event()[0] == "OPEN"


def cases():
    """Yield (key, function); what the function returns is counted too if it is a generator."""
    key = der.rsa_private(field("device_private_key_der"))
    n, e = der.rsa_public(field("server_public_key_der"))
    plain = field("client_plaintext")
    reply = field("server_reply")
    digest = field("hmac_sha1")
    yield "rsa_decrypt", lambda: rsa.decrypt(key, reply[:128])
    yield "rsa_encrypt", lambda: rsa.encrypt(n, e, plain, vector_rng)
    yield "rsa_verify", lambda: rsa.verify(n, e, reply[128:], digest)
    yield "rsa_private_parse", lambda: der.rsa_private(field("device_private_key_der"))
    secret = field("credentials")
    yield "hmac_sha1", lambda: hmac(secret, reply[:128])
    aes_key, iv = field("aes_key"), field("iv")
    buf = bytearray(1024)
    frame = memoryview(buf)[2:66]
    yield "aes_cbc_64", lambda: aes(aes_key, _CBC, iv).encrypt(frame, frame)
    yield "aes_cbc_1024", lambda: aes(aes_key, _CBC, iv).decrypt(buf, buf)
    writer = Writer(bytearray(256))
    message = Message()
    event = messages.event(writer, 1, 7, "kitchen/temperature", b"21.5")
    size = len(event)
    yield "coap_parse", lambda: message.parse(event, 0, size)
    yield "coap_name", message.name
    yield "coap_event", lambda: messages.event(writer, 1, 7, "kitchen/temperature", b"21.5")
    # reading the vectors would be the longest slice
    keys, nonce = VectorKeys(), field("server_nonce")
    padding = vector_rng(253 - len(plain))
    yield "tcp_handshake", lambda: _handshake(keys, lambda n: padding[:n], nonce, reply)
