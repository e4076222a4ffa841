"""What is said around the chunks of both protocols: options, answers, errors.

Source: cloud-protocol 5.1, 5.2.1-5.2.5; the device's texts are not to be trusted.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from particle_tools.cloud.coap import Message

if TYPE_CHECKING:
    from particle_tools.cloud.hello import Hello

CHUNK_INDEX, WINDOW_SIZE, FILE_SIZE, FILE_SHA_256 = 2049, 2053, 2057, 2061
CHUNK_SIZE, DISCARD_DATA, CANCEL_UPDATE, MODULE_FUNCTION = 2065, 2069, 2073, 2077

PROTOCOL, INVALID_STATE, BUSY, INVALID_SIZE, DISABLED = -240, -210, -110, -1351, -1380

_LEAST, _MOST, _USUAL = 512, 1136, 512  # bytes of a chunk
_UNIT = 4
_AROUND = 16  # bytes of a message beside its chunk
_TEXT = 80  # characters of a device's message that are kept
_UINT = 4
_BEGIN = struct.Struct(">BHIBI")
_NAMES = {
    -110: "the device is busy",
    -190: "the file is too large for the device",
    -210: "no update is running",
    -219: "the device cannot write to its flash",
    -240: "the device did not understand",
    -1300: "the device finds no module in the file",
    -1310: "the device does not take modules of this kind",
    -1320: "the device refused the module",
    -1330: "the module is damaged",
    -1331: "the file is not the one that was begun",
    -1340: "the module needs another one that is not there",
    -1350: "the module is not for this place",
    -1351: "the file has a size the device does not take",
    -1360: "the module is for another board, platform, product or processor",
    -1370: "the module has a form the device does not take",
    -1380: "the device does not take updates now",
}


class UpdateError(Exception):
    """The device refused or broke off. code: number of the system's errors, None if unknown."""

    def __init__(self, code: int | None, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Started:
    """What the device answers to a start: its window in chunks, and bytes it has already."""

    window: int
    offset: int


def uint(value: int) -> bytes:
    """Encode the value of an option; 0 is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _read(value: bytes | None) -> int | None:
    return None if value is None or len(value) > _UINT else int.from_bytes(value, "big")


def chunk_bytes(hello: Hello, room: int) -> int:
    """Return the size of chunks the device wants, if it and its messages allow that."""
    wanted = hello.chunk if hello.chunk and _LEAST <= hello.chunk <= _MOST else _USUAL
    return min(wanted, room - _AROUND) // _UNIT * _UNIT


def start(size: int, digest: bytes, chunk: int, function: int) -> list[tuple[int, bytes]]:
    """Return the options of UpdateStart."""
    return [
        (FILE_SIZE, uint(size)),
        (FILE_SHA_256, digest),
        (CHUNK_SIZE, uint(chunk)),
        (MODULE_FUNCTION, uint(function)),
    ]


def started(answer: Message, size: int) -> Started:
    """Read the answer to UpdateStart. Raises UpdateError."""
    window = _read(answer.option(WINDOW_SIZE))
    offset = _read(answer.option(FILE_SIZE))
    if not window or offset is None or offset > size:
        raise UpdateError(PROTOCOL, "the device's answer to the start makes no sense")
    return Started(window, offset)


def acknowledged(message: Message) -> tuple[int, bytes] | None:
    """Read UpdateAck: the cumulative index and the bitmap; None if it is none."""
    index = _read(message.option(CHUNK_INDEX))
    return None if index is None else (index, message.payload)


def refusal(code: int, payload: bytes) -> UpdateError:
    """Return the error that an answer with an error code means (5.2.5)."""
    text = f"the device answered {code >> 5}.{code & 31:02d}"
    number = None
    try:
        body = json.loads(payload)
        number, said = body.get("code"), body.get("message")
    except (ValueError, AttributeError, RecursionError):
        said = None
    if isinstance(number, bool) or not isinstance(number, int) or not -99999 <= number < 0:
        return UpdateError(None, text)
    text = _NAMES.get(number, text)
    if isinstance(said, str) and said.strip():
        heard = "".join(c for c in said[:_TEXT] if c.isprintable())
        text += f' ("{heard}")'
    return UpdateError(number, f"{text}, error {number}")


def begin(size: int, chunk: int, *, fast: bool) -> bytes:
    """Return the payload of UpdateBegin: store 0, address 0 (5.1)."""
    return _BEGIN.pack(int(fast), chunk, size, 0, 0)


def result(payload: bytes) -> int | None:
    """Read {"r": n} of the older protocol; None if it is something else."""
    try:
        body = json.loads(payload)
        number = body.get("r") if isinstance(body, dict) else None
    except (ValueError, RecursionError):
        return None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def failed(number: int) -> UpdateError:
    """Return the error of a result other than 0."""
    return UpdateError(number, f"{_NAMES.get(number, 'the device refused')}, error {number}")
