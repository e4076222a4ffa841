"""Damaged input for everything that reads DTLS: `dtls_mutated.py PARSER COUNT SEED`, both
interpreters. Nothing raises, nothing grows, nothing damaged is taken for authentic.
"""

import gc
import sys

from dtls_net import Net
from dtls_peer import CID, DEVICE, SERVER, DeviceKeys, Memory, Peer
from particle.session.dtls import Dtls
from particle.session.dtls_std import StandardHandshake
from particle.wire.dtls_handshake import Handshake
from particle.wire.dtls_record import Records
from support import rng

BLOCK = bytes(range(40))


def mutate(take, data):
    """Return `data` with one to three faults of all kinds."""
    data = bytearray(data)
    for _ in range(take(1)[0] % 3 + 1):
        x = take(5)
        n = len(data)
        at = (x[1] << 8 | x[2]) % (n + 1)
        if x[0] < 80 and n:
            data[at % n] ^= 1 << (x[3] & 7)
        elif x[0] < 130 and n:
            data[at % n] = x[3]
        elif x[0] < 150:
            data = data[:at]
        elif x[0] < 170:
            data = data[:at] + data[at + x[3] % 16 :]
        elif x[0] < 190:
            data = data[:at] + take(x[3] % 16) + data[at:]
        elif x[0] < 210:
            data = data[:at] + data[at - x[3] :] if at > x[3] else data + data[:at]
        elif x[0] < 230 and n > 1:  # a length or number that is extreme
            at %= n - 1
            data[at : at + 2] = (b"\x00\x00", b"\xff\xff", b"\x00\x01", b"\x7f\xff")[x[4] & 3]
        else:
            data = data + take(x[3] % 30)
    return bytes(data)


def records(count, seed):
    """Feed damaged datagrams to the record layer."""
    take = rng(seed)
    accepted = 0
    reader = None
    for turn in range(count):
        if turn % 250 == 0:
            # each side's form: with a connection ID, and without
            own = CID if turn % 500 else b""
            writer, reader = Records(), Records()
            writer.keys(BLOCK, own, b"", False)
            swapped = BLOCK[16:32] + BLOCK[:16] + BLOCK[36:] + BLOCK[32:36]
            reader.keys(swapped, b"", own, False)
            known = {}
        buf = bytearray(300)
        end = 0
        for _ in range(take(1)[0] % 3 + 1):
            content = take(take(1)[0] % 40 + 1)
            head = end + writer.head()
            buf[head : head + len(content)] = content
            known[content] = 0
            end += writer.seal(23, buf, end, len(content))
        buf = bytearray(mutate(take, buf[:end]))
        at = 0
        steps = 0
        while at < len(buf):
            stop = reader.open(buf, at, len(buf))
            assert at < stop <= len(buf)
            at = stop
            steps += 1
            if reader.type and reader.epoch:
                content = bytes(buf[reader.at : reader.at + reader.n])
                assert reader.type == 23 and known[content] == 0
                known[content] = 1
                accepted += 1
        assert steps <= len(buf) // 13 + 1
    return accepted


def good_flight(standard=False):
    """Return the server's flight as messages, and the handshake that waits for it."""
    peer = Peer(cookie=None)
    peer.client_random = bytes(32)
    peer.messages = b""
    with Memory():
        return peer.flight4(0)


def handshake(count, seed):
    """Feed damaged messages to the reassembly and to what takes them apart."""
    take = rng(seed)
    flight = good_flight()
    done = 0
    for turn in range(count):
        if turn & 1:
            shake = StandardHandshake(bytes(32), SERVER.spki, b"")
            limit = 4096
        else:
            shake = Handshake(bytes(32))
            limit = 1024
        shake.hello()
        whole = b"".join(flight)
        cut = take(1)[0]
        for data in (whole[:cut], whole[cut:], whole) if turn & 2 else flight:
            if take(1)[0] < 100:
                data = mutate(take, data)
            data = bytearray(data)
            shake.add(data, 0, len(data))
            assert sum([len(p[1]) for p in shake._parts.values()]) <= limit
            assert len(shake._parts) <= 5
        try:
            while True:
                m = shake.take()
                if m is None:
                    break
                assert len(m) == 12 + (m[1] << 16 | m[2] << 8 | m[3])
                if not shake.cookie(m) and shake.accept(m):
                    done += 1
        except (ValueError, IndexError):
            pass
    return done


class Trusting(Memory):
    """Calculates nothing that was not asked before: every other signature is wrong."""

    def remembering(self, name, function):
        ask = super().remembering(name, function)

        def known(*args):
            if name == "verify" and (name,) + args not in self.answers:
                yield
                return False
            return (yield from ask(*args))

        return known


def channel(count, seed):
    """Feed damaged datagrams to the channel in each of its states."""
    take = rng(seed)
    with Memory():
        net = Net(Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5)), Peer())
        net.run()
    down = [s[2] for s in net.sent if s[1] == "down"]
    ends = {}
    with Trusting():
        for turn in range(count):
            state = turn & 3
            if state < 3 or turn == 3:
                c = Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5))
                c.profile = 0
                c.start(0)
                for i in range(state):
                    feed(c, down[i])
                if state == 3:
                    opened = c
            else:
                c = opened
            if state == 3:
                datagram = net.peer.data(b"authentic %d" % turn)
            else:
                datagram = down[state]
            damaged = mutate(take, datagram)
            got = feed(c, damaged)
            assert got in ([], [b"authentic %d" % turn]), got
            end = c.event()
            while end and end[0] != "DOWN":
                end = c.event()
            assert end is None or state < 3, (end, damaged)
            key = state, end and end[1]
            ends[key] = ends.get(key, 0) + 1
            # and it can be started again
            if turn % 500 == 0:
                c.start(0)
                assert c.transmit(0) == 108
                opened = Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5))
                opened.start(0)
                for d in down:
                    feed(opened, d)
                while opened.event():
                    pass
    return ends


def feed(c, datagram):
    """Give a channel one datagram, let it calculate, return the messages."""
    buf = bytearray(datagram)
    got = []
    if buf:
        c.receive(buf, len(buf), 1)
    for _ in range(200):
        while True:
            n = c.message()
            if n == 0:
                break
            got.append(bytes(c.buf[c.at : c.at + n]))
        c.transmit(1)
        if c.deadline() != 1:
            return got
        c.tick(1)
    raise AssertionError("no end")


PARSERS = {"records": records, "handshake": handshake, "channel": channel}

if __name__ == "__main__":
    if hasattr(gc, "freeze"):
        gc.freeze()  # the device code collects for every handshake: most of the time
    print(sys.argv[1], PARSERS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3])), "ok")
