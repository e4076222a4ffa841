"""A name server that answers every name with our address (setup-protocols 2.1): whatever a phone
asks for leads it to the page.
"""

import socket

from micropython import const

from .softap_server import Bound

_MOST = const(256)  # bytes of a question
_PER_STEP = const(4)
_A = const(1)
_IN = const(1)
_ANY = const(255)
_NOT_IMPLEMENTED = const(4)


def answer(query, address):
    """Return the answer to a datagram, None if it is no question; address: our 4 bytes."""
    if len(query) < 17 or query[2] & 0x80 or query[4:6] != b"\0\1":
        return None
    if query[2] & 0x78:
        return query[:2] + bytes((0x80 | query[2], _NOT_IMPLEMENTED)) + bytes(8)
    at = 12
    while at < len(query) and 0 < query[at] < 64:
        at += 1 + query[at]
    end = at + 5
    if end > len(query) or query[at]:
        return None
    ours = query[at + 2] in (_A, _ANY) and query[at + 4] == _IN
    ours = ours and not (query[at + 1] or query[at + 3])
    out = query[:2] + b"\x84\x20\0\1\0" + bytes((ours,)) + bytes(4) + query[12:end]
    if ours:
        out += b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + address
    return out


class Names(Bound):
    """Answer at `address`, UDP port `port`; says: the address to answer. Raises as `Bound`."""

    def __init__(self, address, port, says):
        super().__init__(address, port, socket.SOCK_DGRAM)
        self._says = bytes(map(int, says.split(".")))

    def step(self, now, buf):
        """Answer a few questions; there is nothing to calculate. Never raises OSError."""
        for _ in range(_PER_STEP):
            waiting = False
            for _ in self._ready(0):
                waiting = True
            if not waiting:
                return False
            try:
                query, peer = self._s.recvfrom(_MOST)
                reply = answer(query, self._says)
                if reply:
                    self._s.sendto(reply, peer)
            except OSError:
                pass  # a phone that left, or no room: it asks again
        return False
