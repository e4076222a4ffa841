"""What may be done to the UDP port by who has a cookie, and by broken devices in a session."""

import random
import secrets
import time

import pytest

from cloud.device import CON, NON, pack
from cloud.dtls_client import (
    handshake_message,
    hello_record,
    hello_record_with_cookie,
    plain_record,
)
from cloud.running import Api, new_ec_key, provision_ec
from cloud.test_udp_session import state_of, wait_for
from cloud.udp_device import UdpDevice, hello_payload
from particle_tools.cloud.settings import Limits

pytestmark = pytest.mark.usefixtures("no_errors")


@pytest.fixture(scope="module")
def time_stands():
    return True


def tables(cloud):
    """Return how many entries the gateway keeps for handshakes."""
    gateway = cloud.cloud._udp
    return len(gateway._handshaking)


@pytest.fixture(scope="module")
def small(held_cloud):
    """A cloud with room for few handshakes, whose time the tests let pass."""
    return held_cloud(limits=Limits(handshakes=20))


def half_open(cloud, key=None):
    """Run a handshake up to the server's flight."""
    return cloud.udp_device(key, "00" * 12).half_open()


def test_handshakes_nobody_finishes(small, ec_key):
    device_id = provision_ec(Api(small.url).login(), ec_key)
    refused = small.services.refusals.total
    opened = [half_open(small) for _ in range(60)]
    assert tables(small) == 20
    newest = small.services.refusals.recent()[0]
    assert newest.reason == "too many handshakes at once"
    assert small.services.refusals.total - refused == 40
    with small.udp_device(ec_key, device_id) as device:
        device.connect()
        small.pass_time(60)
        assert tables(small) == 20
        small.pass_time(2)
        assert tables(small) == 0
        device.ping()
    refusal = small.services.refusals.recent()[0]
    assert refusal.reason == "the device did not go on after the server's signed key within 60 s"
    assert refusal.stage == "server key"
    gateway = small.cloud._udp
    assert len(gateway._by_cid) == len(gateway._by_device)
    for device in opened:
        device.close()


def test_a_handshake_without_hello(small, ec_key):
    with small.udp_device(ec_key, "00" * 12).handshake() as device:
        device.send(pack(CON, 0, 5))  # waits for the Hello before it
        small.pass_time(62)
        refusal = small.last_refusal(device.address)
        assert refusal.reason == "the device did not send a Hello within 60 s"
        assert (refusal.stage, device.recv(0.1)) == ("transport", None)


def test_unfinished_messages_take_bounded_room(cloud, ec_key):
    device = half_open(cloud, ec_key)
    link = cloud.cloud._udp._handshaking[device.address]
    for i in range(300):
        fragment = handshake_message(11, 2 + i % 40, bytes(3000), i, 1)
        device.send_raw(plain_record(22, 10 + i, fragment))
        device.send_raw(b"\x17\xfe\xfd\0\1" + i.to_bytes(6, "big") + b"\0\x20" + bytes(32))
    wait_for(lambda: len(link.dtls._early) == 8)
    time.sleep(0.1)
    assert len(link.dtls.handshake._reassembly._partial) <= 6
    device.close()


@pytest.mark.parametrize("n", [4097, 1 << 20, (1 << 24) - 1])
def test_a_message_that_claims_to_be_huge(cloud, ec_key, n):
    device = half_open(cloud, ec_key)
    link = cloud.cloud._udp._handshaking[device.address]
    head = b"\x0b" + n.to_bytes(3, "big") + b"\0\2" + bytes(3) + b"\0\0\1"
    device.send_raw(plain_record(22, 9, head + b"x"))
    assert device.recv_raw(0.2) is None
    assert not link.dtls.handshake._reassembly._partial and not link.ended
    device.close()


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device."""
    with cloud.udp_device(ec_key, udp_id) as device:
        yield device.connect()


def silent_datagrams(device):
    """Everything that must be met with silence and leave the session usable (2.8)."""
    keys = device.keys
    good = keys.seal(pack(CON, 0, 0x7777), number=keys.number + 50)
    flip = lambda at: good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]  # noqa: E731
    ordinary = plain_record(23, 60, good[21:], epoch=1)
    return {
        "flipped bit in the CID": flip(12),
        "unknown CID": good[:11] + bytes(8) + good[19:],
        "shorter CID": good[:11] + good[12:],
        "wrong MAC": flip(len(good) - 1),
        "wrong content": flip(35),
        "wrong explicit nonce": flip(25),
        "wrong number": flip(10),
        "length too small": good[:19] + b"\0\x10" + good[21:],
        "length too large": good[:19] + b"\0\x40" + good[21:],
        "length 0": good[:19] + b"\0\0",
        "truncated": good[:-1],
        "only a header": good[:21],
        "half a header": good[:9],
        "one byte": good[:1],
        "epoch 0": good[:3] + b"\0\0" + good[5:],
        "epoch 2": good[:3] + b"\0\2" + good[5:],
        "epoch 65535": good[:3] + b"\xff\xff" + good[5:],
        "version fefc": good[:1] + b"\xfe\xfc" + good[3:],
        "version 0303": good[:1] + b"\3\3" + good[3:],
        "unknown first byte": b"\x42" + good[1:],
        "ordinary record": ordinary,
        "old form": b"\xfe" + good[1:] + bytes.fromhex(device.id) + b"\x0c",
        "plain close_notify": plain_record(21, 70, b"\1\0"),
        "plain fatal alert": plain_record(21, 71, b"\2\x28"),
        "plain application data": plain_record(23, 72, pack(CON, 0, 1)),
        "plain Finished": plain_record(22, 73, handshake_message(20, 5, bytes(12))),
        "ChangeCipherSpec": plain_record(20, 74, b"\1"),
        "noise": secrets.token_bytes(100),
        "keep-alive of old firmware": b"\0",
        "the largest datagram": b"\x19" + bytes(65000),
    }


def test_silence_for_everything_that_is_wrong(device):
    wrong = silent_datagrams(device)
    for name, datagram in wrong.items():
        device.send_raw(datagram)
        assert device.recv_raw(0.02) is None, name
    device.ping()
    where = device.address
    for datagram in wrong.values():
        device.rebind()
        device.send_raw(datagram)
    device.rebind()
    device.ping()
    assert where != device.address


def test_wrong_records_before_and_behind_a_good_one(device):
    good = lambda: device.seal(pack(CON, 0, device.next_mid()))  # noqa: E731
    replay = good()
    device.send_raw(replay)
    device.recv()
    for front in (replay, b"\x19" + bytes([254, 253, 0, 1]) + bytes(14) + b"\0\x20" + bytes(32)):
        device.send_raw(front + good())
        assert device.recv().mid == device.mid
    for n in (1, 5, 12, 13, 40):
        device.send_raw(good() + bytes(n))
        assert device.recv().mid == device.mid


def test_many_bad_records_in_one_datagram(cloud, device):
    """Each costs a decryption: a datagram gets a few."""
    bad = device.keys.seal(b"x", number=1 << 30)
    bad = bad[:-1] + bytes([bad[-1] ^ 1])
    connection = cloud.cloud._udp._by_device[device.id].dtls.connection
    tried = []
    opened = type(connection).receive

    def counted(self, record):
        tried.append(record.number)
        return opened(self, record)

    type(connection).receive = counted
    try:
        device.send_raw(bad * (65000 // len(bad)))
        device.ping()
    finally:
        type(connection).receive = opened
    assert len(tried) < 10


def test_mutated_traffic(cloud, api, device):
    """Two thousand damaged copies of real datagrams at random moments of a session."""
    source = random.Random(7)
    handshake = [hello_record(), hello_record_with_cookie(), b"".join(device.client.flight())]
    for i in range(2000):
        if source.random() < 0.3:
            original = source.choice(handshake)
        else:
            original = device.seal(pack(source.randrange(4), 2, i, options=[(11, b"E")]))
        changed = bytearray(original * source.choice((1, 1, 2)))
        for _ in range(source.choice((1, 1, 3, 20))):
            changed[source.randrange(len(changed))] = source.randrange(256)
        device.send_raw(bytes(changed[: source.choice((len(changed), source.randrange(1, 200)))]))
        if i % 200 == 0:
            while device.recv_raw(0.05) is not None:
                pass
            device.ping_through()
    while device.recv_raw(0.1) is not None:
        pass
    device.ping_through()
    assert state_of(api, device.id)["online"]


def test_mutated_messages_in_good_records(cloud, api, device):
    """What is inside is authentic, and still may be anything."""
    source = random.Random(8)
    originals = [
        pack(
            CON, 2, 1, b"\1", options=[(11, b"d"), (15, b"\2"), (27, b"\x0e")], payload=b"x" * 64
        ),
        pack(CON, 2, 1, options=[(11, b"E"), (11, b"name"), (65000, b"\1")], payload=b"data"),
        pack(CON, 1, 1, options=[(11, b"e"), (11, b"prefix"), (15, b"u")]),
        pack(CON, 2, 1, b"\1", options=[(11, b"L")], payload=b"\x08\x01"),
        pack(CON, 2, 1, options=[(11, b"h")], payload=hello_payload(device.id)),
        pack(CON, 0x45, 1, b"\1", payload=bytes(4)),
    ]
    for i in range(1500):
        changed = bytearray(source.choice(originals))
        changed[2:4] = (i + 100).to_bytes(2, "big")
        for _ in range(source.choice((1, 1, 2, 6))):
            changed[source.randrange(len(changed))] = source.randrange(256)
        device.send(bytes(changed[: source.choice((len(changed), source.randrange(1, 80)))]))
        if i % 100 == 99:
            mid = 0x6000 + i
            device.send(pack(CON, 0, mid))
            got = device.recv()
            while got.mid != mid:
                assert got.type != 3, "an RST erases a real device's session"
                got = device.recv()
    assert state_of(api, device.id)["online"]


def test_inner_types_nobody_knows(device):
    for kind in (0, 1, 20, 24, 26, 255):
        device.send_raw(device.keys.seal(b"content", kind=kind))
    for content in (b"", b"\2", b"\2\x28\0"):
        device.send_raw(device.keys.seal(content, kind=21))
    device.send_raw(device.keys.seal(handshake_message(1, 9, bytes(40)), kind=22))
    device.send_raw(device.keys.seal(handshake_message(20, 2, bytes(12)), kind=22))
    device.send_raw(device.keys.seal(b"\0", kind=22))
    while device.recv_raw(0.2) is not None:
        pass
    device.ping_through()


def test_a_device_that_floods_its_session(cloud, api, device):
    """More than can be stored at once is lost as on a full wire; others are served."""
    other = provision_ec(api, device.client.key)
    with cloud.udp_device(device.client.key, other).connect() as quiet:
        event = lambda: pack(NON, 2, device.next_mid(), options=[(11, b"E"), (11, b"f")])  # noqa: E731
        for _ in range(50):
            burst = b"".join(device.keys.seal(event(), pad=0) for _ in range(100))
            device.send_raw(burst)
            link = cloud.cloud._udp._by_device[device.id]
            assert len(link._arrived) <= 256
        quiet.ping_through()  # what does not fit into the kernel's buffer is lost
    while device.recv_raw(0.3) is not None:
        pass
    device.ping_through()


def test_nobody_but_the_owner_of_the_key_gets_in(cloud, api, ec_key, udp_id):
    """The CID, the id and every datagram of a device are known, its keys are not."""
    with cloud.udp_device(ec_key, udp_id).connect() as device:
        thief = UdpDevice(cloud.udp_port, cloud.server_spki, new_ec_key(), udp_id)
        with thief:
            thief.handshake()
            thief.client.keys.cid = device.keys.cid
            thief.send(pack(CON, 2, 9, options=[(11, b"E"), (11, b"stolen")]))
            assert thief.recv_raw(0.2) is None
        device.ping()
