"""CoAP as the cloud reads and writes it, against aiocoap alone: sound and damaged messages."""

import json
import random
from pathlib import Path

import aiocoap
import pytest
from aiocoap.error import Error
from aiocoap.options import Options

from particle_tools.cloud import coap

_FILE = Path(__file__).parents[1] / "vectors" / "coap-messages.json"
SOUND = [bytes.fromhex(vector["hex"]) for vector in json.loads(_FILE.read_text())["coap"]]


def alone(body):
    """What aiocoap makes of options and payload; None: they are no good, a text: the fault."""
    options = Options()
    try:
        payload = options.decode(body)
        if not payload and Options().decode(body + b"\0") == b"\0":
            return None  # a marker without payload
    except UnicodeDecodeError:
        return "not UTF-8"
    except (Error, ValueError, IndexError):
        return None
    return tuple((int(one.number), one.encode()) for one in options.option_list()), payload


def ours(body):
    """The same by the cloud's own reading."""
    try:
        message = coap.decode(b"\x40\x02\x00\x01" + body)
    except coap.NotCoap:
        return None
    return "not UTF-8" if message.fault else (message.options, message.payload)


def test_damaged_messages_are_read_as_aiocoap_reads_them():
    chance = random.Random(7)
    for _ in range(20000):
        body = bytearray(chance.choice(SOUND)[4:])
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randrange(2)] = chance.randbytes(chance.randrange(3))
        assert ours(bytes(body)) == alone(bytes(body)), body.hex()


def test_random_bytes_are_read_as_aiocoap_reads_them():
    chance = random.Random(8)
    heads = (0x00, 0x0D, 0x0E, 0x0F, 0xB1, 0xD0, 0xDD, 0xE0, 0xEE, 0xF0, 0xFF, 0x01)
    for _ in range(20000):
        body = bytes(chance.choice(heads) for _ in range(chance.randrange(12)))
        assert ours(body) == alone(body), body.hex()


@pytest.mark.parametrize("kind", [coap.CON, coap.ACK, coap.RST])
@pytest.mark.parametrize("token", [b"", b"\x07", b"12345678"])
def test_a_message_that_is_only_a_header(kind, token):
    code = coap.CHANGED if token else coap.EMPTY
    message = aiocoap.Message(code=aiocoap.Code(code))
    message.mtype, message.mid, message.token = aiocoap.Type(kind), 0x1234, token
    message.direction = aiocoap.message.Direction.OUTGOING
    assert coap.encode(kind, code, 0x1234, token) == message.encode()
