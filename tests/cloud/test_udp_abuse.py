"""What strangers and broken devices may do to the UDP port, and what it may cost."""

import os
import random
import secrets
import socket
import threading
import time
from pathlib import Path

import pytest

from cloud.device import CON, NON, pack
from cloud.dtls_client import DtlsClient, handshake_message, plain_record
from cloud.running import USER, Api, Running, new_ec_key, provision_ec
from cloud.test_process import LOGIN, Process
from cloud.test_udp_session import state_of, wait_for
from cloud.udp_device import UdpDevice, hello_payload
from particle_tools.cloud.settings import Limits, Settings

_AMPLIFICATION = 3


@pytest.fixture(autouse=True)
def no_errors(caplog):
    """Nothing strangers do may end in a logged exception."""
    yield
    assert [r for r in caplog.records if r.name == "particle.cloud"] == []


@pytest.fixture
def stranger(cloud):
    """A socket that knows nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", cloud.udp_port))
        sock.settimeout(0.2)
        yield sock


def answers(sock):
    """Return everything that is received until it is quiet."""
    got = []
    try:
        while True:
            got.append(sock.recv(65536))
    except (TimeoutError, ConnectionError):
        return got


def tables(cloud):
    """Return how many entries the gateway keeps for handshakes."""
    gateway = cloud.cloud._udp
    return len(gateway._handshaking)


def hello_record(**form):
    return DtlsClient(None, b"", **form).start()[0]


# Before the cookie.


def test_no_answer_before_the_cookie_is_larger_than_three_times_the_question(cloud, stranger):
    source = random.Random(1)
    smallest, whole = hello_record(extensions=(), suites=(0xC0AE,)), hello_record()
    before = tables(cloud)
    for question in (smallest, whole, hello_record(suites=tuple(range(1000)))):
        stranger.send(question)
        (answer,) = answers(stranger)
        assert len(answer) == 44 <= _AMPLIFICATION * len(question)
    questions = []
    for _ in range(1500):
        changed = bytearray(source.choice((whole, smallest)))
        for _ in range(source.choice((1, 1, 2, 5))):
            changed[source.randrange(len(changed))] = source.randrange(256)
        questions.append(bytes(changed[: source.randrange(len(changed) + 1)]))
    questions += [secrets.token_bytes(source.randrange(1, 200)) for _ in range(500)]
    got = []
    stranger.settimeout(0.01)
    for i, question in enumerate(questions):
        stranger.send(question)
        if i % 50 == 49:
            got += answers(stranger)
    assert {len(answer) for answer in got} == {44} and len(got) < len(questions)
    assert tables(cloud) == before


def test_a_wrong_cookie_gets_another_one(cloud, stranger):
    client = DtlsClient(None, b"")
    stranger.send(client.start()[0])
    client.cookie = stranger.recv(100)[-16:]
    for cookie in (bytes(16), client.cookie[:-1], client.cookie + b"\0", bytes(255)):
        client.cookie, client.hello_number = cookie, 1
        stranger.send(client.second_hello()[0])
        answer = stranger.recv(1000)
        assert len(answer) == 44 and answer[13] == 3
    assert stranger.getsockname() not in cloud.cloud._udp._handshaking


def test_a_cookie_is_good_for_its_hello_and_address_only(cloud, stranger):
    client = DtlsClient(None, b"")
    stranger.send(client.start()[0])
    client.datagram(stranger.recv(100))
    second = client.second_hello()[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.connect(("127.0.0.1", cloud.udp_port))
        other.settimeout(2)
        other.send(second)
        assert len(other.recv(1000)) == 44
    client.random = secrets.token_bytes(32)
    stranger.send(client.second_hello()[0])
    assert len(stranger.recv(1000)) == 44


def test_hellos_in_pieces_and_other_first_messages_get_nothing(cloud, stranger):
    body = DtlsClient(None, b"").hello_body()
    pieces = [
        plain_record(22, n, handshake_message(1, 0, body, at, 30))
        for n, at in enumerate(range(0, len(body), 30))
    ]
    others = [
        plain_record(22, 0, handshake_message(kind, 0, body)) for kind in (0, 2, 3, 11, 16, 20, 99)
    ]
    others += [plain_record(kind, 0, b"\2\x28" + bytes(50)) for kind in (20, 21, 23)]
    others.append(plain_record(22, 0, handshake_message(1, 0, body) * 2))
    others.append(plain_record(22, 0, handshake_message(1, 0, body)[:-1]))
    others.append(plain_record(22, 0, b"\1\xff\xff\xff\0\0\0\0\0\0\0\1x"))
    for datagram in pieces + others:
        stranger.send(datagram)
    assert answers(stranger) == []


class Load:
    """CPU time and memory of a process."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Return resident bytes."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A cloud in a process of its own, and its load."""
    with Process(tmp_path_factory.mktemp("flood") / "d", "--user", LOGIN) as process:
        process.api.login()
        yield process, Load(process.child.pid)


FLOODS = {
    "hellos": lambda i: hello_record(),
    "hellos with cookies": lambda i: hello_record_with_cookie(),
    "guessed connection IDs": lambda i: b"\x19\xfe\xfd\0\1" + secrets.token_bytes(90),
    "guessed device ids": lambda i: b"\xfe\xfe\xfd\0\1" + secrets.token_bytes(60) + b"\x0c",
    "noise": lambda i: secrets.token_bytes(200),
    "large noise": lambda i: b"\x16\xfe\xfd" + bytes(8) + b"\x05\x00" + secrets.token_bytes(1280),
}


def hello_record_with_cookie():
    client = DtlsClient(None, b"")
    client.cookie, client.hello_number = secrets.token_bytes(16), 1
    return client.second_hello()[0]


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_costs_little_and_leaves_nothing(alone, kind):
    process, load = alone
    key = new_ec_key()
    device_id = provision_ec(process.api, key)
    datagrams = [FLOODS[kind](i) for i in range(500)]
    for _ in range(3):  # what the allocator keeps is there already
        _flood(process, datagrams, 3000)
    cpu, memory, count = load.cpu(), load.memory(), 20000
    flood = threading.Thread(target=_flood, args=(process, datagrams, count))
    flood.start()
    with process.udp_device(key, device_id) as device:
        _connect_through(device)
        _ping_through(device)
    flood.join()
    each = (load.cpu() - cpu) / count
    print(f"{kind}: {each * 1e6:.0f} us of CPU each")
    assert each < 400e-6  # seen: 40 to 90 us
    assert load.memory() - memory < 4 << 20
    assert process.api("GET", "/local/v1/refusals")[1] == []


def _flood(process, datagrams, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", process.ready["udp_port"]))
        for i in range(count):
            try:
                sock.send(datagrams[i % len(datagrams)])
            except OSError:
                pass
            if i % 64 == 63:
                time.sleep(0.004)  # a receive buffer that is always full tells nothing


def _connect_through(device):
    """Connect as a device does that loses most of its datagrams."""
    client = device.client
    waiting = client.start()
    end = time.monotonic() + 60
    while not client.done:
        assert time.monotonic() < end
        for datagram in waiting:
            device.send_raw(datagram)
        data = device.recv_raw(0.3)
        if data is None:
            if client.flight5 is not None:
                waiting = [b"".join(client.flight())]
            else:
                waiting = client.second_hello() if client.cookie else client.start()
            continue
        waiting, application = client.datagram(data)
    hello = b"\x40\x02\x00\x01\xb1h\xff" + hello_payload(device.id)
    device.mid = 1
    while device.recv(0.3) is None:
        assert time.monotonic() < end
        device.send(hello)


def _ping_through(device):
    """Repeat a ping until it is acknowledged; late answers to other messages do not count."""
    mid, end, got = device.next_mid(), time.monotonic() + 60, None
    while got is None or got.mid != mid:
        assert time.monotonic() < end
        if got is None:
            device.send(pack(CON, 0, mid))
        got = device.recv(0.3)


# After the cookie.


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A cloud with room for few handshakes, whose time the tests let pass."""
    settings = Settings(
        data=tmp_path_factory.mktemp("small") / "d", user=USER, limits=Limits(handshakes=20)
    )
    running = Running(settings, held=True)
    yield running
    running.stop()


def half_open(cloud, key=None):
    """Run a handshake up to the server's flight."""
    device = cloud.udp_device(key, "00" * 12)
    device.send_raw(device.client.start()[0])
    device.send_raw(device.client.datagram(device.recv_raw())[0][0])
    assert len(device.recv_raw()) > 300
    return device


def test_handshakes_nobody_finishes(small, ec_key):
    device_id = provision_ec(Api(small.url).login(), ec_key)
    opened = [half_open(small) for _ in range(60)]
    assert tables(small) == 20
    reasons = [r.reason for r in small.services.refusals.recent()]
    assert reasons.count("too many handshakes at once") == 40
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


# In a session.


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
            _ping_through(device)
    while device.recv_raw(0.1) is not None:
        pass
    _ping_through(device)
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
    _ping_through(device)


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
        quiet.ping()
    while device.recv_raw(0.3) is not None:
        pass
    _ping_through(device)


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
