"""DER of P-256 keys and of ECDSA signatures: what is accepted, and many forms that are not."""

from particle.store import keys_ec
from particle.wire import dtls_handshake
from support import raises

# RFC 6979, A.2.5
D = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
XY = (
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
POINT = bytes.fromhex("04" + XY)
CURVE = "06082a8648ce3d030107"
PRIVATE = "30770201010420" + D + "a00a" + CURVE + "a144034200" + "04" + XY
PUBLIC = "3059301306072a8648ce3d0201" + CURVE + "034200" + "04" + XY
R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
S = 0x77CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


def tlv(tag, *parts):
    """A DER element; the parts are its contents."""
    data = b"".join(parts)
    return bytes((tag, len(data))) + data


def number(n, zeros=0):
    size = 1
    while n >> (8 * size - 1):
        size += 1
    return tlv(2, bytes(zeros) + n.to_bytes(size, "big"))


def test_signature():
    der = dtls_handshake.signature(R, S)
    assert der == tlv(0x30, number(R), number(S))
    assert len(der) == 71 and der[:6].hex() == "3045022100ef"
    assert dtls_handshake.parse_signature(der) == (R, S)


def test_short_and_long_signatures():
    for r in (0, 1, 127, 128, 255, 256, R >> 9, R >> 8, R >> 1, (1 << 255) - 1, (1 << 256) - 1):
        for s in (0, 1, 0x80, S, (1 << 256) - 1):
            der = dtls_handshake.signature(r, s)
            assert der == tlv(0x30, number(r), number(s))
            assert dtls_handshake.parse_signature(der) == (r, s)
    assert len(dtls_handshake.signature(0, 0)) == 8
    assert len(dtls_handshake.signature((1 << 256) - 1, (1 << 256) - 1)) == 72


def test_sloppy_signatures():
    r, s = number(R), number(S)
    good = tlv(0x30, r, s)
    negative = tlv(2, (R >> 1 | 1 << 255).to_bytes(32, "big"))
    for bad in (
        b"",
        b"\x30",
        b"\x30\x00",
        good[:-1],
        good + b"\x00",
        good + good,
        b"\x31" + good[1:],
        b"\x10" + good[1:],
        b"\x30\x80" + r + s + b"\x00\x00",  # indefinite length
        b"\x30\x81" + good[1:],  # length in the long form
        b"\x30\x82\x00" + good[1:],
        b"\x30" + bytes((len(good) - 1,)) + good[2:],
        b"\x30" + bytes((len(good) - 3,)) + good[2:],
        tlv(0x30, r),
        tlv(0x30, s),
        tlv(0x30, r, s, b"\x05\x00"),
        tlv(0x30, r, s, s),
        tlv(0x30, b"\x05\x00", r, s),
        tlv(0x30, number(R, 1), s),  # leading zeros
        tlv(0x30, r, number(S, 1)),
        tlv(0x30, number(R, 3), s),
        tlv(0x30, negative, s),
        tlv(0x30, r, negative),
        tlv(0x30, tlv(2), s),  # no contents
        tlv(0x30, r, tlv(2)),
        tlv(0x30, tlv(2), tlv(2)),
        tlv(0x30, b"\x02\x81\x21" + r[2:], s),
        tlv(0x30, r, b"\x02\x81\x20" + s[2:]),
        tlv(0x30, b"\x03" + r[1:], s),
        tlv(0x30, r, b"\x03" + s[1:]),
        tlv(0x30, b"\x22" + r[1:], s),
        tlv(0x30, tlv(0x30, r), s),
        tlv(0x30, tlv(0x30, r, s)),
        tlv(0x30, number(1 << 256), s),
        tlv(0x30, r, number(1 << 256)),
        tlv(0x30, number(R << 8), number(S >> 8)),
        tlv(0x30, number(R << 200), number(1)),
        tlv(0x30, number(0xFFFFFF << 240), number(1)),
        tlv(3, b"\x00", good),
        R.to_bytes(32, "big") + S.to_bytes(32, "big"),
        b"\x02" + good[1:],
        b"\x30\x06\x02\x01\x01\x02\x02\x01",
        b"\x30\x06\x02\xff\x01\x02\x01\x01",
        b"\x30\x06\x02\x00\x02\x02\x01\x01",
        b"\x00" * 8,
        b"\xff" * 72,
        b"\x00" * 300,
    ):
        raises(ValueError, dtls_handshake.parse_signature, bad)
    for i in range(len(good)):
        raises(ValueError, dtls_handshake.parse_signature, good[:i])


def test_every_changed_octet_of_a_signatures_frame():
    good = dtls_handshake.signature(R, S)
    for i in (0, 1, 2, 3, 4, 37, 38):
        for x in range(256):
            if x != good[i]:
                raises(
                    ValueError,
                    dtls_handshake.parse_signature,
                    good[:i] + bytes((x,)) + good[i + 1 :],
                )


def test_private_key():
    der = bytes.fromhex(PRIVATE)
    assert len(der) == 121
    assert keys_ec.ec_private(der) == (int(D, 16), POINT)


def test_public_key():
    der = bytes.fromhex(PUBLIC)
    assert len(der) == 91
    assert keys_ec.ec_public(der) == POINT
    assert keys_ec.ec_spki(POINT) == der


def test_padding_of_a_slot():
    for pad in (b"", b"\x00", b"\xff", bytes(71), b"\xff" * 101, b"\x00\xff\x00"):
        assert keys_ec.ec_private(bytes.fromhex(PRIVATE) + pad)[1] == POINT
        assert keys_ec.ec_public(bytes.fromhex(PUBLIC) + pad) == POINT
    for pad in (b"\x01", b"\x00\x01", b"\xff" * 50 + b"\xfe", b"\x30\x00"):
        raises(ValueError, keys_ec.ec_private, bytes.fromhex(PRIVATE) + pad)
        raises(ValueError, keys_ec.ec_public, bytes.fromhex(PUBLIC) + pad)


def test_keys_that_are_cut_or_changed():
    for read, text, start in ((keys_ec.ec_private, PRIVATE, 56), (keys_ec.ec_public, PUBLIC, 26)):
        der = bytes.fromhex(text)
        for i in range(len(der)):
            raises(ValueError, read, der[:i])
        raises(ValueError, read, der[1:])
        raises(ValueError, read, bytes(len(der)))
        raises(ValueError, read, b"\xff" * 200)
        for i in range(start + 1):
            for bit in (1, 0x20, 0x80):
                bad = der[:i] + bytes((der[i] ^ bit,)) + der[i + 1 :]
                if read is keys_ec.ec_private and 7 <= i < 39:
                    assert read(bad)[1] == POINT  # the number itself
                else:
                    raises(ValueError, read, bad)


def test_other_forms_of_keys():
    point = "04" + XY
    for text in (
        "30770201010420" + D + "a00a" + CURVE + "a144034201" + point,  # unused bits
        "30770201000420" + D + "a00a" + CURVE + "a144034200" + point,  # version 0
        "306b0201010420" + D + "a144034200" + point,  # no curve
        "30310201010420" + D + "a00a" + CURVE,  # no public key
        "30250201010420" + D,
        "3077020101041f" + D[2:] + "a00a" + CURVE + "a144034200" + point + "00",
        "3081770201010420" + D + "a00a" + CURVE + "a144034200" + point,
        "30800201010420" + D + "a00a" + CURVE + "a144034200" + point + "0000",
        # secp256k1, and a compressed point
        "30740201010420" + D + "a00706052b8104000a" + "a144034200" + point,
        "30570201010420" + D + "a00a" + CURVE + "a124032200" + "03" + XY[:64],
        # PKCS#8
        "308187020100301306072a8648ce3d0201"
        + CURVE
        + "046d306b0201010420"
        + D
        + "a144034200"
        + point,
    ):
        raises(ValueError, keys_ec.ec_private, bytes.fromhex(text))
    for text in (
        "3056301006072a8648ce3d020106052b8104000a034200" + point,  # secp256k1
        "3039301306072a8648ce3d0201" + CURVE + "032200" + "03" + XY[:64],
        "305b301506072a8648ce3d0201" + CURVE + "0500" + "034200" + point,
        "308159301306072a8648ce3d0201" + CURVE + "034200" + point,
        "3059301306072a8648ce3d020d" + CURVE + "034200" + point,
        "3059301306072a8648ce3d0201" + CURVE + "034201" + point,
        "3059301306072a8648ce3d0201" + CURVE + "034200" + "06" + XY,
        "034200" + point,
        point,
        # an RSA key
        "305c300d06092a864886f70d0101010500034b003048024100" + XY + "0203010001",
    ):
        raises(ValueError, keys_ec.ec_public, bytes.fromhex(text))
