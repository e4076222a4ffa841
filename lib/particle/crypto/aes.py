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
    key += bytes(64 - len(key))
    inner = hash_class(bytes([x ^ 0x36 for x in key]))
    inner.update(data)
    outer = hash_class(bytes([x ^ 0x5C for x in key]))
    outer.update(inner.digest())
    return outer.digest()
