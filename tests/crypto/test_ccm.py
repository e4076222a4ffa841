"""AES-128-CCM-8 with 12-byte nonces: SP 800-38C, the records of a session, what must not open.

The packets of RFC 3610 have nonces of 13 bytes, which records never have.
"""

import micropython

from particle.crypto.ccm import Ccm, plenty
from support import rng, vectors

DTLS = vectors("coap-messages.json")["dtls"]
# SP 800-38C, example 3
KEY = bytes(range(0x40, 0x50))
NONCE = bytes(range(0x10, 0x1C))
AAD = bytes(range(0x14))
PLAIN = bytes(range(0x20, 0x38))
SEALED = bytes.fromhex("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951")
FORMS = (False, True)


def seal(ccm, nonce, aad, plain, at=3):
    """The sealed bytes; nothing around them may change."""
    buf = bytearray(b"\x5a" * at + plain + bytes(8) + b"\xa5" * 3)
    n = len(plain)
    ccm.seal(bytearray(nonce), bytearray(aad + b"more"), len(aad), buf, at, n)
    assert buf[:at] == b"\x5a" * at and buf[at + n + 8 :] == b"\xa5" * 3
    return bytes(buf[at : at + n + 8])


def opened(ccm, nonce, aad, sealed, at=3):
    """The plaintext, or None if the record was refused and wiped."""
    buf = bytearray(b"\x5a" * at + sealed + b"\xa5" * 3)
    n = len(sealed) - 8
    good = ccm.open(bytearray(nonce), bytearray(aad + b"more"), len(aad), buf, at, n)
    assert buf[:at] == b"\x5a" * at and buf[at + n :] == sealed[n:] + b"\xa5" * 3
    if good is not True:
        assert good is False and buf[at : at + n] == bytes(n)
        return None
    return bytes(buf[at : at + n])


def flipped(data, bit):
    i = bit >> 3
    return data[:i] + bytes((data[i] ^ 1 << (bit & 7),)) + data[i + 1 :]


def test_sp_800_38c():
    for fast in FORMS:
        ccm = Ccm(KEY, fast)
        for at in (0, 1, 16, 29):
            assert seal(ccm, NONCE, AAD, PLAIN, at) == SEALED
            assert opened(ccm, NONCE, AAD, SEALED, at) == PLAIN


def test_records_of_a_session():
    for case in DTLS["records"]:
        side = "client" if case["direction"] == "device->cloud" else "server"
        key = bytes.fromhex(DTLS[side + "_write_key"])
        nonce = bytes.fromhex(case["nonce"])
        assert nonce[:4].hex() == DTLS[side + "_write_iv"]
        aad = bytes.fromhex(case["aad"])
        plain = bytes.fromhex(case["inner_plaintext"])
        sealed = bytes.fromhex(case["ciphertext"] + case["tag"])
        assert sealed.hex() in case["record"] and nonce[4:].hex() + sealed.hex() in case["record"]
        for fast in FORMS:
            ccm = Ccm(key, fast)
            assert seal(ccm, nonce, aad, plain) == sealed
            assert opened(ccm, nonce, aad, sealed) == plain


def test_both_forms_agree_at_every_length():
    take = rng(7)
    key = take(16)
    slow, fast = Ccm(key, False), Ccm(key, True)
    for n in range(301):
        nonce, aad, plain = take(12), take(1 + n % 50), take(n)
        sealed = seal(slow, nonce, aad, plain)
        assert len(sealed) == n + 8
        assert seal(fast, nonce, aad, plain) == sealed
        assert opened(fast, nonce, aad, sealed) == opened(slow, nonce, aad, sealed) == plain


def test_long_records():
    take = rng(9)
    key = take(16)
    slow, fast = Ccm(key, False), Ccm(key, True)
    # block 256 is where the counter takes its second byte
    for n, k in ((1152, 23), (4079, 13), (4080, 13), (4097, 300), (1, 1200)):
        nonce, aad, plain = take(12), take(k), take(n)
        sealed = seal(slow, nonce, aad, plain)
        assert seal(fast, nonce, aad, plain) == sealed
        assert opened(fast, nonce, aad, sealed) == opened(slow, nonce, aad, sealed) == plain


def test_every_changed_bit_is_noticed():
    for fast in FORMS:
        ccm = Ccm(KEY, fast)
        for bit in range(8 * len(SEALED)):  # the last 64 are those of the tag
            assert opened(ccm, NONCE, AAD, flipped(SEALED, bit)) is None
        for bit in range(8 * len(NONCE)):
            assert opened(ccm, flipped(NONCE, bit), AAD, SEALED) is None
        for bit in range(8 * len(AAD)):
            assert opened(ccm, NONCE, flipped(AAD, bit), SEALED) is None
        assert opened(ccm, NONCE, AAD, SEALED) == PLAIN


def test_other_lengths_are_noticed():
    for fast in FORMS:
        ccm = Ccm(KEY, fast)
        for n in range(8, len(SEALED)):
            assert opened(ccm, NONCE, AAD, SEALED[:n]) is None
            assert opened(ccm, NONCE, AAD, SEALED[-n:]) is None
        assert opened(ccm, NONCE, AAD, SEALED + b"\x00") is None
        assert opened(ccm, NONCE, AAD, b"\x00" + SEALED) is None
        for k in range(1, len(AAD)):
            assert opened(ccm, NONCE, AAD[:k], SEALED) is None
        for more in (b"\x00", bytes(10), bytes(12), b"\x80"):
            assert opened(ccm, NONCE, AAD + more, SEALED) is None
            assert opened(ccm, NONCE, more + AAD, SEALED) is None


def test_a_tag_that_is_made_up():
    for fast in FORMS:
        ccm = Ccm(KEY, fast)
        for tag in (bytes(8), b"\xff" * 8, SEALED[:8], SEALED[-8:-4] * 2):
            assert opened(ccm, NONCE, AAD, SEALED[:-8] + tag) is None
            assert opened(ccm, NONCE, AAD, tag) is None


def test_an_empty_record_has_a_tag():
    for fast in FORMS:
        ccm = Ccm(KEY, fast)
        tag = seal(ccm, NONCE, AAD, b"")
        assert len(tag) == 8 and opened(ccm, NONCE, AAD, tag) == b""
        for bit in range(64):
            assert opened(ccm, NONCE, AAD, flipped(tag, bit)) is None


def test_another_key_opens_nothing():
    for fast in FORMS:
        for bit in (0, 64, 127):
            assert opened(Ccm(flipped(KEY, bit), fast), NONCE, AAD, SEALED) is None


def test_a_refused_record_does_not_disturb_the_next():
    for fast in FORMS:
        ccm = Ccm(KEY, fast)
        for _ in range(3):
            assert opened(ccm, NONCE, AAD, flipped(SEALED, 3)) is None
            assert seal(ccm, NONCE, AAD, PLAIN) == SEALED
            assert opened(ccm, NONCE, AAD, SEALED) == PLAIN


def test_the_free_heap_decides():
    ccm = Ccm(KEY, plenty())
    assert seal(ccm, NONCE, AAD, PLAIN) == SEALED
    assert opened(ccm, NONCE, AAD, SEALED) == PLAIN


def test_a_record_allocates_nothing():
    take = rng(8)
    ccm = Ccm(take(16), False)
    nonce, aad, buf = bytearray(take(12)), bytearray(take(40)), bytearray(take(400))
    micropython.heap_lock()
    micropython.heap_unlock()
    for n in (0, 1, 15, 16, 17, 200, 330):
        good = bad = None
        micropython.heap_lock()
        try:
            ccm.seal(nonce, aad, 23, buf, 21, n)
            good = ccm.open(nonce, aad, 23, buf, 21, n)
            buf[21 + n] ^= 1
            bad = ccm.open(nonce, aad, 23, buf, 21, n)
        finally:
            micropython.heap_unlock()
        assert good is True and bad is False
