"""The updates of the recorded session of a real device: what we say, and what we understand.

Source: tests/vectors/deviceos-session-udp.jsonl and coap-messages.json.
"""

import json
from pathlib import Path

import pytest

from cloud.real_session import steps
from particle_tools.cloud import coap
from particle_tools.cloud.ota import wire
from particle_tools.cloud.ota.window import Window

VECTORS = {
    row["name"]: bytes.fromhex(row["hex"])
    for row in json.loads(
        (Path(__file__).parents[1] / "vectors" / "coap-messages.json").read_text()
    )["coap"]
}


def sequence(words):
    """Return the messages of a step of the session: (from the device, message, bytes)."""
    found = next(lines for heading, lines in steps() if words in heading)
    raws = [(line["dir"] == "D>S", bytes.fromhex(line["coap"])) for line in found]
    return [(up, coap.decode(raw), raw) for up, raw in raws]


def options(message):
    return {number: value for number, value in message.options if number > 2000}


def test_the_start_is_byte_for_byte_that_of_the_session():
    _, start, raw = sequence("chunks 1,2,4,3")[0]
    found = options(start)
    ours = wire.start(
        int.from_bytes(found[wire.FILE_SIZE], "big"),
        found[wire.FILE_SHA_256],
        int.from_bytes(found[wire.CHUNK_SIZE], "big"),
        found[wire.MODULE_FUNCTION][0],
    )
    assert coap.encode(coap.CON, coap.POST, start.mid, start.token, path=("S",), extra=ours) == raw


def test_the_update_of_the_session():
    messages = sequence("chunks 1,2,4,3")
    size = int.from_bytes(messages[0][1].option(wire.FILE_SIZE), "big")
    answer = next(m for up, m, _ in messages if up and m.code == coap.CREATED)
    begun = wire.started(answer, size)
    assert (begun.window, begun.offset) == (256, 0)
    window, now, taken = Window(4, begun.window, 0.0), 0.0, []
    while (index := window.take(now)) is not None:
        taken.append(index)
    assert taken == [1, 2, 3, 4]
    acks = [m for up, m, _ in messages if up and m.path == ("A",)]
    found = [wire.acknowledged(m) for m in acks]
    assert found == [(2, b""), (2, b"\x02\0\0\0"), (4, b"")]
    for ack in found:
        now += 0.02
        window.acknowledge(*ack, now)
    assert window.done and window.contradictions == 0
    cancel = next(m for up, m, _ in messages if not up and m.path == ("F",))
    assert options(cancel) == {wire.DISCARD_DATA: b"", wire.CANCEL_UPDATE: b""}


def test_a_chunk_of_the_session():
    _, chunk, raw = next(row for row in sequence("chunks 1,2,4,3") if row[1].path == ("C",))
    index = wire.uint(int.from_bytes(chunk.option(wire.CHUNK_INDEX), "big"))
    ours = coap.encode(
        *(coap.NON, coap.POST, chunk.mid),
        path=("C",),
        payload=chunk.payload,
        extra=[(wire.CHUNK_INDEX, index)],
    )
    assert ours == raw


@pytest.mark.parametrize(
    ("name", "expected"), [("ota3_ack2", (2, b"")), ("ota3_ack_gap", (0, b"\x0a\0\0\0"))]
)
def test_acknowledgements_of_the_vectors(name, expected):
    assert wire.acknowledged(coap.decode(VECTORS[name])) == expected


def test_answers_of_the_vectors():
    begun = wire.started(coap.decode(VECTORS["ota3_start_response"]), 2000)
    assert (begun.window, begun.offset) == (256, 0)
    error = coap.decode(VECTORS["ota3_error"])
    refused = wire.refusal(error.code, error.payload)
    assert refused.code == -1330 and "Module integrity check failed" in str(refused)
    done = coap.decode(VECTORS["ota1_done_ack_ok"])
    assert wire.result(done.payload) == 0
    begin = coap.decode(VECTORS["ota1_begin"])
    assert wire.begin(1000, 512, fast=True) == begin.payload


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b'{"code":"x"}', b'{"code":true}', b'{"code":-1e99}', b"[" * 9999],
)
def test_bodies_of_errors_that_are_none(payload):
    refused = wire.refusal(0xA3, payload)
    assert (refused.code, str(refused)) == (None, "the device answered 5.03")
    assert wire.result(payload) is None
