"""CoAP messages of the device protocol: aiocoap does the coding, this file the restrictions.

Source: cloud-protocol 3.1; RFC 7252.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import aiocoap
from aiocoap import error as coap_error
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.options import Options
from aiocoap.optiontypes import OpaqueOption

CON, NON, ACK, RST = range(4)
EMPTY, GET, POST, PUT = range(4)
CREATED, CHANGED, CONTENT, CONTINUE = 0x41, 0x44, 0x45, 0x5F
BAD_REQUEST, NOT_FOUND, REQUEST_INCOMPLETE, INTERNAL_ERROR = 0x80, 0x84, 0x88, 0xA0
UNAVAILABLE = 0xA3  # with Max-Age: seconds until another attempt may do (RFC 7252 5.9.3.4)

MAX_AGE = 14

_HEADER = 4
_VERSION = 0x40
_MAX_TOKEN = 8
_MARKER = 0xFF
_ONE_BYTE, _TWO_BYTES = 13, 14  # nibbles of an option whose number or length follows
_REMEMBERED = 1024  # sets of options; a device sends the same few again and again
_SHORT = 128  # bytes of a set that is remembered: longer ones would fill the memory for ever


class NotCoap(ValueError):
    """The bytes are not a CoAP message."""


@dataclass(frozen=True)
class Message:
    """One message. `options` holds (number, value) in wire order; `token` has 0 to 8 bytes."""

    type: int
    code: int
    mid: int
    token: bytes = b""
    path: tuple[str, ...] = ()
    payload: bytes = b""
    options: tuple[tuple[int, bytes], ...] = ()
    fault: str | None = None  # why a well-formed message cannot be understood; answer 4.00

    @property
    def is_request(self) -> bool:
        """Tell whether the code is in class 0 and not empty."""
        return 0 < self.code < 0x20

    @property
    def name(self) -> str:
        """The Uri-Path after its first segment: one option with slashes, or several."""
        return "/".join(self.path[1:])

    @property
    def query(self) -> bytes:
        """The first Uri-Query; empty if there is none."""
        return self.option(OptionNumber.URI_QUERY) or b""

    @property
    def content_format(self) -> int:
        """The Content-Format; 0 (text) if there is none."""
        return int.from_bytes(self.option(OptionNumber.CONTENT_FORMAT) or b"", "big")

    @property
    def max_age(self) -> int | None:
        """The Max-Age in seconds; None if there is none."""
        value = self.option(OptionNumber.MAX_AGE)
        return None if value is None else int.from_bytes(value, "big")

    def option(self, number: int) -> bytes | None:
        """Return the first value of an option, or None."""
        for n, value in self.options:
            if n == number:
                return value
        return None


def decode(data: bytes) -> Message:
    """Parse one message. Raises NotCoap."""
    if len(data) < _HEADER or data[0] >> 6 != 1:
        raise NotCoap("no CoAP header")
    type_, token_n, code = data[0] >> 4 & 3, data[0] & 15, data[1]
    mid = data[2] << 8 | data[3]
    if token_n > _MAX_TOKEN or len(data) < _HEADER + token_n:
        raise NotCoap("bad token length")
    if code == EMPTY and len(data) > _HEADER:
        raise NotCoap("an empty message with content")
    token = data[_HEADER : _HEADER + token_n]
    body = data[_HEADER + token_n :]
    end = _options_end(body)
    try:
        path, options = (_options if end <= _SHORT else _options.__wrapped__)(body[:end])
    except UnicodeDecodeError:
        # The frame of the message is sound; who sent it deserves an answer, not a hang-up.
        return Message(type_, code, mid, token, fault="an option that is not UTF-8")
    except (coap_error.Error, ValueError, IndexError) as error:
        raise NotCoap(f"bad options: {error}") from error
    payload = body[end + 1 :]
    if not payload and end < len(body):
        raise NotCoap("a payload marker without payload")
    return Message(type_, code, mid, token, path, payload=payload, options=options)


def _options_end(body: bytes) -> int:
    # Where the payload marker is; behind an option that is no good it does not matter.
    at, n = 0, len(body)
    while at < n and body[at] != _MARKER:
        delta, length = body[at] >> 4, body[at] & 15
        at += 1
        if delta >= _ONE_BYTE:
            at += delta - _ONE_BYTE + 1
        if length == _ONE_BYTE:
            length = body[at] + 14 if at < n else n
        elif length >= _TWO_BYTES:
            length = int.from_bytes(body[at : at + 2], "big") + 271
        at += length
    return min(at, n)


@lru_cache(_REMEMBERED)
def _options(data: bytes) -> tuple[tuple[str, ...], tuple[tuple[int, bytes], ...]]:
    """Return Uri-Path and all options. Raises what aiocoap raises."""
    options = Options()
    options.decode(data)
    raw = tuple((int(option.number), option.encode()) for option in options.option_list())
    path = tuple(value.decode() for number, value in raw if number == OptionNumber.URI_PATH)
    return path, raw


def encode(
    type_: int,
    code: int,
    mid: int,
    token: bytes = b"",
    *,
    path: Sequence[str] = (),
    query: Sequence[bytes] = (),
    payload: bytes = b"",
    content_format: int = 0,
    extra: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Build one message; content format 0 (text) is left out. `extra` adds raw options."""
    if not (path or query or payload or content_format or extra):
        # Most of what is sent: an acknowledgement of nothing but a header.
        return bytes((_VERSION | type_ << 4 | len(token), code, mid >> 8, mid & 0xFF)) + token
    message = aiocoap.Message(code=aiocoap.Code(code), payload=payload)
    message.mtype, message.mid, message.token = aiocoap.Type(type_), mid, token
    for segment in path:
        message.opt.add_option(OpaqueOption(OptionNumber.URI_PATH, segment.encode()))
    for value in query:
        message.opt.add_option(OpaqueOption(OptionNumber.URI_QUERY, value))
    if content_format:
        message.opt.content_format = content_format
    for number, value in extra:
        message.opt.add_option(OpaqueOption(OptionNumber(number), value))
    message.direction = aiocoap.message.Direction.OUTGOING
    return message.encode()
