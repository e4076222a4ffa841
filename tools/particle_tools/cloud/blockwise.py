"""Messages in blocks, RFC 7959 as devices use it for their Describe (cloud-protocol 3.8)."""

from __future__ import annotations

from typing import NamedTuple

BLOCK2, BLOCK1 = 23, 27
_BYTES = 3  # of a block option at most
_SMALLEST = 16
_RESERVED = 7
_LARGEST = 64 * 1024  # of everything put together
_UNDER_WAY = 4  # bodies of one device


class BadBlock(ValueError):
    """A block option that cannot be read, or a block that does not continue what came."""


class Block(NamedTuple):
    """The value of a Block1 or Block2 option."""

    number: int
    more: bool
    exponent: int  # a block has 2 ** (exponent + 4) bytes

    @classmethod
    def parse(cls, value: bytes) -> Block:
        """Read an option value. Raises BadBlock."""
        number = int.from_bytes(value, "big")
        if len(value) > _BYTES or number & 7 == _RESERVED:
            raise BadBlock(f"a block option {value.hex()}")
        return cls(number >> 4, bool(number & 8), number & 7)

    def encode(self) -> bytes:
        """Return the option value."""
        number = self.number << 4 | self.more << 3 | self.exponent
        return number.to_bytes((number.bit_length() + 7) // 8, "big")

    @property
    def size(self) -> int:
        """Bytes of a block that is not the last."""
        return _SMALLEST << self.exponent


class Bodies:
    """Bodies of one device that come in blocks, by what they are for."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, bytearray] = {}

    def add(self, purpose: bytes, block: Block, payload: bytes) -> bytes | None:
        """Take a block; return the body when it is complete. Raises BadBlock.

        Block 0 begins anew; any other must be the next one.
        """
        body = self._under_way.pop(purpose, None)
        if block.number == 0:
            body = bytearray()
        if body is None or len(body) != block.number * block.size:
            raise BadBlock(f"block {block.number} does not continue what came before")
        if block.more and len(payload) != block.size:
            raise BadBlock(f"a block of {len(payload)} bytes that is not the last")
        if len(body) + len(payload) > _LARGEST:
            raise BadBlock("too large")
        body += payload
        if not block.more:
            return bytes(body)
        while len(self._under_way) >= _UNDER_WAY:
            del self._under_way[next(iter(self._under_way))]
        self._under_way[purpose] = body
        return None
