"""AES-128-CBC in place and HMAC, from what a stock board has (cloud-protocol 1.3, 1.4)."""

from cryptolib import aes
from micropython import const

_CBC = const(2)  # mode number of cryptolib, which exports no names


def cbc_encrypt(key, iv, buf, at, n):
    """Encrypt buf[at:at+n] in place; n is a multiple of 16."""
    view = memoryview(buf)[at : at + n]
    aes(key, _CBC, iv).encrypt(view, view)


def cbc_decrypt(key, iv, buf, at, n):
    """Decrypt buf[at:at+n] in place; n is a multiple of 16."""
    view = memoryview(buf)[at : at + n]
    aes(key, _CBC, iv).decrypt(view, view)


def hmac(hash_class, key, data):
    """Give the HMAC of data for a hash with 64-byte blocks, such as hashlib.sha1 (RFC 2104)."""
    if len(key) > 64:
        key = hash_class(key).digest()
    key = int.from_bytes(key + bytes(64 - len(key)), "big")
    for octet in (b"\x36", b"\x5c"):
        h = hash_class((key ^ int.from_bytes(octet * 64, "big")).to_bytes(64, "big"))
        h.update(data)
        data = h.digest()
    return data
