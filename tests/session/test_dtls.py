"""The DTLS channel with a scripted cloud on a fake clock (cloud-protocol 2.2, 2.8)."""

from binascii import unhexlify

import micropython

from dtls_net import Net
from dtls_peer import CID, DEVICE, SERVER, DeviceKeys, Memory, Peer
from particle.crypto.ccm import Ccm
from particle.session.dtls import Dtls
from support import raises, rng, session_lines

HELLO = unhexlify("40020001b168ff271000050036000a000ce00fce681234567890abcdef18380480001000000200")
MORE = b"\x40\x02\x00\x02\xb1Edata"


def client(profile=0, seed=5, keys=None, **more):
    c = Dtls(keys or DeviceKeys(DEVICE, SERVER), None, rng(seed), **more)
    c.profile = profile
    return c


def joined(profile=0, say=(), peer=None, **more):
    with Memory():
        n = Net(client(profile), peer or Peer(), **more)
        n.say = list(say)
        n.run()
    return n


def opened(n):
    kinds = [e[1][0] for e in n.events]
    assert kinds == ["STAGE", "OPEN"], n.events
    assert n.events[0][1] == ("STAGE", "transport", None)
    assert n.events[1][1] == ("OPEN", False, None)
    assert n.client.deadline() is None
    assert n.peer.client == DEVICE.spki and n.peer.finished
    return n


def sizes(n):
    return [len(s[2]) for s in n.sent]


def test_compact():
    n = opened(joined())
    # signatures vary by two bytes each
    assert [s for i, s in enumerate(sizes(n)) if i not in (3, 4)] == [108, 44, 124, 67]
    assert 318 <= sizes(n)[3] <= 321 and 356 <= sizes(n)[4] <= 361
    assert n.bytes()[0] <= 1095
    assert n.peer.padding == 0


def test_device_os():
    n = opened(joined(1))
    assert [s for i, s in enumerate(sizes(n)) if i not in (3, 4)] == [116, 44, 132, 67]
    assert 389 <= sizes(n)[4] <= 394
    assert n.peer.padding == 7  # 24 bytes and a type, up to 32


def test_hello_of_the_recorded_session():
    lines = [line for line in session_lines() if line.get("hs") == "ClientHello"]
    random = unhexlify(lines[0]["raw"])[27:59]
    c = Dtls(DeviceKeys(DEVICE, SERVER), None, lambda n: random)
    c.profile = 1
    c.start(0)
    assert bytes(c.out[: c.transmit(0)]) == unhexlify(lines[0]["raw"])
    reply = bytearray(
        unhexlify(next(x["raw"] for x in session_lines() if x.get("hs") == "HelloVerifyRequest"))
    )
    c.receive(reply, len(reply), 5)
    assert bytes(c.out[: c.transmit(5)]) == unhexlify(lines[1]["raw"])


def test_without_a_cookie():
    for profile in (0, 1):
        n = opened(joined(profile, peer=Peer(cookie=None)))
        assert n.bytes()[1] == 4 and n.peer.hellos == 1


def test_data_right_behind_finished():
    n = opened(joined(0, [HELLO, MORE]))
    assert n.peer.heard == [HELLO, MORE]
    assert n.got == [b"\x60\x00\x00\x01", b"\x60\x00\x00\x02"]
    assert n.bytes()[1] == 8  # answers come one by one
    assert n.events[1][0] < n.sent[4][0] + 1


def test_device_os_waits_for_finished_and_sends_one_record_each():
    n = opened(joined(1, [HELLO, MORE]))
    assert n.peer.heard == [HELLO, MORE]
    assert sizes(n)[6:] == [85, 53, 33, 33]
    assert n.events[1][0] == n.sent[5][0] + Net.LATENCY


def test_one_datagram_holds_what_fits():
    for length in (1, 40, 400, 700):
        n = opened(joined(0, [b"\x40\x02" + bytes([0, i]) + bytes(length) for i in range(20)]))
        assert len(n.peer.heard) == 20
        assert max(sizes(n)) <= 1205
        ups = [len(s[2]) for s in n.sent if s[1] == "up"]
        assert len(ups) == {1: 4, 40: 4, 400: 13, 700: 22}[length], ups


def test_largest_message():
    n = opened(joined(0, [bytes(1152), HELLO]))
    assert n.peer.heard == [bytes(1152), HELLO]
    assert not n.client.fits(1153) and n.client.fits(1152)
    assert n.client.room == 1152
    n = opened(joined(1, [bytes(1152)]))
    assert sizes(n)[6] == 1205
    small = joined(0, [bytes(512)], peer=Peer())
    assert small.peer.heard == [bytes(512)]


def test_smaller_buffers():
    with Memory():
        c = client(size=512)
        assert len(c.out) < 512
        n = Net(c, Peer())
        n.say = [bytes(512)]
        opened(n.run())
        assert 512 < len(c.out) <= 565 and not c.fits(513)
    assert n.peer.heard == [bytes(512)]


def test_data_of_the_cloud():
    n = opened(joined())
    p = n.peer
    many = [bytes([i] * (i + 4)) for i in range(20)]
    n.deliver(b"".join([p.data(m) for m in many]))
    assert n.got == many
    n.deliver(p.data(b"") + p.data(b"after an empty one"))
    assert n.got[20:] == [b"after an empty one"]
    again = p.data(b"once")
    for _ in range(3):
        n.deliver(again)
    assert n.got[21:] == [b"once"]
    n.deliver(
        b"".join([p.data(b"one", seq=1000), p.data(b"old", seq=936), p.data(b"two", seq=937)])
    )
    assert n.got[22:] == [b"one", b"two"]


def test_data_of_the_cloud_behind_its_finished():
    peer = Peer()
    final = peer.final
    peer.final = lambda: [b"".join(final()) + peer.data(b"welcome") + peer.data(b"again")]
    for profile in (0, 1):
        peer.restart()
        n = opened(joined(profile, peer=peer))
        assert n.got == [b"welcome", b"again"]
        peer.finished = peer.forgotten = False
        peer.numbers = {}
        peer.seq = 0


def test_slices():
    n = Net(client(), Peer())
    n.run()
    opened(n)
    with Memory():
        slices = n.slices
    assert slices > 8  # one `yield` at least after each step of the calculation


def test_unsent_datagram_is_offered_again():
    c = client()
    c.start(0)
    n = c.transmit(0)
    first = bytes(c.out[:n])
    assert c.transmit(0) == 0
    c.unsent(n)
    assert bytes(c.out[: c.transmit(0)]) == first
    n = opened(joined())
    c = n.client
    c.out[c.head : c.head + 4] = b"\x40\x00\x00\x05"
    c.seal(4)
    k = c.transmit(n.now)
    c.unsent(k)
    # another one may be put behind it
    assert c.fits(4)
    c.out[c.head : c.head + 4] = b"\x40\x00\x00\x06"
    c.seal(4)
    k = c.transmit(n.now)
    n.launch(True, bytes(c.out[:k]))
    n.go_on()
    assert n.peer.heard == [b"\x40\x00\x00\x05", b"\x40\x00\x00\x06"]


def test_a_second_start_is_a_new_handshake():
    n = opened(joined(0, [HELLO]))
    n.peer = Peer()
    n.events = []
    n.say = [HELLO]
    with Memory():
        n.run(n.now + 60000)
    opened(n)
    assert n.peer.heard == [HELLO]


def test_close_notify_and_alerts_of_the_cloud():
    for content, code in ((b"\x01\x00", -201), (b"\x02\x00", -201), (b"\x02\x14", -240)):
        n = opened(joined())
        n.deliver(n.peer.sealed(21, content) + n.peer.data(b"not read any more"))
        n.go_on()
        assert n.down_event() == ("cloud", code), content
        assert n.got == []
        idle(n.client)
    n = opened(joined())
    n.deliver(n.peer.sealed(21, b"\x02\x31"))  # access_denied: it does not know our key
    n.go_on()
    assert n.down_event() == ("device key", -130)
    for content in (b"\x01\x64", b"\x01\x5a", b"\x02", b"", b"\x02\x14\x00"):
        n = opened(joined())
        n.deliver(n.peer.sealed(21, content) + n.peer.data(b"read"))
        n.go_on()
        assert n.down_event() is None and n.got == [b"read"]


def idle(c):
    """Check that a channel that is down asks for nothing and takes nothing."""
    assert c.deadline() is None and c.transmit(1) == 0 and c.event() is None
    assert not c.fits(4)
    c.receive(bytearray(b"\x16\xfe\xfd" + bytes(40)), 43, 1)
    assert c.message() == 0 and c.event() is None
    c.tick(99999)
    assert c.event() is None


def test_what_is_not_protected_means_nothing_to_a_session():
    n = opened(joined())
    p = n.peer
    for record in (
        p.record(21, b"\x02\x28"),
        p.record(21, b"\x01\x00"),
        p.record(23, b"data in clear"),
        p.record(22, bytes(12)),  # HelloRequest
        p.record(22, b"\x03\x00\x00\x03\x00\x00" + bytes(3) + b"\x00\x00\x03\xfe\xfd\x00"),
        p.record(20, b"\x01"),
        p.record(99, b"abc"),
        p.data(b"of another epoch", epoch=2),
        p.data(b"of another epoch", epoch=0),
    ):
        n.deliver(record + p.data(b"next"))
        assert n.got.pop() == b"next" and n.got == []
        assert n.client.transmit(n.now) == 0 and n.client.event() is None


def test_renegotiation_is_ignored():
    n = opened(joined())
    p = n.peer
    hello_request = bytes(12)
    n.deliver(p.sealed(22, hello_request) + p.sealed(22, hello_request[:5] + b"\x06" + bytes(6)))
    for m in p.flight:
        n.deliver(p.sealed(22, m))
    n.deliver(p.sealed(20, b"\x01") + p.sealed(22, b"") + p.sealed(99, b"?") + p.data(b"next"))
    n.go_on()
    assert n.got == [b"next"] and n.down_event() is None
    assert n.client.transmit(n.now) == 0


def test_nothing_is_allocated_for_a_received_record():
    n = opened(joined())
    c = n.client
    c._records._open = Ccm(n.peer.keys[16:32], False)
    buf = bytearray(n.peer.data(b"x" * 200) + n.peer.data(b"y" * 20))
    size = len(buf)
    now = n.now
    micropython.heap_lock()
    try:
        c.receive(buf, size, now)
        one = c.message()
        two = c.message()
        three = c.message()
        c.tick(now)
        event = c.event()
        due = c.deadline()
    finally:
        micropython.heap_unlock()
    assert (one, two, three, event, due) == (200, 20, 0, None, None)
    assert bytes(buf[c.at : c.at + 20]) == b"y" * 20


def test_what_a_session_needs_is_in_the_records():
    n = opened(joined(0, [HELLO, MORE]))
    r = n.client._records
    assert (r.hi, r.lo) == (0, 3) and r.cid == CID
    assert (r.top_hi, r.top_lo, r.window[0]) == (0, 2, 7)
    assert n.client.seed == 0 and len(r.block) == 40


def test_resumed():
    n = opened(joined(0, [HELLO]))
    c = client()
    c.restore(n.now, *n.client.state(1000))
    assert c.event() == ("OPEN", True, None) and c.deadline() is None
    n.client = c
    n.say = [MORE, HELLO]
    n.go_on()
    first, second = 38 + len(MORE), 38 + len(HELLO)
    datagram = n.sent[-3][2]
    assert len(datagram) == first + second and (datagram[0], datagram[first]) == (253, 25)
    assert n.peer.heard == [HELLO, MORE, HELLO] and n.got[-2] == b"\x60\x00\x00\x02"


def test_a_key_that_does_not_sign():
    for error, wanted in ((ValueError, "device key"), (OSError, "device key"), (MemoryError, "")):
        keys = DeviceKeys(DEVICE, SERVER)

        def sign(digest, error=error):
            yield
            raise error

        keys.sign = sign
        with Memory():
            n = Net(client(keys=keys), Peer())
            try:
                n.run()
                assert wanted
            except MemoryError:  # the caller's affair; the channel does not hang
                assert not wanted
                n.go_on()
        assert n.down_event() == ((wanted, -130) if wanted else ("transport", -150))
        assert n.client.deadline() is None


def test_misuse():
    c = client()
    raises(AttributeError, c.seal, 4)  # nothing was started
