"""Datagrams of the handshake that are lost, doubled, late, cut and broken (cloud-protocol 2.8)."""

from dtls_net import Net
from dtls_peer import DEVICE, SERVER, DeviceKeys, Memory, Peer
from particle.session.dtls import Dtls
from support import rng

HELLO = b"\x40\x02\x00\x01\xb1hhello"


def net(profile=0, peer=None, **faults):
    c = Dtls(DeviceKeys(DEVICE, SERVER), None, rng(5))
    c.profile = profile
    return Net(c, peer or Peer(), **faults)


def run(n, until=60000):
    with Memory():
        return n.run(until)


def opened(n):
    assert [e[1][0] for e in n.events] == ["STAGE", "OPEN"], n.events
    assert n.client.deadline() is None, n.sent
    assert n.peer.client == DEVICE.spki and n.peer.finished
    # data goes both ways; a number would not be taken twice
    n.say = [b"\x40\x00\x12\x34"]
    n.up = n.down = n.fair
    before = len(n.got)
    n.go_on(n.now + 1000)
    assert n.peer.heard[-1] == b"\x40\x00\x12\x34" and len(n.got) == before + 1
    return n


def lose(*which):
    return lambda index, datagram: [] if index in which else [(0, datagram)]


def ups(n):
    return [s[0] for s in n.sent if s[1] == "up"]


def test_each_datagram_lost_once():
    for profile in (0, 1):
        for i in range(3):
            n = run(net(profile, up=lose(i)))
            opened(n)
            start = (0, 40, 80)[i]
            assert ups(n)[i : i + 2] == [start, start + 3000]
            n = run(net(profile, down=lose(i)))
            opened(n)
            assert ups(n)[i : i + 2] == [start, start + 3000]


def test_every_second_datagram_lost_both_ways():
    for profile in (0, 1):
        for first in (0, 1):
            for other in (0, 1):
                n = net(profile)
                n.up = lambda i, d, first=first: [] if i & 1 == first else [(0, d)]
                n.down = lambda i, d, other=other: [] if i & 1 == other else [(0, d)]
                opened(run(n, 200000))


def down(n, stage, code, at):
    assert n.down_event() == (stage, code), n.events
    assert n.events[-1][0] == at
    assert n.client.deadline() is None and n.client.transmit(n.now) == 0


def test_no_answer_at_all():
    for profile in (0, 1):
        n = run(net(profile, up=lose(*range(99))))
        down(n, "port", -160, 45000)
        assert ups(n) == [0, 3000, 9000, 21000]
        numbers = [s[2][5:11] for s in n.sent]
        assert numbers == [i.to_bytes(6, "big") for i in range(4)]
        rest = [s[2][:5] + s[2][11:] for s in n.sent]
        assert rest == rest[:1] * 4  # message_seq too


def test_no_answer_after_the_cookie():
    n = run(net(up=lose(*range(1, 99))))
    down(n, "transport", -160, 45040)
    assert ups(n) == [0, 40, 3040, 9040, 21040]
    n = run(net(peer=Peer(cookie=None), down=lose(*range(99))))
    # without a cookie exchange nothing was ever heard
    down(n, "port", -160, 45000)


def test_no_answer_to_our_keys():
    for profile in (0, 1):
        n = run(net(profile, up=lose(*range(2, 99))))
        down(n, "device key", -160, 45080)
        assert ups(n) == [0, 40, 80, 3080, 9080, 21080]
        # the same messages, every record with a new number
        seen = set()
        for _, way, datagram in n.sent:
            at = 0 if way == "up" else len(datagram)
            while at < len(datagram):
                head = at + (21 if datagram[at] == 25 else 13)
                assert datagram[at + 3 : at + 11] not in seen
                seen.add(datagram[at + 3 : at + 11])
                at = head + (datagram[head - 2] << 8 | datagram[head - 1])


def test_the_socket_fails():
    for steps, stage in ((0, "port"), (1, "transport"), (2, "transport")):
        n = net(up=lose(*range(steps, 9)))
        run(n, 1000)
        n.client.receive(bytearray(1), 0, n.now)
        n.client.tick(n.now)
        assert n.client.event() == ("DOWN", stage, -230)
    n = opened(run(net()))
    n.client.receive(bytearray(1), 0, n.now)
    n.client.tick(n.now)
    assert n.client.event() == ("DOWN", "transport", -230)


def test_everything_doubled():
    for profile in (0, 1):
        for delay in (0, 5, 30, 2000):
            n = net(profile)
            n.up = n.down = lambda i, d, delay=delay: [(0, d), (delay, d)]
            run(n, 20000)
            assert ups(n)[2] == 80
            opened(n)


def test_one_message_per_datagram_in_any_order():
    take = rng(9)
    for turn in range(20):
        peer = Peer(mtu=(1400, 300, 150)[turn % 3])
        peer.apart = True
        n = net(turn & 1, peer=peer)
        n.down = lambda i, d: [(take(1)[0], d)]
        opened(run(n))
        assert len(ups(n)) == 4, ups(n)


def test_fragmented_flights():
    for profile in (0, 1):
        for mtu in (40, 60, 100, 150, 256, 400):
            n = opened(run(net(profile, peer=Peer(mtu=mtu))))
            assert len(ups(n)) == 4
            # and with a datagram of it lost
            n = opened(run(net(profile, peer=Peer(mtu=mtu), down=lose(1))))
            assert len(ups(n)) == 5 and ups(n)[2] == 3040


def test_flights_of_the_cloud_cut_at_any_byte():
    whole = run(net())
    sizes = [len(s[2]) for s in whole.sent if s[1] == "down"]
    for which in range(3):
        for cut in range(0, sizes[which], 13):
            n = net()
            n.down = lambda i, d, cut=cut, which=which: [(0, d[:cut] if i == which else d)]
            opened(run(n))


def test_our_flights_cut_at_any_byte():
    for which in range(3):
        for cut in range(0, 360, 37):
            peer = Peer()
            peer.strict = False
            n = net(peer=peer)
            n.up = lambda i, d, cut=cut, which=which: [(0, d[:cut] if i == which else d)]
            opened(run(n))


def test_flights_of_the_cloud_with_a_broken_byte():
    """A broken handshake message ends the attempt or is repaired; nothing else happens."""
    whole = run(net())
    sizes = [len(s[2]) for s in whole.sent if s[1] == "down"]
    for which in range(3):
        for at in range(0, sizes[which], 11):
            n = net()
            n.peer.strict = False

            def broken(i, d, at=at, which=which):
                if i != which:
                    return [(0, d)]
                return [(0, d[:at] + bytes((d[at] ^ 0x10,)) + d[at + 1 :])]

            n.down = broken
            run(n)
            if n.down_event() is None:
                opened(n)
            else:
                assert n.down_event()[0] in ("server key", "transport", "device key", "port")
                assert n.client.deadline() is None
                assert n.client.fits(1) is False


def test_chaos():
    for seed in range(40):
        take = rng(1000 + seed)

        def fault(i, d, take=take, up=False):
            x = take(4)
            if x[0] < 50:
                return []
            if x[0] < 70:
                return [(x[1] * 10, d)]
            if x[0] < 90:
                return [(0, d), (x[1] * 40, d)]
            if x[0] < 100:
                return [(0, d[: x[1]])]
            if x[0] < 104 and not up:
                at = x[1] % len(d)
                return [(0, d[:at] + bytes((d[at] ^ x[2],)) + d[at + 1 :])]
            return [(0, d)]

        peer = Peer(mtu=(1400, 200)[seed & 1])
        peer.strict = False
        n = net(seed >> 1 & 1, peer=peer, down=fault)
        n.up = lambda i, d, fault=fault: fault(i, d, up=True)
        if seed & 4:
            n.say = [HELLO]
        run(n, 250000)
        if n.down_event() is None:
            opened(n)
        else:
            assert n.client.deadline() is None


def test_lost_final_flight_is_replaced_by_data():
    n = net(down=lose(2))
    n.say = [HELLO]
    run(n, 1000)
    # the answer to the message came though Finished did not
    assert n.got == [b"\x60\x00\x00\x01"] and n.client.deadline() is None
    assert len(ups(n)) == 3
    opened(n)


def test_lost_answers_are_repaired_by_repeating_both():
    # Finished and all answers lost: the server has forgotten the handshake, so only data helps
    n = net(down=lose(2, 3, 4))
    n.say = [HELLO]
    run(n, 2000)
    assert n.got == [] and n.client.deadline() == 3080
    n.go_on(4000)
    assert ups(n)[3] == 3080 and n.client.deadline() == 9080
    n.say = [HELLO]  # as the connection repeats it
    n.go_on(4100)
    assert n.got == [] and len(n.peer.heard) == 2
    n.say = [HELLO]
    n.go_on(4200)
    assert n.got == [b"\x60\x00\x00\x01"] and n.client.deadline() is None
    opened(n)


def test_data_that_was_lost_with_our_flight_is_not_answered():
    n = net(up=lose(2))
    n.say = [HELLO]
    run(n, 4000)
    assert n.peer.finished and n.peer.heard == []
    opened(n)


def test_data_ahead_of_the_flight_is_dropped_by_the_cloud():
    n = net()
    # our flight is delayed, a message sent behind it is not
    n.up = lambda i, d: [(50 if i == 2 else 0, d)]
    run(n, 85)
    n.say = [HELLO]
    n.go_on(1000)
    assert n.peer.heard == []
    opened(n)
