"""A connection over UDP from end to end: the client's handshake, its records, its resumption.

The cloud's datagrams are made beforehand: the same random numbers give the same handshake again.
"""

from dtls_answers import answers, take
from dtls_peer import DEVICE, SERVER, DeviceKeys
from particle.session.dtls import Dtls
from particle.wire.dtls_record import Records
from support import rng

VECTORS = {}

_MESSAGE = b"\x50\x02\x12\x34\xb1E\x09m3/record\xff1"


def _client(profile):
    client = Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5))
    client.profile = profile
    client.start(0)
    return client


def _handshake(profile, answered):
    client = _client(profile)
    for datagrams in answered:
        yield
        client.transmit(0)
        for datagram in datagrams:
            yield
            take(client, [datagram])
        while client.deadline() == 0:
            yield
            client.tick(0)
    kinds = []
    while True:
        event = client.event()
        if event is None:
            break
        kinds.append(event[0])
    assert kinds == ["STAGE", "OPEN"]


def _records(fast):
    # two ends of one connection
    block = bytes(range(40))
    ours, theirs = Records(), Records()
    ours.keys(block, b"c" * 8, b"d" * 8, fast)
    theirs.keys(block[16:32] + block[:16] + block[36:] + block[32:36], b"d" * 8, b"c" * 8, fast)
    return ours, theirs


def cases():
    """Yield (key, function); what the function returns is counted too if it is a generator."""
    for profile, name in enumerate(("compact", "device_os")):
        answered = answers(_client(profile))
        yield "dtls_handshake_" + name, lambda p=profile, a=answered: _handshake(p, a)
    size = len(_MESSAGE)
    for fast, name in ((False, "small"), (True, "fast")):
        ours, theirs = _records(fast)
        for _ in range(2):  # what is made once is not counted
            buf = bytearray(128)
            at = theirs.head()
            buf[at : at + size] = _MESSAGE
            n = theirs.seal(23, buf, 0, size)
            assert ours.open(buf, 0, n) == n and ours.n == size
            buf = bytearray(128)
            buf[at : at + size] = _MESSAGE
            n = theirs.seal(23, buf, 0, size)
        yield "record_open_" + name, lambda r=ours, b=buf, n=n: r.open(b, 0, n)
        assert ours.n == size
        out = bytearray(128)
        yield "record_seal_" + name, lambda r=ours, b=out: r.seal(23, b, 0, size)
