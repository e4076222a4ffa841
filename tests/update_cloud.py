"""The cloud's side of an update of version 3, scripted, over the connection of update_world.py."""

import hashlib

from particle.session.update import Update
from particle.wire.coap import Message
from update_world import World, options

# options (cloud-protocol 5.2.1)
INDEX, WINDOW, SIZE, SHA, CHUNK, DISCARD, CANCEL, FUNCTION = range(2049, 2078, 4)
IMAGE = bytes([i * 7 & 255 for i in range(5000)])
DIGEST = hashlib.sha256(IMAGE).digest()


class Sending(World):
    """The cloud's side: start, chunks by their index, finish."""

    def __init__(self, image=IMAGE, chunk=512, target=None):
        super().__init__(Update, target)
        self.image = image
        self.chunk = chunk
        self.offset = 0

    def start(self, sha=True, **more):
        o = {SIZE: len(self.image), CHUNK: self.chunk}
        if sha:
            o[SHA] = hashlib.sha256(self.image).digest()
        self.say(0, 2, options(b"S", sorted(o.items())), b"\x15")
        got = self.take()
        self.step()
        got += self.take()
        assert (got[0].type, got[0].code, got[0].payload) == (2, 0, b"")
        assert (got[1].type, got[1].code, got[1].token) == (0, 0x41, b"\x15")
        self.ack(got[1])
        self.offset = number(got[1], SIZE)
        assert number(got[1], WINDOW) == 131072 // self.chunk
        return self

    def count(self):
        return (len(self.image) - self.offset + self.chunk - 1) // self.chunk

    def part(self, index):
        at = self.offset + (index - 1) * self.chunk
        return self.image[at : at + self.chunk]

    def send(self, *indexes):
        """Send chunks; return the acknowledgements as (index, payload)."""
        for index in indexes:
            self.say(1, 2, options(b"C", [(INDEX, index)]) + b"\xff" + self.part(index))
        return self.acks()

    def acks(self):
        return [(number(m, INDEX), m.payload) for m in self.take() if m.path == "A"]

    def finish(self, *flags):
        """Send a finish; return what was said besides the empty acknowledgement."""
        self.say(0, 2, options(b"F", [(flag, b"") for flag in flags]), b"\x16")
        self.step()
        got = self.take()
        assert (got[0].type, got[0].code) == (2, 0), got[0].raw
        return got[1:]


def number(m, wanted):
    """Return the value of an option of a message, None when it has none."""
    p = Message()
    assert p.parse(m.raw, 0, len(m.raw))
    return p.uint(wanted, None)
