"""DER of RSA keys: what is accepted, and that nothing sloppy is."""

from particle.crypto import der, rsa
from support import raises, vectors

HANDSHAKE = vectors("coap-messages.json")["tcp_handshake"]
PRIVATE = bytes.fromhex(HANDSHAKE["device_private_key_der"])
SLOT = bytes.fromhex(HANDSHAKE["device_private_key_slot_612"])
PUBLIC = bytes.fromhex(HANDSHAKE["device_public_key_der"])
SERVER = bytes.fromhex(HANDSHAKE["server_public_key_der"])
KEY = der.rsa_private(PRIVATE)
RSA_OID = bytes.fromhex("06092a864886f70d010101")
EC_OID = bytes.fromhex("06072a8648ce3d0201")


def tlv(tag, *parts):
    """A DER element; the parts are its contents."""
    data = b"".join(parts)
    n = len(data)
    size = bytes((n,)) if n < 128 else b"\x81" + bytes((n,)) if n < 256 else None
    return bytes((tag,)) + (size or b"\x82" + n.to_bytes(2, "big")) + data


def integer(n, zeros=0):
    size = 1
    while n >> (8 * size - 1):
        size += 1
    return tlv(2, bytes(zeros) + n.to_bytes(size, "big"))


def pkcs1(*numbers, version=0, tail=b""):
    return tlv(0x30, integer(version), *[integer(n) for n in numbers or KEY], tail)


def pkcs8(inner, version=0, algorithm=RSA_OID + b"\x05\x00", tail=b""):
    return tlv(0x30, integer(version), tlv(0x30, algorithm), tlv(4, inner), tail)


def spki(*numbers, algorithm=RSA_OID + b"\x05\x00", unused=b"\x00", tail=b"", inner=b""):
    key = tlv(0x30, *[integer(n) for n in numbers or KEY[:2]], inner)
    return tlv(0x30, tlv(0x30, algorithm), tlv(3, unused, key), tail)


def test_private_key_of_a_slot():
    assert len(SLOT) == 612
    assert der.rsa_private(SLOT) == KEY
    assert KEY[1] == 65537 and KEY[3] * KEY[4] == KEY[0]


def test_padding_behind_a_key():
    for pad in (b"", b"\x00", b"\xff", bytes(600), b"\xff" * 600, b"\x00\xff", bytes(3) + b"\xff"):
        assert der.rsa_private(PRIVATE + pad) == KEY
        assert der.rsa_public(PUBLIC + pad) == KEY[:2]
    for pad in (b"\x01", b"\x00\x01", b"\x00\x30\x00", b"\xff\xfe\xff", PRIVATE):
        raises(ValueError, der.rsa_private, PRIVATE + pad)
        raises(ValueError, der.rsa_public, PUBLIC + pad)


def test_shortest_and_padded_numbers():
    assert der.rsa_private(pkcs1()) == KEY
    fixed = b"".join(
        [
            tlv(2, n.to_bytes(129 if i in (0, 2) else 65, "big"))
            for i, n in enumerate(KEY)
            if i != 1
        ]
    )
    e = tlv(2, b"\x01\x00\x01")
    device_os = tlv(0x30, integer(0), fixed[:132], e, fixed[132:])
    assert len(device_os) == 611
    assert der.rsa_private(device_os) == KEY


def test_pkcs8_is_refused():
    raises(ValueError, der.rsa_private, pkcs8(pkcs1()))


def test_public_keys():
    n, e = der.rsa_public(SERVER)
    assert e == 65537 and n.to_bytes(256, "big") == SERVER[33:289]
    assert der.rsa_public(PUBLIC) == KEY[:2]
    assert der.rsa_public(spki()) == KEY[:2]
    assert spki() == PUBLIC


def test_spki():
    assert der.rsa_spki(KEY[0]) == PUBLIC and len(PUBLIC) == 162
    assert PUBLIC[:29].hex() == "30819f300d06092a864886f70d010101050003818d0030818902818100"
    for n in ((1 << 1023) + 1, (1 << 1024) - 1):
        assert der.rsa_public(der.rsa_spki(n)) == (n, 65537)


def test_octets():
    for n, data in ((0, b""), (1, b"\x01"), (255, b"\xff"), (256, b"\x01\x00")):
        assert der.octets(n) == data
    assert der.octets(1 << 4095) == b"\x80" + bytes(511)
    raises(OverflowError, der.octets, 1 << 4096)


def test_keys_cut_everywhere():
    for n in range(len(PRIVATE)):
        raises(ValueError, der.rsa_private, PRIVATE[:n])
    for n in range(len(PUBLIC)):
        raises(ValueError, der.rsa_public, PUBLIC[:n])
    for n in range(len(SERVER)):
        raises(ValueError, der.rsa_public, SERVER[:n])
    whole = pkcs8(PRIVATE)
    for n in range(0, len(whole), 3):
        raises(ValueError, der.rsa_private, whole[:n])


def test_a_damaged_private_key_is_always_noticed():
    for i in range(len(PRIVATE)):
        for change in (0x01, 0x80, PRIVATE[i] or 0xFF):
            data = PRIVATE[:i] + bytes((PRIVATE[i] ^ change,)) + PRIVATE[i + 1 :]
            try:
                key = der.rsa_private(data)
            except ValueError:
                continue
            assert not rsa.pair_test(key), i


def test_a_damaged_public_key_is_refused_or_another_key():
    for i in range(len(PUBLIC)):
        for change in (0x01, 0x80, PUBLIC[i] or 0xFF):
            data = PUBLIC[:i] + bytes((PUBLIC[i] ^ change,)) + PUBLIC[i + 1 :]
            try:
                assert der.rsa_public(data) != KEY[:2], i
            except ValueError:
                pass
            if i < 28:  # everything in front of the modulus is fixed
                raises(ValueError, der.rsa_public, data)


def test_sloppy_lengths():
    body = PUBLIC[3:]
    for head in (
        b"\x30\x80",  # indefinite
        b"\x30\x82\x00\x9f",  # not the shortest
        b"\x30\x83\x00\x00\x9f",
        b"\x30\x84\x00\x00\x00\x9f",
        b"\x30\xff",
        b"\x30\x81\x9e",
        b"\x30\x81\xa0",
        b"\x31\x81\x9f",
        b"\x10\x81\x9f",
    ):
        raises(ValueError, der.rsa_public, head + body)
        raises(ValueError, der.rsa_public, head + body + bytes(2))
    assert der.rsa_public(b"\x30\x81\x9f" + body) == KEY[:2]
    # 81 for a length below 128, 82 for one below 256, inside
    short = tlv(0x30, b"\x30\x81\x0d" + RSA_OID + b"\x05\x00", PUBLIC[18:])
    raises(ValueError, der.rsa_public, short)
    raises(ValueError, der.rsa_private, tlv(0x30, b"\x02\x81\x01\x00", PRIVATE[7:]))
    raises(ValueError, der.rsa_private, tlv(0x30, integer(0), b"\x02\x82\x00\x81", PRIVATE[10:]))
    assert der.rsa_private(tlv(0x30, integer(0), b"\x02\x81\x81", PRIVATE[10:])) == KEY


def test_sloppy_public_keys():
    n, e = KEY[:2]
    modulus = integer(n)
    for data in (
        b"",
        b"\x30",
        b"\x30\x00",
        PRIVATE,
        spki(algorithm=EC_OID + b"\x05\x00"),
        spki(algorithm=RSA_OID),
        spki(algorithm=RSA_OID + b"\x05\x01\x00"),
        spki(algorithm=RSA_OID + b"\x05\x00\x05\x00"),
        spki(unused=b""),
        spki(unused=b"\x01"),
        spki(unused=b"\x00\x00"),
        spki(tail=b"\x05\x00"),
        spki(inner=b"\x05\x00"),
        spki(inner=integer(3)),
        spki(n),
        spki(n, 0),
        spki(n, 1),
        spki(n, 2),
        spki(n, 65536),
        spki(n, 1 << 32 | 1),
        spki(n + 1, e),
        spki(0, e),
        spki((1 << 4200) + 1, e),
        public(tlv(2), integer(e)),
        public(integer(n, 1), integer(e)),  # a zero too many
        public(modulus, integer(e, 1)),
        public(tlv(2, n.to_bytes(128, "big")), integer(e)),  # negative
        public(modulus, tlv(2, b"\x81\x00\x01")),
        public(tlv(3, b"\x00" + n.to_bytes(128, "big")), integer(e)),
    ):
        raises(ValueError, der.rsa_public, data)
    assert der.rsa_public(public(modulus, integer(e))) == (n, e)


def public(*parts):
    return tlv(0x30, tlv(0x30, RSA_OID, b"\x05\x00"), tlv(3, b"\x00", tlv(0x30, *parts)))


def test_sloppy_private_keys():
    numbers = [integer(n) for n in KEY]
    for data in (
        b"",
        b"\x30\x00",
        PUBLIC,
        pkcs1(version=1),
        pkcs1(*KEY[:7]),
        pkcs1(*(KEY + (1,))),
        pkcs1(tail=b"\x00"),
        pkcs1(tail=b"\x05\x00"),
        tlv(0x30, b"".join(numbers)),
        tlv(0x30, tlv(2), b"".join(numbers)),
        tlv(0x30, integer(0), b"".join(numbers[:2]), tlv(2), b"".join(numbers[3:])),
        tlv(0x30, integer(0), b"".join(numbers[:7]), tlv(2, b"\x80")),
        tlv(0x30, integer(0), b"".join(numbers[:7]), tlv(4, b"\x01")),
        tlv(0x31, integer(0), b"".join(numbers)),
        pkcs1(1 << 4200, *KEY[1:]),
    ):
        raises(ValueError, der.rsa_private, data)
