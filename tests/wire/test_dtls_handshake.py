"""Handshake messages of DTLS (cloud-protocol 2.1, 2.2, 2.8): a real session, fragments, lies."""

from binascii import hexlify, unhexlify

from particle.crypto.prf import prf
from particle.wire import dtls_handshake
from particle.wire.dtls_handshake import Handshake
from support import raises, rng, session_lines, vectors

V = vectors("coap-messages.json")["dtls"]


def recorded():
    """Return the head of the recorded session and its handshake messages by name."""
    lines = session_lines()
    head = next(lines)
    found = {}
    for line in lines:
        if "hs" in line and line["rec"]["type"] == 22 and not line["rec"]["epoch"]:
            found.setdefault(line["hs"], []).append(unhexlify(line["raw"])[13:])
        elif line.get("hs") == "Finished" and "inner" in line:
            found["Finished"] = [unhexlify(line["inner"])]
    return head, found


HEAD, REAL = recorded()
FLIGHT = [REAL[name][0] for name in ("ServerHello", "ServerKeyExchange", "CertificateRequest")]
FLIGHT += REAL["ServerHelloDone"]
COOKIE = REAL["HelloVerifyRequest"][0][15:]


def shake(full=True, **more):
    h = Handshake(unhexlify(HEAD["client_random"]), full, **more)
    h.hello()
    return h


def after_cookie(**more):
    h = shake(**more)
    h.hello(COOKIE)
    return h


def add(h, data, at=0):
    buf = bytearray(at) + bytearray(data)
    h.add(buf, at, len(data))


def taken(h):
    out = []
    while True:
        m = h.take()
        if m is None:
            return out
        out.append(m)


def fragment(m, first, count):
    return m[:6] + first.to_bytes(3, "big") + count.to_bytes(3, "big") + m[12:][first:][:count]


def test_hello_of_device_os():
    h = Handshake(unhexlify(V["client_random"]), True)
    assert hexlify(h.hello()).decode() == V["client_hello_without_cookie"][26:]
    h = shake()
    assert h.sent == 1
    assert h.hello(COOKIE) == REAL["ClientHello"][1]
    assert h.sent == 2


def test_compact_hello():
    h = Handshake(bytes(range(32)))
    m = h.hello()
    assert len(m) == 108 - 13
    assert m[12:14] == b"\xfe\xfd" and m[14:46] == bytes(range(32))
    assert m[46:48] == b"\x00\x00"  # no session, no cookie
    assert m[48:54] == unhexlify("0002c0ae0100")
    assert m[54:] == unhexlify(
        "0027" + "000d000400020403" + "000a000400020017" + "000b00020100" + "00fe000100"
        "001300020102" + "001400020102"
    )
    again = h.hello(b"0123456789abcdef")
    assert again[46:64] == b"\x00\x100123456789abcdef" and again[64:] == m[48:]
    assert again[5] == 1


def test_the_whole_recorded_handshake():
    h = shake()
    add(h, REAL["HelloVerifyRequest"][0])
    assert h.cookie(h.take()) == COOKIE
    h.hello(COOKIE)
    for m in FLIGHT:
        add(h, m)
    messages = taken(h)
    assert messages == FLIGHT
    assert [h.accept(m) for m in messages] == [False, False, False, True]
    assert hexlify(h.server_random).decode() == HEAD["server_random"]
    assert hexlify(h.cid).decode() == HEAD["cid"]
    assert h.params == FLIGHT[1][12:81]
    assert h.signature == dtls_handshake.parse_signature(FLIGHT[1][85:])
    # our flight, as the device wrote it
    for name, kind in (("Certificate", 11), ("ClientKeyExchange", 16)):
        assert h.message(kind, REAL[name][0][12:]) == REAL[name][0]
    h.transcript()
    assert h.message(15, REAL["CertificateVerify"][0][12:]) == REAL["CertificateVerify"][0]
    master = unhexlify(HEAD["master_secret"])
    verify = prf(master, b"client finished", h.transcript(), 12)
    assert h.message(20, verify) == REAL["Finished"][0]


def test_one_message_after_the_other_in_one_record_and_at_any_place():
    for at in (0, 5):
        h = after_cookie()
        add(h, b"".join(FLIGHT), at)
        assert taken(h) == FLIGHT


def test_any_order():
    for order in ((3, 2, 1, 0), (1, 0, 3, 2), (2, 0, 1, 3), (0, 3, 1, 2)):
        h = after_cookie()
        got = []
        for i in order:
            add(h, FLIGHT[i])
            got += taken(h)
        assert got == FLIGHT


def test_repeats_are_ignored():
    h = after_cookie()
    got = []
    for m in FLIGHT:
        add(h, m + m)
        got += taken(h)
        add(h, b"".join(FLIGHT[:1]))
    assert got == FLIGHT and taken(h) == []


def test_fragments_in_any_order_and_overlapping():
    take = rng(4)
    for size in (1, 2, 7, 20, 60, 143, 144, 200):
        parts = []
        for m in FLIGHT:
            whole = len(m) - 12
            if whole:
                parts += [fragment(m, i, min(size, whole - i)) for i in range(0, whole, size)]
                parts.append(fragment(m, whole // 3, whole // 2))  # over what is there already
            else:
                parts.append(m)
        for turn in range(4):
            if turn == 1:
                parts.reverse()
            elif turn:
                parts.sort(key=lambda p: take(1))
            h = after_cookie()
            got = []
            for p in parts:
                add(h, p)
                got += taken(h)
            assert got == FLIGHT, (size, turn)


def test_a_missing_byte_is_waited_for():
    m = FLIGHT[1]
    h = after_cookie()
    add(h, FLIGHT[0])
    assert len(taken(h)) == 1
    for first, count in ((0, 50), (51, 93)):
        add(h, fragment(m, first, count))
        assert taken(h) == []
    add(h, fragment(m, 50, 1))
    assert taken(h) == [m]


def test_lengths_that_lie():
    good = FLIGHT[0]
    for bad in (
        good[:-1],
        good[:11],
        b"",
        good[:9] + b"\xff\xff\xff" + good[12:],  # more than the record holds
        good[:1] + b"\x00\x00\x49" + good[4:],  # fragment beyond its message
        fragment(good, 70, 5)[:9] + b"\x00\x00\x09" + bytes(9),
        good[:1] + b"\xff\xff\xff" + good[4:],  # 16 MB
        good[:1] + b"\x00\x04\x01" + good[4:],  # one more than may wait
    ):
        h = after_cookie()
        add(h, bad)
        assert taken(h) == [] and sum([len(p[0]) for p in h._parts.values()]) < 1100
        add(h, good)
        assert taken(h) in ([good], [])
    # what follows a lie in the same record is lost, what follows in others is not
    h = after_cookie()
    add(h, FLIGHT[1][:9] + b"\xff\xff\xff")
    add(h, FLIGHT[0])
    assert taken(h) == [good]


def test_memory_is_bounded():
    h = after_cookie()
    for seq in range(1, 30):
        for kind in range(20):
            add(h, bytes((kind, 0, 1, 0, 0, seq)) + bytes(6) + b"")
    held = sum([len(p[0]) for p in h._parts.values()])
    assert held <= 1024 + 12 * 5 and len(h._parts) <= 5
    # and numbers far ahead are not kept at all
    h = after_cookie()
    for seq in (0, 6, 9, 10, 255, 256, 65535):
        add(h, FLIGHT[3][:4] + seq.to_bytes(2, "big") + FLIGHT[3][6:])
    assert not h._parts


def test_a_fragment_of_another_message_does_not_mix():
    h = after_cookie()
    m = FLIGHT[1]
    add(h, fragment(m, 0, 100))
    add(h, b"\x0d" + fragment(m, 100, 44)[1:])  # other type
    add(h, m[:3] + b"\x91" + fragment(m, 100, 44)[4:])  # other length
    add(h, FLIGHT[0])
    assert taken(h) == [FLIGHT[0]]
    # each took the place of what was there
    add(h, fragment(m, 100, 44))
    assert taken(h) == []
    add(h, fragment(m, 0, 100))
    assert taken(h) == [m]


def test_the_latest_numbers_make_room():
    def begun(seq, size):
        return b"\x0b" + size.to_bytes(3, "big") + bytes((0, seq)) + bytes(6)

    h = after_cookie()
    for seq in (5, 4):
        add(h, begun(seq, 500))
    assert sorted(h._parts) == [4, 5]
    add(h, begun(3, 25))
    assert sorted(h._parts) == [3, 4]
    add(h, begun(5, 500))  # the latest is itself
    assert sorted(h._parts) == [3, 4]
    add(h, begun(2, 1024))
    assert sorted(h._parts) == [2]
    add(h, begun(1, 1025))  # never fits
    assert sorted(h._parts) == [2]
    add(h, b"".join(FLIGHT))
    assert taken(h) == FLIGHT


def test_message_numbers_without_a_cookie_begin_at_0():
    h = shake()
    flight = [m[:5] + bytes((m[5] - 1,)) + m[6:] for m in FLIGHT]
    add(h, b"".join(flight))
    assert taken(h) == flight


def refuse(n, m):
    """Feed the flight with message n replaced."""
    h = after_cookie()
    for i in range(n):
        h.accept(FLIGHT[i])
    raises((ValueError, IndexError), h.accept, m)


def message(m, body):
    size = len(body).to_bytes(3, "big")
    return m[:1] + size + m[4:9] + size + body


def extension(body, number, content):
    """Return a ServerHello body with this extension changed, or without it."""
    out = b""
    at = 40
    while at < len(body):
        n = body[at + 2] << 8 | body[at + 3]
        kind = body[at] << 8 | body[at + 1]
        part = body[at : at + 4 + n]
        if kind == number:
            part = (
                body[at : at + 2] + len(content).to_bytes(2, "big") + content if content else b""
            )
        out += part
        at += 4 + n
    return body[:38] + len(out).to_bytes(2, "big") + out


def test_server_hello_refused():
    good = FLIGHT[0]
    body = good[12:]
    assert after_cookie().accept(message(good, body)) is False
    assert extension(body, 999, None) == body
    bad = [body[:i] for i in range(len(body))]
    bad.append(body + b"\x00")
    bad.append(b"\xfe\xff" + body[2:])  # DTLS 1.0
    bad.append(b"\x03\x03" + body[2:])
    bad.append(body[:34] + b"\x21" + bytes(33) + body[35:])  # session ID
    for suite in (b"\xc0\xac", b"\xc0\x2b", b"\x00\xff", b"\x00\x00"):
        bad.append(body[:35] + suite + body[37:])
    bad.append(body[:37] + b"\x01" + body[38:])  # compression
    bad.append(extension(body, 254, None))  # no connection ID
    bad.append(extension(body, 254, b"\x00"))
    bad.append(extension(body, 254, b"\x07" + bytes(7)))
    bad.append(extension(body, 254, b"\x08" + bytes(7)))
    bad.append(extension(body, 254, b"\x08" + bytes(9)))
    bad.append(extension(body, 19, None))  # no raw key from us
    bad.append(extension(body, 19, b"\x00"))
    bad.append(extension(body, 20, b"\x00"))
    for b in bad:
        refuse(0, message(good, b))
    # what does not matter
    for b in (
        body[:34] + b"\x20" + bytes(32) + body[35:],
        extension(body, 20, None),
        extension(body, 0xFF01, None),
        extension(body, 11, None),
    ):
        assert after_cookie().accept(message(good, b)) is False


def test_key_exchange_refused():
    good = FLIGHT[1]
    body = good[12:]
    bad = [body[:i] for i in range(len(body))]
    bad.append(body + b"\x00")
    bad.append(b"\x03\x00\x18" + body[3:])  # secp384r1
    bad.append(b"\x03\x00\x1d\x20" + body[4:36] + body[69:])  # x25519
    bad.append(b"\x01" + body[1:])  # explicit curve
    bad.append(body[:69] + b"\x05\x03" + body[71:])  # SHA-384
    bad.append(body[:69] + b"\x04\x01" + body[71:])  # RSA
    bad.append(body[:73] + b"\x31" + body[74:])  # DER
    bad.append(body[:74] + bytes((body[74] - 1,)) + body[75:])
    for b in bad:
        refuse(1, message(good, b))


def test_certificate_request_refused():
    good = FLIGHT[2]
    for b in (b"", b"\x00", b"\x01\x01\x00\x02\x04\x03\x00\x00", b"\x02\x01\x02"):
        refuse(2, message(good, b))
    body = good[12:]
    for b in [body[:i] for i in range(len(body))] + [body + b"\x00", body[:-1] + b"\x01"]:
        refuse(2, message(good, b))
    h = after_cookie()
    h.accept(FLIGHT[0])
    h.accept(FLIGHT[1])
    assert h.accept(message(good, b"\x02\x01\x40\x00\x00\x00\x00")) is False


def test_done_has_no_body():
    for b in (b"\x00", b"body"):
        refuse(3, message(FLIGHT[3], b))


def test_only_this_order_of_messages():
    for first in range(4):
        for other in FLIGHT + [REAL["ClientHello"][0], REAL["Certificate"][0]]:
            if other != FLIGHT[first]:
                refuse(first, other)


def test_cookies():
    for n in (1, 16, 32, 255):
        h = shake()
        body = b"\xfe\xff" + bytes((n,)) + bytes(n)
        m = bytes((3,)) + len(body).to_bytes(3, "big") + bytes(2) + bytes(3) + bytes(3) + body
        assert h.cookie(m) == bytes(n)
        raises(ValueError, h.cookie, m[:-1])
        raises(ValueError, h.cookie, m + b"\x00")
    raises(ValueError, h.cookie, m[:14] + b"\x00")
    raises(IndexError, h.cookie, m[:14])
    # not in the middle of a flight
    h = after_cookie()
    assert h.cookie(FLIGHT[0]) is None
    h.accept(FLIGHT[0])
    assert h.cookie(m) is None
