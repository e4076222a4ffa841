"""On the board: what the DTLS channel alone keeps of the heap (see bench.channel_heap)."""

import gc
import json

from support import rng

_D = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF


class _Keys:
    # what dtls_peer.DeviceKeys is, without that file
    def __init__(self, public, server):
        self.public = public
        self.server = server

    def sign(self, digest):
        from particle.crypto import p256

        return p256.sign(_D, digest)


def imports(names):
    """Print the bytes that frozen modules take of the heap: dictionaries, classes, functions."""
    gc.collect()
    before = gc.mem_alloc()
    for name in names:
        __import__("particle." + name)
    gc.collect()
    print(gc.mem_alloc() - before)


def answers():
    """Print the keys and the cloud's datagrams of a handshake: the same random numbers again."""
    import dtls_answers
    from dtls_peer import DEVICE, SERVER, DeviceKeys
    from particle.session.dtls import Dtls

    assert DEVICE.d == _D
    client = Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5))
    client.start(0)
    said = [d.hex() for datagrams in dtls_answers.answers(client) for d in datagrams]
    print(json.dumps([DEVICE.spki.hex(), SERVER.spki.hex()] + said))


def measure():
    """Print the bytes in use: at most between two slices, and when the handshake is over."""
    with open("/tests/answers.json") as file:
        public, server, *said = [bytes.fromhex(text) for text in json.load(file)]
    take = rng(5)
    gc.collect()
    before = gc.mem_alloc()
    from particle.session.dtls import Dtls

    buf = bytearray(1280)
    client = Dtls(_Keys(public, server), None, take)
    client.start(0)
    peak = 0
    for datagram in said:
        while client.deadline() == 0:
            client.tick(0)
            gc.collect()
            peak = max(peak, gc.mem_alloc() - before)
        client.transmit(0)
        buf[: len(datagram)] = datagram
        client.receive(buf, len(datagram), 0)
        client.message()
    assert client.event()[0] == "STAGE" and client.event()[0] == "OPEN"
    assert client.event() is None and client.deadline() is None
    gc.collect()
    print(json.dumps([peak, gc.mem_alloc() - before]))
