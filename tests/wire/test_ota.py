"""Messages of updates: every vector is read, or rebuilt byte for byte (cloud-protocol 5)."""

from particle.wire import ota
from particle.wire.coap import Message, Writer
from support import vectors

VECTORS = {m["name"]: m for m in vectors("coap-messages.json")["coap"]}
CON, NON = 0, 1


def read(name):
    m = Message()
    data = bytes.fromhex(VECTORS[name]["hex"])
    assert m.parse(data, 0, len(data))
    return m, VECTORS[name]["fields"]


def raw(name):
    return bytes.fromhex(VECTORS[name]["hex"])


def writer():
    return Writer(bytearray(1119))


def test_start():
    m, f = read("ota3_start")
    size, sha, chunk, function, discard = ota.start(m)
    assert (size, chunk, function, discard) == (2000, 512, 5, False)
    assert sha == bytes.fromhex(f["sha256"])
    m, f = read("ota3_start_discard")
    assert ota.start(m) == (100000, None, 1024, None, True)
    assert ota.started(writer(), 30, 0x20, 256, 0) == raw("ota3_start_response")
    assert ota.started(writer(), 30, 0x20, 256, 1024) == raw("ota3_start_response_resume")


def test_chunks():
    m, f = read("ota3_chunk1")
    assert ota.chunk_index(m) == 1 and m.payload_n == 512
    assert ota.chunk_ack(writer(), 31, 2, 0) == raw("ota3_ack2")
    assert ota.chunk_ack(writer(), 32, 0, 0x0A) == raw("ota3_ack_gap")


def test_finish():
    assert ota.finish(read("ota3_finish")[0]) == (False, False)
    assert ota.finish(read("ota3_cancel")[0]) == (True, False)
    text = "Module integrity check failed"
    assert ota.failure(writer(), CON, 34, 0x22, -1330, text) == raw("ota3_error")


def test_codes_of_errors():
    for error, code in (
        (-270, 0x80),
        (-190, 0x80),
        (-170, 0x84),
        (-130, 0x83),
        (-160, 0xA4),
        (-120, 0xA1),
        (-250, 0xA0),
        (-1330, 0xA3),
        (-110, 0xA3),
        (-240, 0xA3),
    ):
        assert ota.failure(writer(), CON, 1, -1, error, "")[1] == code


def test_text_of_an_error_is_short_and_one_string():
    m = Message()
    for text in ('a "quoted" \\ one', "x" * 2000, "ü" * 300):
        data = ota.failure(writer(), CON, 1, -1, -1, text)
        assert m.parse(data, 0, len(data)) and m.payload_n < 320
        body = data[m.payload_at :]
        assert body.count(b'"') == 6 and b"\\" not in body


def test_older_protocol():
    assert ota.begin(read("ota1_begin")[0]) == (True, 512, 1000, 0)
    assert ota.piece(read("ota1_chunk_slow")[0]) == (476132726, None)
    assert ota.piece(read("ota1_chunk_fast")[0]) == (476132726, 0)
    assert ota.begin(read("ota1_done")[0]) is None
    assert ota.piece(read("ota1_done")[0]) is None
    data = ota.missing(writer(), CON, 37, 1, 5)
    assert data == raw("ota1_chunk_missed")[:7] + b"\0\1\0\2\0\3\0\4\0\5"
