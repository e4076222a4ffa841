"""What strangers may do to the UDP port before they have a cookie, and what it may cost."""

import os
import random
import secrets
import threading
import time
from pathlib import Path

import pytest

import ports
from cloud.dtls_client import (
    DtlsClient,
    handshake_message,
    hello_record,
    hello_record_with_cookie,
    plain_record,
)
from cloud.running import new_ec_key, provision_ec
from cloud.test_process import LOGIN, Process
from cloud.udp_device import hello_payload

pytestmark = pytest.mark.usefixtures("no_errors")

_AMPLIFICATION = 3


@pytest.fixture
def stranger(cloud):
    """A socket that knows nothing."""
    with ports.dial(cloud.udp_port) as sock:
        sock.settimeout(20)
        yield sock


def answers(sock, quiet=0.2):
    """Return everything that is received until it is quiet for so many seconds."""
    got, patience = [], sock.gettimeout()
    sock.settimeout(quiet)
    try:
        while True:
            got.append(sock.recv(65536))
    except (TimeoutError, ConnectionError):
        return got
    finally:
        sock.settimeout(patience)


# Before the cookie.


def test_no_answer_before_the_cookie_is_larger_than_three_times_the_question(cloud, stranger):
    source = random.Random(1)
    smallest, whole = hello_record(extensions=(), suites=(0xC0AE,)), hello_record()
    before = len(cloud.cloud._udp._handshaking)
    for question in (smallest, whole, hello_record(suites=tuple(range(1000)))):
        stranger.send(question)
        answer = stranger.recv(65536)
        assert len(answer) == 44 <= _AMPLIFICATION * len(question)
        assert answers(stranger) == []
    questions = []
    for _ in range(1500):
        changed = bytearray(source.choice((whole, smallest)))
        for _ in range(source.choice((1, 1, 2, 5))):
            changed[source.randrange(len(changed))] = source.randrange(256)
        questions.append(bytes(changed[: source.randrange(len(changed) + 1)]))
    questions += [secrets.token_bytes(source.randrange(1, 200)) for _ in range(500)]
    got = []
    for i, question in enumerate(questions):
        stranger.send(question)
        if i % 50 == 49:
            got += answers(stranger, 0.01)
    stranger.send(whole)
    got.append(stranger.recv(65536))
    got += answers(stranger)
    assert {len(answer) for answer in got} == {44} and len(got) < len(questions)
    assert len(cloud.cloud._udp._handshaking) == before


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
    with ports.dial(cloud.udp_port) as other:
        other.settimeout(20)
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
        device.ping_through()
    flood.join()
    each = (load.cpu() - cpu) / count
    print(f"{kind}: {each * 1e6:.0f} us of CPU each")
    assert each < 400e-6  # seen: 40 to 90 us
    assert load.memory() - memory < 4 << 20
    assert process.api("GET", "/local/v1/refusals")[1] == []


def _flood(process, datagrams, count):
    with ports.dial(process.ready["udp_port"]) as sock:
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
