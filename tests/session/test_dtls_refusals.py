"""What a client of the DTLS channel must not accept, and what it says about it."""

from dtls_net import Net
from dtls_peer import (
    DEVICE,
    DONE,
    EXCHANGE,
    FINISHED,
    HELLO,
    HVR,
    REQUEST,
    SERVER,
    DeviceKeys,
    Key,
    Memory,
    Peer,
    u16,
    u24,
)
from particle.session.dtls import Dtls
from support import rng

WRONG_KEY = b"\x02\x33"  # fatal decrypt_error
ILLEGAL = b"\x02\x2f"  # fatal illegal_parameter


def attempt(peer, profile=0, **faults):
    c = Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5))
    c.profile = profile
    n = Net(c, peer, **faults)
    with Memory():
        return n.run()


def refused(peer, alert, stage="transport", code=-240, **more):
    for profile in (0, 1):
        peer.restart()
        peer.numbers = {}
        peer.plain_seq = 0
        peer.alerts = []
        n = attempt(peer, profile, **more)
        assert n.down_event() == (stage, code), n.events
        assert peer.alerts == ([alert] if alert else []), peer.alerts
        assert not peer.finished and n.got == []
        assert n.client.deadline() is None and n.client.transmit(n.now) == 0
        assert n.now < 1000
    return n


def test_wrong_server_key_is_named():
    n = refused(Peer(Key(77)), WRONG_KEY, "server key", -130)
    assert n.sent[-1][2][:1] == b"\x15"  # in clear


def test_a_key_exchange_that_is_not_what_was_signed():
    def replay(body):  # of another connection
        return other[0]

    peer = Peer()
    peer.random = bytes(32)
    attempt(peer)
    at = peer.flight[1]
    other = [at[12:]]
    refused(Peer(change={EXCHANGE: replay}), WRONG_KEY, "server key", -130)
    for i in (10, 60):  # the public point
        peer = Peer(change={EXCHANGE: lambda b, i=i: b[:i] + bytes((b[i] ^ 1,)) + b[i + 1 :]})
        refused(peer, WRONG_KEY, "server key", -130)


def resigned(params):
    """Return a change that signs other parameters with the right key."""
    from hashlib import sha256

    from particle.crypto import p256
    from particle.wire import dtls_handshake
    from support import drive

    def change(body):
        digest = sha256(peer.client_random + peer.random + params).digest()
        proof = dtls_handshake.signature(*drive(p256.sign(SERVER.d, digest)))
        return params + b"\x04\x03" + u16(len(proof)) + proof

    peer = Peer(change={EXCHANGE: change})
    return peer


def test_points_that_are_none():
    good = Peer().ephemeral.point
    for point in (
        good[:64] + bytes((good[64] ^ 1,)),
        b"\x04" + bytes(64),
        b"\x04" + b"\xff" * 64,
        b"\x02" + good[1:],
    ):
        refused(resigned(b"\x03\x00\x17\x41" + point), ILLEGAL)


def test_other_curves():
    good = Peer().ephemeral.point
    refused(resigned(b"\x03\x00\x18\x41" + good), ILLEGAL)
    refused(resigned(b"\x03\x00\x1d\x20" + bytes(32)), ILLEGAL)
    refused(resigned(b"\x01\x00\x17\x41" + good), ILLEGAL)
    refused(resigned(b""), ILLEGAL)


def hello(change):
    return Peer(change={HELLO: change})


def test_other_suites_and_versions():
    for suite in (b"\xc0\xac", b"\xc0\x2b", b"\x00\x00", b"\x00\xff"):
        refused(hello(lambda b, s=suite: b[:35] + s + b[37:]), ILLEGAL)
    refused(hello(lambda b: b"\xfe\xff" + b[2:]), ILLEGAL)
    refused(hello(lambda b: b[:37] + b"\x01" + b[38:]), ILLEGAL)
    refused(hello(lambda b: b""), ILLEGAL)
    refused(hello(lambda b: b + b"\x00"), ILLEGAL)


def test_no_connection_id():
    refused(Peer(cid=None), ILLEGAL)
    for cid in (b"", b"1234567", b"123456789"):
        refused(Peer(cid=cid), ILLEGAL)


def test_the_cloud_must_want_our_raw_key():
    refused(hello(lambda b: b[:38] + u16(len(b) - 45) + b[45:]), ILLEGAL)  # without extension 19
    refused(hello(lambda b: b[:44] + b"\x00" + b[45:]), ILLEGAL)  # X.509
    refused(Peer(change={REQUEST: lambda b: None}), ILLEGAL)
    refused(Peer(change={REQUEST: lambda b: b"\x01\x01" + b[2:]}), ILLEGAL)


def test_requests_and_ends_of_a_wrong_length():
    for body in (b"\x01\x40", b"\x01\x40\x00\x02\x04\x03", b"\x01\x40\x00\x02\x04\x03\x00\x00z"):
        refused(Peer(change={REQUEST: lambda _, body=body: body}), ILLEGAL)
    refused(Peer(change={DONE: lambda _: b"z"}), ILLEGAL)


def test_messages_that_do_not_belong_here():
    def certificate(self, seq, flight=Peer.flight4):
        out = flight(self, seq)
        body = b"\x00\x00\x5b" + SERVER.spki
        m = b"\x0b" + u24(len(body)) + u16(seq + 1) + bytes(3) + u24(len(body)) + body
        return [out[0], m] + [x[:5] + bytes((x[5] + 1,)) + x[6:] for x in out[1:]]

    peer = Peer()
    peer.flight4 = lambda seq: certificate(peer, seq)
    refused(peer, ILLEGAL)
    for kind in (HELLO, EXCHANGE, REQUEST, DONE):
        for other in (0, 1, 2, 3, 11, 12, 14, 20, 22, 255):
            if other == kind or (kind, other) == (HELLO, 3):
                continue
            peer = Peer()

            def changed(seq, peer=peer, kind=kind, other=other):
                out = Peer.flight4(peer, seq)
                return [bytes((other,)) + m[1:] if m[0] == kind else m for m in out]

            peer.flight4 = changed
            refused(peer, ILLEGAL)


def test_a_finished_that_was_tampered_with():
    for change in (
        lambda m: m[:-1] + bytes((m[-1] ^ 1,)),
        lambda m: m[:3] + b"\x0b" + m[4:11] + b"\x0b" + m[12:-1],
        lambda m: m[:3] + b"\x00" + m[4:11] + b"\x00",
        lambda m: b"\x0e" + m[1:],
    ):
        for profile in (0, 1):
            peer = Peer(change={FINISHED: change})
            n = attempt(peer, profile)
            assert n.down_event() == ("transport", -240), n.events
            assert peer.alerts == [WRONG_KEY]
            assert n.sent[-1][2][:1] == b"\x19"  # protected


def test_a_finished_in_clear_is_none():
    peer = Peer()
    final = peer.final

    def clear():
        good = final()
        m = b"\x14" + u24(12) + u16(6) + bytes(3) + u24(12) + bytes(12)
        return [peer.record(22, m)] + good

    peer.final = clear
    n = attempt(peer)
    assert n.down_event() is None and n.client.deadline() is None
    peer = Peer()
    peer.final = lambda: [peer.record(20, b"\x01") + peer.record(22, bytes(12))]
    n = attempt(peer)
    assert n.down_event() == ("device key", -160)


def test_a_cookie_that_is_never_right():
    count = [0]

    def other(body):
        count[0] += 1
        return body[:-1] + bytes((count[0],))

    peer = Peer(change={HVR: other})
    n = refused(peer, ILLEGAL)
    assert [s[1] for s in n.sent] == ["up", "down"] * 4 + ["up"]
    # the same cookie again and again is not better
    peer = Peer(change={HVR: lambda body: body[:2] + b"\x04none"})
    refused(peer, ILLEGAL)
    assert peer.hellos == 8  # in two attempts


def test_cookies_that_are_none():
    for body in (b"", b"\xfe\xfd", b"\xfe\xfd\x00", b"\xfe\xfd\x05abcd", b"\xfe\xfd\x01ab"):
        refused(Peer(change={HVR: lambda _, body=body: body}), ILLEGAL)
    # of any length and version
    for version in (b"\xfe\xff", b"\xfe\xfd"):
        for size in (1, 32, 255):
            peer = Peer(cookie=bytes(size))
            peer.change = {HVR: lambda b, version=version: version + b[2:]}
            n = attempt(peer)
            assert n.down_event() is None and n.client.deadline() is None


def test_alerts_in_clear():
    # of the cloud, while there is nothing better
    for content, wanted in (
        (b"\x02\x28", ("transport", -240)),
        (b"\x02\x00", ("cloud", -201)),
        (b"\x01\x00", None),
        (b"\x01\x28", None),
        (b"\x02", None),
        (b"", None),
        (b"\x02\x28\x00", None),
    ):
        peer = Peer()

        def answer(m, seq, peer=peer, content=content):
            return [peer.record(21, content)] + Peer.client_hello(peer, m, seq)

        peer.client_hello = answer
        n = attempt(peer)
        assert n.down_event() == wanted
        assert peer.alerts == []
    # after our keys it is about them
    peer = Peer()
    peer.final = lambda: [peer.record(21, b"\x02\x31")]
    n = attempt(peer)
    assert n.down_event() == ("device key", -130)


def test_protected_alert_in_place_of_finished():
    peer = Peer()
    peer.final = lambda: [peer.sealed(21, b"\x02\x33")]
    n = attempt(peer)
    assert n.down_event() == ("device key", -130)


def noise(peer, records):
    """Put these records in front of and behind everything the cloud says."""
    receive = peer.receive

    def noisy(datagram):
        out = []
        for d in receive(datagram):
            out.append(records() + d + records())
        return out

    peer.receive = noisy
    return peer


def joined(peer):
    n = attempt(peer)
    assert n.down_event() is None, n.events
    assert n.client.deadline() is None and peer.finished
    n.deliver(peer.data(b"data"))
    assert n.got[-1] == b"data"
    return n


def test_records_that_mean_nothing_during_a_handshake():
    peer = Peer()

    def records():
        out = peer.record(23, b"data in clear") + peer.record(20, b"\x01")
        out += peer.record(99, b"?") + peer.record(22, b"") + peer.record(22, bytes(11))
        out += b"\x17\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x20" + bytes(32)
        out += b"\x16\xfe\xfd\x00\x02" + bytes(6) + b"\x00\x0c" + bytes(12)
        return out + b"\x16\x03\x03" + bytes(8) + b"\x00\x03abc"

    n = joined(noise(peer, records))
    assert n.got == [b"data"]


def test_stray_bytes_behind_the_records_of_the_cloud():
    for count in range(1, 13):
        peer = Peer()
        receive = peer.receive
        peer.receive = lambda d, r=receive, c=count: [x + bytes((c,) * c) for x in r(d)]
        joined(peer)


def test_message_numbers():
    def numbered(shift):
        peer = Peer()

        def flight(seq):
            out = Peer.flight4(peer, seq)
            return [m[:4] + u16((m[4] << 8 | m[5]) + shift & 0xFFFF) + m[6:] for m in out]

        peer.flight4 = flight
        return peer

    # the whole flight with wrong numbers is never read
    for shift in (1, 2, 100, 0xFFFF):
        n = attempt(numbered(shift))
        # one too low, its ServerKeyExchange comes in the place of the ServerHello
        assert n.down_event()[0] == "transport"
        assert n.peer.client is None
    # messages of the future among the right ones change nothing
    peer = Peer()

    def records():
        out = b""
        for seq in (6, 7, 8, 9, 200, 65535):
            out += peer.record(22, b"\x0e" + u24(0) + u16(seq) + bytes(6))
        return out

    joined(noise(peer, records))


def test_finished_is_not_read_before_its_time():
    # in clear it waits for its turn and is thrown away with its epoch
    for size in (12, 13):
        peer = Peer()

        def records(peer=peer, size=size):
            m = b"\x14" + u24(size) + u16(5) + bytes(3) + u24(size) + bytes(size)
            return peer.record(22, m)

        joined(noise(peer, records))


# kind, length, message_seq and what is there of it: the beginning of a message that never ends
BEGUN = (
    (12, 1000, 7, b"x"),
    (12, 1000, 5, b"x"),
    (12, 99, 2, b"x"),
    (12, 1024, 2, b"x"),
    (99, 50, 1, b"x"),
    (2, 1024, 1, b"x"),
    (14, 1, 4, b""),
    (14, 1024, 4, b""),
)


def begun(peer, kind, size, seq, part):
    head = bytes((kind,)) + u24(size) + u16(seq)
    return peer.record(22, head + u24(0) + u24(len(part)) + part)


def test_what_strangers_begin_does_not_stop_the_cloud():
    # around everything the cloud says, also around all its repetitions
    for form in BEGUN:
        for apart in (False, True):
            peer = Peer()
            peer.apart = apart
            n = joined(noise(peer, lambda peer=peer, form=form: begun(peer, *form)))
            assert n.peer.client == DEVICE.spki
            assert len([s for s in n.sent if s[1] == "up"]) == 3, form


def test_what_strangers_begin_between_fragments_costs_one_repetition_at_most():
    for form in BEGUN:
        for place in range(1, 7):  # 0 is the cookie, which makes a new beginning
            peer = Peer(mtu=150)

            def down(i, d, form=form, place=place, peer=peer):
                return [(0, begun(peer, *form)), (0, d)] if i == place else [(0, d)]

            n = attempt(peer, down=down)
            assert n.down_event() is None and n.client.deadline() is None and peer.finished
            assert len([s for s in n.sent if s[1] == "up"]) <= 4, (form, place)
