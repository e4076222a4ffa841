"""What somebody who writes from a device's address, or from many ports, cannot spoil."""

import itertools

import pytest

from cloud.device import NON, pack
from cloud.dtls_client import DtlsClient, handshake_message, plain_record
from cloud.test_udp_session import wait_for
from particle_tools.cloud.dtls.messages import ClientHello
from particle_tools.cloud.settings import Limits

pytestmark = pytest.mark.usefixtures("no_errors")


@pytest.fixture(scope="module")
def time_stands():
    return True


_HOSTS = itertools.count(1)
FORGED = {
    "an unfinished message in the Finished's place": b"\x63\0\0\2\0\5\0\0\0\0\0\1x",
    "a whole message in the Finished's place": b"\x63\0\0\1\0\5\0\0\0\0\0\1x",
    "another length of the Certificate": b"\x0b\0\0\2\0\2\0\0\0\0\0\1x",
    "another kind in the Certificate's place": b"\x10\0\0\x5e\0\2\0\0\0\0\0\1x",
    "another content of the Certificate": b"\x0b\0\0\x5e\0\2\0\0\0\0\0\1x",
    "one byte": b"x",
    "a cut message": b"\x0b\0\0\x5e\0\2\0\0\0\0\0\x5ex",
    "more than the message": b"\x0b\0\0\1\0\2\0\0\1\0\0\1x",
    "a huge message": b"\x0b\xff\xff\xff\0\2\0\0\0\0\0\1x",
}


@pytest.mark.parametrize("fragment", [None, 40])
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_record_does_not_end_a_handshake(cloud, ec_key, udp_id, name, fragment):
    with cloud.udp_device(ec_key, udp_id, fragment=fragment) as device:
        client = device.client
        waiting = client.start()
        for _ in range(2):
            device.send_raw(waiting[0])
            waiting, _ = client.datagram(device.recv_raw())
        device.send_raw(plain_record(22, 9, FORGED[name]))
        for datagram in waiting:
            device.send_raw(datagram)
        client.datagram(device.recv_raw(1) or b"")
        if not client.done:  # a device repeats its flight
            device.send_raw(b"".join(client.flight()))
            client.datagram(device.recv_raw())
        assert client.done
        device.hello()


def test_what_comes_before_the_keys_is_kept_if_it_is_small(cloud):
    """Each of so many handshakes would keep half a megabyte for whoever has a cookie."""
    with cloud.udp_device(None, "00" * 12).half_open() as device:
        link = cloud.cloud._udp._handshaking[device.address]
        for n, size in enumerate((60000, 1200, 60000, 3000)):
            head = b"\x17\xfe\xfd\0\1" + n.to_bytes(6, "big") + size.to_bytes(2, "big")
            device.send_raw(head + bytes(size))
        wait_for(lambda: link.dtls._early)
        assert device.recv_raw(0.1) is None
        assert [len(record.body) for record in link.dtls._early] == [1200]


def test_what_comes_before_the_hello_is_kept_if_it_is_small(cloud, ec_key):
    with cloud.udp_device(ec_key, "00" * 12).handshake() as device:
        link = cloud.cloud._udp._handshaking[device.address]
        for size in (60000, 1000, 3000):
            options = [(11, b"E"), (11, b"x")]
            device.send(pack(NON, 2, device.next_mid(), options=options, payload=bytes(size)))
        wait_for(lambda: link._overtook)
        assert device.recv_raw(0.1) is None
        assert [len(arrived.content) > 3000 for arrived in link._overtook] == [False]


@pytest.fixture(scope="module")
def held(held_cloud):
    """A cloud whose time the tests let pass, with room for three handshakes of one host."""
    return held_cloud(limits=Limits(host_handshakes=3))


def ask(cloud, address, *hellos):
    """Give the gateway hellos as if they came from an address; return the links they made."""
    gateway, links = cloud.cloud._udp, []
    for datagram in hellos:
        touched = {}
        cloud.call(gateway._datagram, datagram, address, touched)
        links += touched
    return links


def hello_with_cookie(cloud, address, *, sequence=1, number=1):
    client = DtlsClient(None, b"")
    offer = ClientHello.parse(client.hello_body())
    client.cookie = cloud.call(cloud.cloud._udp._cookies.make, address, offer)
    return plain_record(22, number, handshake_message(1, sequence, client.hello_body()))


@pytest.mark.parametrize(
    "numbers",
    [
        {"sequence": 65535},
        {"sequence": 65533},
        {"sequence": 33},
        {"number": (1 << 48) - 1},
        {"number": (1 << 48) - 3},
        {"number": (1 << 48) - 0xFFFF},
    ],
)
def test_a_hello_whose_numbers_leave_no_room(held, numbers):
    gateway, address = held.cloud._udp, ("10.0.0.1", 1000)
    before = len(gateway._by_cid)
    assert ask(held, address, hello_with_cookie(held, address, **numbers)) == []
    assert address not in gateway._handshaking and len(gateway._by_cid) == before


def test_hellos_of_one_host_leave_others_alone(held):
    gateway = held.cloud._udp
    device = ("10.0.1.1", 1000)
    (link,) = ask(held, device, hello_with_cookie(held, device))
    for port in range(1, 20):
        address = ("10.0.1.2", port)
        ask(held, address, hello_with_cookie(held, address))
    ports = [port for host, port in gateway._handshaking if host == "10.0.1.2"]
    assert ports == [17, 18, 19]
    assert gateway._handshaking[device] is link and not link.ended
    assert len(gateway._by_cid) == len(gateway._handshaking)
    held.pass_time(62)
    assert not gateway._handshaking and not gateway._handshaking._hosts


def test_hellos_by_turns_cost_one_handshake_a_second(held):
    host = f"10.1.0.{next(_HOSTS)}"
    address = (host, 1000)
    hellos = [hello_with_cookie(held, address) for _ in range(2)]
    first = ask(held, address, *hellos * 50)
    assert len(set(first)) == 1 and not first[0].ended
    total = held.services.refusals.total
    for _ in range(10):
        held.pass_time(1)
        ask(held, address, *hellos * 5)
    assert held.services.refusals.total - total <= 10
    found = [r for r in held.services.refusals.recent() if r.address == f"{host}:1000"]
    assert len(found) == 1 and found[0].count == held.services.refusals.total - total
    assert first[0].ended
