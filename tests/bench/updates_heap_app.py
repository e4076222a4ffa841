"""On the board: what an update keeps of the heap beyond a connection (see bench.updates)."""

import gc
import os

from update_world import World, options

INDEX, WINDOW, SIZE, SHA, CHUNK, DISCARD, CANCEL, FUNCTION = range(2049, 2078, 4)
_CHUNK = 512
_HEAD = 11  # bytes of a message before its chunk
_INDEX_AT = 9
_IMAGE = "/tests/image.bin"
_ABOUT = {"board": "UNIX_SIM", "platform": 3, "product": 3, "abi": 6, "client": 65536}


class _None:
    def __init__(self, *_):
        pass

    def message(self, now, m=None):
        pass

    deadline = tick = message


class _Measured(World):
    before = peak = 0

    def step(self):
        # between any two slices of what takes long, too
        while self.transfer.deadline(self.now) == self.now:
            self.transfer.tick(self.now)
            self.measure()
        super().step()

    def measure(self):
        if self.before:
            self.peak = max(self.peak, _used() - self.before)


def _scrub(n):
    # over what the stack still holds of calls that are over: the collector would spare it
    a = b = c = d = e = f = g = h = 0
    if n:
        _scrub(n - 1)
    return a, b, c, d, e, f, g, h


def _used():
    _scrub(20)
    gc.collect()
    return gc.mem_alloc()


def _target(key):
    from particle.ota.app_slots import AppSlots
    from particle.wire.module import Image, user_slots

    def image(size, function):
        return Image(size, 3, user_slots(3))

    return AppSlots("/build/pt", image, _ABOUT, [key], 3, user_slots(3))


def measure(sha, key):
    """Print bytes beyond those before an update: of its code, and the most of all the rest.

    sha: SHA-256 of the image; key: the public one of its signature.
    """
    size = os.stat(_IMAGE)[6]
    w = _Measured(_None)
    start = options(b"S", [(SIZE, size), (SHA, sha), (CHUNK, _CHUNK), (FUNCTION, 5)])
    datagram = bytearray(b"\x50\x02\0\0" + options(b"C", [(INDEX, 1)]) + b"\xff" + bytes(_CHUNK))
    view = memoryview(datagram)
    f = open(_IMAGE, "rb")  # noqa: SIM115 - it stays open
    # what the boot stage, the description of the application that runs and the handshake need
    import particle.crypto.p256
    import particle.ota.record
    import particle.wire.describe  # noqa: F401

    w.before = _used()
    import particle.updating  # noqa: F401  its code counts too
    from particle.session.update import Update

    _target(key)
    code = _used() - w.before
    w.target = _target(key)
    w.transfer = Update(w.conn, w.target, w)
    for char in "SCF":
        w.conn.on(2, char, w.transfer.message)
    w.say(0, 2, start, b"\x15")
    w.step()
    for m in w.take():
        if m.type == 0:
            w.ack(m)
    m = start = None
    count = (size + _CHUNK - 1) // _CHUNK
    # each fifth chunk comes behind the four after it
    for index in [n + k for n in range(1, count + 1, 5) for k in (1, 2, 3, 4, 0)]:
        if index > count:
            continue
        f.seek((index - 1) * _CHUNK)
        # the datagram of a chunk, in place as a socket has it
        n = f.readinto(view[_HEAD:])
        datagram[2] = 100
        datagram[3] = datagram[_INDEX_AT] = index
        w.conn.receive(datagram, _HEAD + n, w.now)
        w.measure()
        w.step()
        w.take()
        w.told_of = []
        w.measure()
    assert w.target.stored == size
    w.say(0, 2, b"\xb1F", b"\x16")
    for m in w.take():
        if m.type == 0:
            w.ack(m)
    assert w.completed
    print(code, w.peak - code)
