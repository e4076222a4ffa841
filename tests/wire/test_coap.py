"""CoAP codec against the vectors of the protocol description and an independent parser."""

from particle.wire.coap import Message, Writer
from support import raises, rng, vectors

COAP = vectors("coap-messages.json")["coap"]
TYPES = ("CON", "NON", "ACK", "RST")
MAX_AGE = 14
_CON, _NON, _GET, _POST, _URI_PATH = 0, 1, 1, 2, 11


def reference(data):
    """Parse bytes the plain way: (type, code, mid, token, [(number, value)], payload) or None."""
    if len(data) < 4 or data[0] >> 6 != 1 or data[0] & 15 > 8:
        return None
    head = data[0] >> 4 & 3, data[1], data[2] * 256 + data[3]
    tkl = data[0] & 15
    token, rest = data[4 : 4 + tkl], data[4 + tkl :]
    if len(token) < tkl or (data[1] == 0 and len(data) > 4):
        return None
    number, options = 0, []
    while rest and rest[0] != 0xFF:
        fields = [rest[0] // 16, rest[0] % 16]
        rest = rest[1:]
        for i, field in enumerate(fields):
            size = {13: 1, 14: 2}.get(field, 0)
            if field == 15 or len(rest) < size:
                return None
            if size:
                fields[i] = int.from_bytes(rest[:size], "big") + (13 if size == 1 else 269)
                rest = rest[size:]
        number += fields[0]
        if number > 65535 or len(rest) < fields[1] or len(options) == 24:
            return None
        options.append((number, rest[: fields[1]]))
        rest = rest[fields[1] :]
    if rest == b"\xff":
        return None
    return head + (token, options, rest[1:])


# Every number that occurs in the vectors, and some that changing a byte makes
NUMBERS = sorted({o["number"] for c in COAP for o in c["parsed"]["options"]} | {1, 4, 23, 300})


def fields(m):
    """Read back what a Message knows, in the form of reference()."""
    options = []
    for number in NUMBERS:
        nth = 0
        while m.find(number, nth):
            options.append((number, bytes(m.buf[m.opt_at : m.opt_at + m.opt_n])))
            nth += 1
    token = bytes(m.buf[m.token_at : m.token_at + m.tkl])
    payload = bytes(m.buf[m.payload_at : m.payload_at + m.payload_n])
    return m.type, m.code, m.mid, token, options, payload


def options_of(case):
    return [(o["number"], bytes.fromhex(o["hex"])) for o in case["parsed"]["options"]]


def code_of(case):
    c, dd = case["parsed"]["code"].split(".")
    return int(c) << 5 | int(dd)


def short_vectors():
    """Vectors without the ones whose bulk is one repeated byte."""
    return [bytes.fromhex(c["hex"]) for c in COAP if c["length"] < 200]


def test_every_vector_is_parsed():
    m = Message()
    for case in COAP:
        data, parsed = bytes.fromhex(case["hex"]), case["parsed"]
        options = options_of(case)
        token = bytes.fromhex(parsed["token"])
        assert len(data) == case["length"]
        # once alone, once in the middle of a larger buffer of bytes that must not matter
        for before, after in ((b"", b""), (b"\x7f" * 7, b"\xff\x45"), (b"\xff" * 3, b"\x00")):
            buf = bytearray(before + data + after)
            at = len(before)
            assert m.parse(buf, at, len(data)), case["name"]
            assert m.buf is buf and m.at == at and m.token_at == at + 4
            assert TYPES[m.type] == parsed["type"], case["name"]
            assert m.code == code_of(case) and m.mid == parsed["message_id"], case["name"]
            assert m.tkl == len(token) and m.token == (token[0] if len(token) == 1 else -1)
            assert fields(m)[3:] == (token, options, bytes.fromhex(parsed["payload"]))
            path = options[0][1] if options and options[0][0] == 11 else b""
            assert m.path == (path[0] if len(path) == 1 else 0), case["name"]
            names = [value for number, value in options if number == 11]
            assert m.name() == b"/".join(names[1:]).decode()
            queries = [value for number, value in options if number == 15]
            assert m.query() == (queries[0] if queries else b"")


def test_every_vector_is_written():
    w = Writer(bytearray(1152))
    for case in COAP:
        parsed = case["parsed"]
        token = bytes.fromhex(parsed["token"])
        for form in (token, token[0] if token else -1):
            kind = TYPES.index(parsed["type"])
            w.begin(kind, code_of(case), parsed["message_id"], form)
            for number, value in options_of(case):
                w.option(number, value)
            w.payload(bytes.fromhex(parsed["payload"]))
            assert w.n == case["length"]
            assert w.done() == bytes.fromhex(case["hex"]), case["name"]


def test_vectors_cut_everywhere_agree_with_the_reference():
    m = Message()
    for case in COAP:
        data = bytes.fromhex(case["hex"])
        for n in list(range(min(len(data), 64))) + [len(data) - 1, len(data)]:
            expected = reference(data[:n])
            # the bytes behind the cut are still in the buffer and must not be used
            assert m.parse(data, 0, n) == (expected is not None), (case["name"], n)
            assert m.parse(data[:n], 0, n) == (expected is not None), (case["name"], n)
            if expected:
                assert fields(m) == expected, (case["name"], n)


def test_a_length_beyond_the_buffer_is_refused():
    m = Message()
    for data in short_vectors():
        assert not m.parse(data, 0, len(data) + 1)
        assert not m.parse(data, 1, len(data))
        assert not m.parse(data, len(data), 4)


def test_vectors_with_every_byte_changed_agree_with_the_reference():
    m = Message()
    for data in short_vectors():
        for i in range(min(len(data), 48)):
            for value in (0, 0xFF, data[i] ^ 1, data[i] ^ 0x10, data[i] ^ 0x80, 0xDD, 0xEE, 0xF1):
                changed = data[:i] + bytes((value,)) + data[i + 1 :]
                check(m, changed)


def test_random_bytes_agree_with_the_reference():
    m = Message()
    take = rng(5)
    good = 0
    for i in range(3000):
        data = bytearray(take(take(1)[0] % 40))
        if data and i & 3:
            data[0] = 0x40 | data[0] & 0x33
        good += check(m, bytes(data))
    assert good > 100


def check(m, data):
    expected = reference(data)
    ok = m.parse(data, 0, len(data))
    assert ok == (expected is not None), data
    if ok:
        found = fields(m)
        assert found[:4] == expected[:4] and found[5] == expected[5], data
        assert found[4] == [o for o in expected[4] if o[0] in NUMBERS], data
        m.name()
        m.query()
        m.uint(14)
    return ok


def accepts(text):
    data = bytes.fromhex(text)
    return Message().parse(data, 0, len(data))


def test_malformed_headers_are_refused():
    assert accepts("40000001") and accepts("41010001aa") and accepts("480100010102030405060708")
    for text in (
        "",
        "40",
        "400000",
        "00010001",  # version 0
        "80010001",  # version 2
        "c0010001",  # version 3
        "41010001",  # token missing
        "4801000101020304050607",  # token cut
        "49010001010203040506070809",  # token length 9
        "4f010001" + "00" * 15,
        "4100000155",  # empty message with a token
        "40000001b161",  # ... with an option
        "40000001ff61",  # ... with a payload
        "40000001ff",
        "40010001ff",  # marker without payload
        "40010001b161ff",
    ):
        assert not accepts(text), text


def test_malformed_options_are_refused():
    assert accepts("40010001b161") and accepts("40010001d000") and accepts("40010001e00000")
    for text in (
        "f0",  # reserved delta
        "0f",  # reserved length
        "b161f1",
        "b1",  # value missing
        "b56162",  # value cut
        "d0",  # extension missing
        "e000",  # second byte of the extension missing
        "0d",
        "0e00",
        "0d00" + "61" * 12,  # one byte short of 13
        "0e0000" + "61" * 268,  # one byte short of 269
        "eefeffffff",  # lengths beyond the end
        "e0ffff",  # number 65804
        "e0fef210",  # 65535, then 65536
    ):
        assert not accepts("40010001" + text), text
    assert accepts("40010001" + "0d00" + "61" * 13)
    assert accepts("40010001" + "0e0000" + "61" * 269)
    assert accepts("40010001" + "e0fef2")


def test_24_options_are_the_limit():
    m = Message()
    for n, good in ((24, True), (25, False)):
        data = b"\x40\x01\x00\x01" + b"\xb1a" + b"\x01b" * (n - 1)
        assert m.parse(data, 0, len(data)) is good
        data += b"\xffx"
        assert m.parse(data, 0, len(data)) is good
    data = b"\x40\x01\x00\x01" + b"\xb1a" + b"\x01b" * 23
    assert m.parse(data, 0, len(data))
    assert m.find(_URI_PATH, 23) and not m.find(_URI_PATH, 24)
    assert m.name() == "/".join(["b"] * 23)


def test_path_wants_one_character_in_the_first_option():
    m = Message()
    for text, path in (
        ("b145", "E"),
        ("b24545", ""),
        ("b0", ""),
        ("4101b144", ""),  # ETag first
        ("c12a", ""),
        ("", ""),
        ("b166036c6564", "f"),
    ):
        data = bytes.fromhex("40020001" + text)
        assert m.parse(data, 0, len(data))
        assert m.path == (ord(path) if path else 0), text


def test_find_gives_positions():
    m = Message()
    data = bytes.fromhex("00" * 3 + "41020001aa" + "b145" + "02" + "6162" + "20" + "21ff" + "ff00")
    assert m.parse(data, 3, len(data) - 3)
    assert m.find(11) and (m.opt_at, m.opt_n) == (9, 1)
    assert m.find(11, 1) and (m.opt_at, m.opt_n) == (11, 2)
    assert not m.find(11, 2) and not m.find(12) and not m.find(0)
    assert m.find(13) and m.opt_n == 0
    assert m.find(15) and (m.opt_at, m.opt_n) == (15, 1) and m.query() == b"\xff"
    assert (m.payload_at, m.payload_n) == (17, 1)


def test_uint_takes_up_to_four_bytes_with_leading_zeros():
    m = Message()
    for text, value in (
        ("d001", 0),
        ("d1013c", 60),
        ("d2010e10", 3600),
        ("d301000e10", 3600),
        ("d4010000003c", 60),
        ("d401ffffffff", 0xFFFFFFFF),
        ("d5010000000001", 7),
        ("", 7),
    ):
        data = bytes.fromhex("40020001" + text)
        assert m.parse(data, 0, len(data))
        assert m.uint(MAX_AGE, 7) == value, text
    assert m.uint(MAX_AGE) == 0


def test_names():
    m = Message()
    for text, name in (
        ("b145", ""),
        ("b145026162", "ab"),
        ("b14500", ""),
        ("b145016100", "a/"),
        ("b14503612f620163", "a/b/c"),
        ("b14504c3bcc3a9", "\xfc\xe9"),
        ("b14501ff", None),  # not UTF-8
        ("b14501c3", None),
        ("b14501c301a9", None),  # a character is not split over segments
        ("", ""),
    ):
        data = bytes.fromhex("40020001" + text)
        assert m.parse(bytearray(data), 0, len(data))
        assert m.name() == name, text
    data = bytes.fromhex("40020001b161016201630164")
    assert m.parse(memoryview(data), 0, len(data))
    assert (m.name(0), m.name(2), m.name(4), m.name(9)) == ("a/b/c/d", "c/d", "", "")


def test_writer_uses_the_shortest_uint():
    w = Writer(bytearray(40))
    for value, text in (
        (0, "d001"),
        (1, "d10101"),
        (255, "d101ff"),
        (256, "d2010100"),
        (65535, "d201ffff"),
        (65536, "d40100010000"),
        (0xFFFFFFFF, "d401ffffffff"),
    ):
        w.begin(_CON, _GET, 1)
        w.uint(MAX_AGE, value)
        assert w.done() == bytes.fromhex("40010001" + text), value
    for value in (-1, 1 << 32):
        raises(ValueError, w.uint, MAX_AGE, value)


def test_writer_extends_numbers_and_lengths():
    m = Message()
    buf = bytearray(2000)
    w = Writer(buf)
    for number in (0, 12, 13, 14, 268, 269, 270, 65535):
        for n in (0, 12, 13, 14, 255, 268, 269, 270, 1024):
            w.begin(_NON, _POST, 0xFFFF)
            w.option(number, b"v" * n)
            w.option(number, b"w")
            w.payload(b"p")
            assert reference(w.done())[4] == [(number, b"v" * n), (number, b"w")]
            assert m.parse(buf, 0, w.n) and m.find(number, 1) and m.opt_n == 1


def test_writer_tokens():
    w = Writer(bytearray(20))
    for token, text in ((-1, "40"), (0, "41"), (255, "41"), (b"", "40"), (b"12345678", "48")):
        w.begin(_CON, _GET, 0x0102, token)
        tail = token if isinstance(token, bytes) else bytes((token,)) if token >= 0 else b""
        assert w.done() == bytes.fromhex(text + "010102") + tail


def test_writer_refuses_descending_options():
    w = Writer(bytearray(40))
    w.begin(_CON, _GET, 1)
    w.option(_URI_PATH, b"a")
    w.option(_URI_PATH, b"b")
    raises(ValueError, w.option, 4, b"")
    raises(ValueError, w.uint, 4, 1)
    w.begin(_CON, _GET, 1)
    w.option(4, b"")


def test_writer_never_leaves_its_buffer():
    def build(w):
        w.begin(_CON, _POST, 7, 9)
        w.option(_URI_PATH, b"E")
        w.option(_URI_PATH, b"n" * 300)
        w.uint(MAX_AGE, 70000)
        w.payload(b"data")
        return w.done()

    whole = build(Writer(bytearray(400)))
    for n in range(len(whole)):
        buf = bytearray(n)
        raises(ValueError, build, Writer(buf))
        assert len(buf) == n
        behind = bytearray(b"\xa5" * 400)
        raises(ValueError, build, Writer(memoryview(behind)[5 : 5 + n]))
        assert behind[:5] == b"\xa5" * 5 and behind[5 + n :] == b"\xa5" * (395 - n)
    assert build(Writer(bytearray(len(whole)))) == whole


def test_buffer_that_grows():
    buf = bytearray(8)
    w = Writer(buf, 64)
    for n in (3, 57, 20):
        w.begin(0, 2, 7)
        w.payload(b"x" * n)
        assert w.done() == b"\x40\x02\x00\x07\xff" + b"x" * n
    assert w.buf is buf and len(buf) == 62
    w.begin(0, 2, 7)
    raises(ValueError, w.payload, b"x" * 60)
    assert len(buf) <= 64
