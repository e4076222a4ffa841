"""AES-CCM with 8-byte tags: RFC 3610 and SP 800-38C do not use 12-byte nonces, records do."""

import micropython

from particle.crypto import prf
from particle.crypto.ccm import Ccm
from support import rng, vectors

DTLS = vectors("coap-messages.json")["dtls"]


def block_of_keys():
    seed = bytes.fromhex(DTLS["server_random"] + DTLS["client_random"])
    return prf.prf(bytes.fromhex(DTLS["master_secret"]), b"key expansion", seed, 40)


def test_key_block():
    assert block_of_keys().hex() == DTLS["key_block"]


def test_records():
    for case in DTLS["records"]:
        side = "client" if case["direction"] == "device->cloud" else "server"
        key = bytes.fromhex(DTLS[side + "_write_key"])
        nonce = bytearray(bytes.fromhex(case["nonce"]))
        aad = bytearray(bytes.fromhex(case["aad"]) + b"more")
        plain = bytes.fromhex(case["inner_plaintext"])
        n = len(plain)
        sealed = bytes.fromhex(case["ciphertext"] + case["tag"])
        for fast in (True, False):
            ccm = Ccm(key, fast)
            buf = bytearray(b"abc" + plain + bytes(8) + b"xyz")
            ccm.seal(nonce, aad, len(aad) - 4, buf, 3, n)
            assert buf == b"abc" + sealed + b"xyz"
            assert ccm.open(nonce, aad, len(aad) - 4, buf, 3, n) is True
            assert buf[3 : 3 + n] == plain
            buf[n + 3] ^= 1
            assert ccm.open(nonce, aad, len(aad) - 4, buf, 3, n) is False


def test_both_forms_agree():
    take = rng(7)
    key = take(16)
    slow = Ccm(key, False)
    fast = Ccm(key, True)
    aad = bytearray(take(40))
    for n in range(301):
        nonce = bytearray(take(12))
        plain = take(n)
        one = bytearray(b"\x01" + plain + bytes(9))
        two = bytearray(b"\x01" + plain + bytes(9))
        slow.seal(nonce, aad, n % 41, one, 1, n)
        fast.seal(nonce, aad, n % 41, two, 1, n)
        assert one == two
        assert fast.open(nonce, aad, n % 41, one, 1, n) and slow.open(
            nonce, aad, n % 41, two, 1, n
        )
        assert one == two and one[1 : n + 1] == plain


def test_a_record_allocates_nothing():
    take = rng(8)
    ccm = Ccm(take(16), False)
    nonce = bytearray(take(12))
    aad = bytearray(take(23))
    buf = bytearray(take(200))
    micropython.heap_lock()
    try:
        ccm.seal(nonce, aad, 23, buf, 21, 150)
        ok = ccm.open(nonce, aad, 23, buf, 21, 150)
        buf[30] ^= 1
        bad = ccm.open(nonce, aad, 23, buf, 21, 150)
    finally:
        micropython.heap_unlock()
    assert ok and not bad
