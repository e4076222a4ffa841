"""The complete AES/TCP handshake of the vectors (cloud-protocol 1.3)."""

from particle.crypto import der, rsa
from particle.session.aes_tcp import hmac
from support import drive, vectors

HANDSHAKE = vectors("coap-messages.json")["tcp_handshake"]


def item(name):
    return bytes.fromhex(HANDSHAKE[name])


def fixed(*parts):
    """An rng that gives these bytes, each part in one call of its exact length."""
    parts = list(parts)

    def take(n):
        part = parts.pop(0)
        assert len(part) == n
        return part

    return take


def test_client_message():
    nonce, ident = item("server_nonce"), item("device_id")
    key = der.rsa_private(item("device_private_key_slot_612"))
    plain = nonce + ident + der.rsa_spki(key[0])
    assert plain == item("client_plaintext") and len(plain) == 214
    n, e = der.rsa_public(item("server_public_key_der"))
    padding = item("client_padding_string")
    assert drive(rsa.encrypt(n, e, plain, fixed(padding))) == item("client_message")
    # zero bytes of the source are left out and replaced
    holes = fixed(padding[:3] + bytes(30) + padding[3:9], padding[9:20] + bytes(19), padding[20:])
    assert drive(rsa.encrypt(n, e, plain, holes)) == item("client_message")


def test_server_reads_the_client_message():
    key = der.rsa_private(item("server_private_key_pkcs1_der"))
    assert drive(rsa.decrypt(key, item("client_message"))) == item("client_plaintext")


def test_server_message():
    n, e = der.rsa_public(item("device_public_key_der"))
    secret, padding = item("credentials"), item("server_padding_string")
    assert drive(rsa.encrypt(n, e, secret, fixed(padding))) == item("encrypted_credentials")


def test_device_reads_the_credentials():
    key = der.rsa_private(item("device_private_key_der"))
    sealed = item("server_reply")[:128]
    secret = drive(rsa.decrypt(key, sealed))
    assert secret == item("credentials")
    assert secret[:16] == item("aes_key") and secret[16:32] == item("iv")
    assert secret[32:] == item("salt")
    assert secret[32] | secret[33] << 8 == HANDSHAKE["initial_counter"]
    assert hmac(secret, sealed) == item("hmac_sha1")


def test_device_checks_the_signature():
    n, e = der.rsa_public(item("server_public_key_der"))
    signature = item("server_reply")[128:]
    assert signature == item("signature")
    assert drive(rsa.verify(n, e, signature, item("hmac_sha1"))) is True
