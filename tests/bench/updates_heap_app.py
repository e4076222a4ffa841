"""On the board: what an update keeps of the heap beyond a connection (see bench.updates)."""

import gc
import hashlib

from update_world import World, options

INDEX, WINDOW, SIZE, SHA, CHUNK = range(2049, 2066, 4)
_CHUNK = 512
_BYTES = 40 * 512
_HEAD = 11  # bytes of a message before its chunk
_INDEX_AT = 9


class _None:
    def __init__(self, *_):
        pass

    def message(self, now, m=None):
        pass

    deadline = tick = message


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


def _fill(datagram, index):
    # the datagram of a chunk, in place as a socket does it
    datagram[2] = 100
    datagram[3] = datagram[_INDEX_AT] = index
    for i in range(_HEAD, _HEAD + _CHUNK):
        datagram[i] = index


def measure():
    """Print the most bytes in use between two messages of an update, beyond those before it."""
    digest = hashlib.sha256()
    for index in range(1, _BYTES // _CHUNK + 1):
        digest.update(bytes([index]) * _CHUNK)
    w = World(_None)
    start = options(b"S", [(SIZE, _BYTES), (SHA, digest.digest()), (CHUNK, _CHUNK)])
    datagram = bytearray(b"\x50\x02\0\0" + options(b"C", [(INDEX, 1)]) + b"\xff" + bytes(_CHUNK))
    before = _used()
    import particle.updating  # noqa: F401  its code counts too
    from particle.ota.staging import Staging
    from particle.session.update import Update

    w.target = Staging("/build/pt")
    w.transfer = Update(w.conn, w.target, w)
    for char in "SCF":
        w.conn.on(2, char, w.transfer.message)
    w.say(0, 2, start, b"\x15")
    w.step()
    for m in w.take():
        if m.type == 0:
            w.ack(m)
    m = start = None
    peak = 0
    # each fifth chunk comes behind the four after it
    for index in [n + k for n in range(1, 41, 5) for k in (1, 2, 3, 4, 0)]:
        _fill(datagram, index)
        w.conn.receive(datagram, len(datagram), w.now)
        w.step()
        w.take()
        w.told_of = []
        peak = max(peak, _used() - before)
    assert w.target.stored == _BYTES
    w.say(0, 2, b"\xb1F", b"\x16")
    for m in w.take():
        if m.type == 0:
            w.ack(m)
    assert w.completed
    print(peak)
