"""Handshake messages in pieces: cutting ours, putting together the client's (RFC 6347 4.2.3)."""

from __future__ import annotations

from particle_tools.cloud.dtls.messages import HEADER, Malformed, Message

_LARGEST = 4096  # of a message; a client's are below 400, an X.509 certificate is larger
_AHEAD = 6  # messages of one flight that may come before the one that is next


def fragments(message: Message, room: int) -> list[bytes]:
    """Cut a message into handshake fragments of at most `room` bytes, headers included."""
    n = len(message.body)
    head = bytes([message.kind]) + n.to_bytes(3, "big") + message.number.to_bytes(2, "big")
    step = max(1, room - HEADER)
    pieces = []
    for at in range(0, max(n, 1), step):
        piece = message.body[at : at + step]
        pieces.append(head + at.to_bytes(3, "big") + len(piece).to_bytes(3, "big") + piece)
    return pieces


class Fragment:
    """One fragment as it came."""

    __slots__ = ("at", "data", "kind", "length", "number")

    def __init__(self, head: bytes, data: bytes) -> None:
        self.kind = head[0]
        self.length = int.from_bytes(head[1:4], "big")
        self.number = int.from_bytes(head[4:6], "big")
        self.at = int.from_bytes(head[6:9], "big")
        self.data = data

    @property
    def whole(self) -> bool:
        """Tell whether it is the entire message."""
        return len(self.data) == self.length


def parse_fragments(data: bytes) -> list[Fragment]:
    """Split the content of a handshake record. Raises Malformed."""
    found = []
    at = 0
    while at < len(data):
        head = data[at : at + HEADER]
        n = int.from_bytes(head[9:], "big")
        at += HEADER + n
        if len(head) < HEADER or at > len(data):
            raise Malformed("a handshake fragment is cut off")
        fragment = Fragment(head, data[at - n : at])
        if fragment.at + n > fragment.length:
            raise Malformed("a handshake fragment beyond its message")
        found.append(fragment)
    return found


class _Partial:
    """A message of which some bytes may be missing."""

    def __init__(self, first: Fragment) -> None:
        self.kind = first.kind
        self.body = bytearray(first.length)
        self.missing = (1 << first.length) - 1  # bit k: byte k has not come

    def takes(self, fragment: Fragment) -> bool:
        """Tell whether a fragment is of this message."""
        return (fragment.kind, fragment.length) == (self.kind, len(self.body))

    def add(self, fragment: Fragment) -> None:
        if not self.missing and not fragment.whole:
            return  # what is complete is not spoiled by a few bytes
        n = len(fragment.data)
        self.body[fragment.at : fragment.at + n] = fragment.data
        self.missing &= ~(((1 << n) - 1) << fragment.at)


class Reassembly:
    """Orders and completes the client's messages; memory is bounded.

    Anybody can write what is not protected. So the last word counts: a fragment that contradicts
    takes the place of what was there, and the client's repetition takes its place back.
    Protected messages have places of their own.
    """

    def __init__(self, number: int) -> None:
        self.number = number  # of the message that is next
        self._partial: dict[tuple[int, bool], _Partial] = {}

    def add(self, fragment: Fragment, *, protected: bool = False) -> None:
        """Take a fragment of the next message or of one soon after it. Raises Malformed."""
        if not 0 <= fragment.number - self.number < _AHEAD:
            return
        if fragment.length > _LARGEST:
            raise Malformed(f"a handshake message of {fragment.length} bytes")
        place = fragment.number, protected
        partial = self._partial.get(place)
        if partial is None or not partial.takes(fragment):
            partial = self._partial[place] = _Partial(fragment)
        partial.add(fragment)

    def take(self, *, protected: bool = False) -> Message | None:
        """Return the next message if it is complete."""
        partial = self._partial.get((self.number, protected))
        if partial is None or partial.missing:
            return None
        for place in ((self.number, False), (self.number, True)):
            self._partial.pop(place, None)
        self.number += 1
        return Message(partial.kind, self.number - 1, bytes(partial.body))
