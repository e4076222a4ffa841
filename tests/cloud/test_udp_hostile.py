"""What somebody who writes from a device's address, or from many ports, cannot spoil."""

import pytest

from cloud.dtls_client import DtlsClient, handshake_message, plain_record
from particle_tools.cloud.dtls.messages import ClientHello
from particle_tools.cloud.settings import Limits

pytestmark = pytest.mark.usefixtures("no_errors")


@pytest.fixture(scope="module")
def time_stands():
    return True


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
    address = ("10.0.2.1", 1000)
    hellos = [hello_with_cookie(held, address) for _ in range(2)]
    first = ask(held, address, *hellos * 50)
    assert len(set(first)) == 1 and not first[0].ended
    total = held.services.refusals.total
    for _ in range(10):
        held.pass_time(1)
        ask(held, address, *hellos * 5)
    assert held.services.refusals.total - total <= 10
    found = [r for r in held.services.refusals.recent() if r.address == "10.0.2.1:1000"]
    assert len(found) == 1 and found[0].count == held.services.refusals.total - total
    assert first[0].ended
