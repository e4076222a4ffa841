"""Messages of the device: every vector the device sends is rebuilt byte for byte."""

from particle.wire import messages
from particle.wire.coap import Message, Writer
from particle.wire.goodbye import goodbye as farewell
from particle.wire.goodbye import varint
from support import raises, vectors

COAP = vectors("coap-messages.json")["coap"]
TYPES = ("CON", "NON", "ACK", "RST")
CONTENT = 0x45
_CON, _NON, _GET, _CHANGED, _URI_PATH = 0, 1, 1, 0x44, 11
_BOOL, _INT, _STRING, _DOUBLE = 1, 2, 4, 9

# Sent by firmware older than this library, or by parts with builders of their own
OTHERS = {"hello_tcp_legacy", "subscribe_legacy_device"}
OTHER_PARTS = ("ota3", "ledger")
BLOCKS = {"describe_system_block0", "describe_system_block1_last"}  # block-wise: not written yet


def hello(w, type, mid, token, f, body):
    return messages.hello(
        w,
        type,
        mid,
        (f["product_id"], f["product_version"], f["flags"], f["platform_id"]),
        (f["system_version"], f["max_message_size"], f["max_binary_size"], f["ota_chunk_size"]),
        bytes.fromhex(f["device_id"]),
    )


def describe(w, type, mid, token, f, body):
    if "json" in f:
        kinds = f["json"]["v"]
        order = ("temp", "count", "name", "on")
        assert messages.describe_app(f["json"]["f"], [(n, kinds[n]) for n in order]) == body
    flags = f.get("describe_flags", 1)
    ctype = 42 if flags == 1 else None
    return messages.request(w, type, 2, mid, token, b"d", None, ctype, bytes((flags,)), body)


def describe_response(w, type, mid, token, f, body):
    return messages.answer(w, type, CONTENT, mid, token, body)


def event(w, type, mid, token, f, body):
    data = f.get("data", body)
    return messages.event(
        w, type, mid, f["event"], data, f.get("content_format", 0), f.get("ttl", 60)
    )


def updates(name):
    def build(w, type, mid, token, f, body):
        return messages.event(w, type, mid, "particle/device/updates/" + name, body)

    return build


def subscribe(query):
    def build(w, type, mid, token, f, body):
        return messages.request(w, type, 1, mid, -1, b"e", f["filter"], None, query)

    return build


def value(w, type, mid, token, f, body):
    data = messages.encode(f.get("var_type", _DOUBLE), f["value"])
    return messages.answer(w, type, CONTENT, mid, token, data)


def result(w, type, mid, token, f, body):
    data = messages.encode(_INT, f["result"])
    return messages.answer(w, type, _CHANGED, mid, token, data)


def goodbye(w, type, mid, token, f, body):
    detail = f["sleep_s"] if "sleep_s" in f else f["reset_reason"]
    return farewell(w, type, mid, type == _NON, f["flags"], f["cloud_reason"], detail)


BUILDERS = {
    "hello_": hello,
    "describe_": describe,
    "describe_response": describe_response,
    "event_": event,
    "event_updates_enabled": updates("enabled"),
    "event_updates_forced": updates("forced"),
    "subscribe": subscribe(None),
    "subscribe_cbor": subscribe("c"),
    "subscribe_binary": subscribe(b"b"),
    "subscribe_legacy_mydevices": subscribe("u"),
    "time_request": lambda w, type, mid, token, f, body: messages.request(
        w, type, 1, mid, token, b"t"
    ),
    "function_return_": result,
    "variable_": value,
    "goodbye_": goodbye,
}


def builder(name):
    best = ""
    for start in BUILDERS:
        if name.startswith(start) and len(start) > len(best):
            best = start
    return BUILDERS.get(best)


def test_every_message_of_the_device_is_rebuilt():
    w = Writer(bytearray(1152))
    built = 0
    skipped = set()
    for case in COAP:
        if case["direction"] != "device->cloud":
            continue
        name, parsed = case["name"], case["parsed"]
        if name in OTHERS | BLOCKS or name.split("_")[0] in OTHER_PARTS:
            skipped.add(name)
            continue
        type = TYPES.index(parsed["type"])
        mid = parsed["message_id"]
        token = int(parsed["token"], 16) if parsed["token"] else -1
        body = bytes.fromhex(parsed["payload"])
        code = bytes.fromhex(case["hex"])[1]
        if code == 0:
            data = messages.answer(w, type, 0, mid)
        elif parsed["options"] or case["fields"] or name == "describe_response":
            data = build_other(w, case, type, mid, token, body)
        else:
            data = messages.answer(w, type, code, mid, token, body)
        assert data == bytes.fromhex(case["hex"]), name
        built += 1
    assert skipped > OTHERS
    assert built == 47


def build_other(w, case, type, mid, token, body):
    if case["name"] == "ota1_chunk_missed":
        # its builder comes with the updates; the frame is the same as any GET
        w.begin(type, _GET, mid)
        w.option(_URI_PATH, b"c")
        w.payload(body)
        return w.done()
    return builder(case["name"])(w, type, mid, token, case["fields"], body)


def test_hello_has_the_length_of_its_transport():
    w = Writer(bytearray(64))
    assert len(messages.hello(w, 1, 1, (1, 1, 0, 3), (0, 960, 0, 512))) == 27
    assert len(messages.hello(w, 0, 1, (1, 1, 0, 3), (0, 960, 0, 512), bytes(12))) == 39


def test_describe_app():
    assert messages.describe_app([], []) == b'{"f":[],"v":{}}'
    assert messages.describe_app(("a", "b"), (("x", 1), ("y", 9))) == (
        b'{"f":["a","b"],"v":{"x":1,"y":9}}'
    )
    text = messages.describe_app([], [("gr\xfc\xdf", 4)])
    assert text == b'{"f":[],"v":{"gr\xc3\xbc\xc3\x9f":4}}'


def test_event_options():
    w = Writer(bytearray(128))
    plain = bytes.fromhex("40020001b1450161")
    assert messages.event(w, 0, 1, "a", b"") == plain
    assert messages.event(w, 0, 1, b"a", None) == plain
    assert messages.event(w, 0, 1, "a", "", 0, 60) == plain
    assert messages.event(w, 0, 1, "a", "", 42) == plain + b"\x11\x2a"
    assert messages.event(w, 0, 1, "a", "", 0, 0) == plain + b"\x30"
    assert messages.event(w, 0, 1, "a", "", 42, 61) == plain + b"\x11\x2a\x21\x3d"
    assert messages.event(w, 0, 1, "a", "\xfc") == plain + b"\xff\xc3\xbc"
    assert messages.event(w, 0, 1, "a", bytearray(b"12")) == plain + b"\xff12"
    assert messages.event(w, 0, 1, "a", memoryview(b"12")) == plain + b"\xff12"


def test_the_largest_event():
    name, data = "n" * 64, "d" * 1024
    assert len(messages.event(Writer(bytearray(1105)), 0, 1, name, data, 65001, 16777215)) == 1105
    raises(ValueError, messages.event, Writer(bytearray(1096)), 0, 1, name, data)
    assert len(messages.event(Writer(bytearray(1097)), 0, 1, name, data)) == 1097


def test_encode():
    for kind, what, text in (
        (_BOOL, True, "01"),
        (_BOOL, 0, "00"),
        (_BOOL, [1], "01"),
        (_INT, 0, "00000000"),
        (_INT, True, "00000001"),
        (_INT, -1, "ffffffff"),
        (_INT, 2147483647, "7fffffff"),
        (_INT, -2147483648, "80000000"),
        (_INT, 4294967298, "00000002"),  # cut to 32 bits
        (_DOUBLE, 0.5, "000000000000e03f"),
        (_DOUBLE, -2, "00000000000000c0"),
        (_STRING, "\xfc", "c3bc"),
        (_STRING, b"raw", "726177"),
        (_STRING, "", ""),
    ):
        assert messages.encode(kind, what) == bytes.fromhex(text), (kind, what)


def test_varint():
    for number, text in (
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (16383, "ff7f"),
        (16384, "808001"),
        (0xFFFFFFFF, "ffffffff0f"),
    ):
        assert varint(number) == bytes.fromhex(text)


def test_goodbye_without_fields():
    w = Writer(bytearray(32))
    assert farewell(w, 0, 29, False, 0) == bytes.fromhex("4002001db178ff00")


def parse(text):
    m = Message()
    data = bytes.fromhex(text)
    assert m.parse(data, 0, len(data))
    return m


def test_time_answer():
    for case in COAP:
        if case["name"] == "time_response":
            assert messages.time_answer(parse(case["hex"])) == case["fields"]["time"]
    assert messages.time_answer(parse("6145001536ff00000000")) == 0
    assert messages.time_answer(parse("6145001536ffffffffff")) == 0xFFFFFFFF
    for text in ("6145001536", "6145001536ff6553f1", "6145001536ff6553f10000"):
        assert messages.time_answer(parse(text)) is None
    assert messages.time_answer(parse("6144001536ff6553f100")) is None
