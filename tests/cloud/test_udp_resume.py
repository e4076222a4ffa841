"""Sessions that go on: from new addresses, in old forms, after a restart; nothing old counts."""

import time

import pytest

from cloud.device import ACK, CON, NON, pack
from cloud.dtls_client import OLD_DEVICE_OS
from cloud.running import Restarted, provision_ec
from cloud.test_udp_session import listening, state_of, wait_for
from particle_tools.cloud.settings import Limits


@pytest.fixture(scope="module")
def time_stands():
    return True


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device."""
    with cloud.udp_device(ec_key, udp_id) as device:
        yield device.connect()


def event(device, name, type_=CON):
    return pack(type_, 2, device.next_mid(), options=[(11, b"E"), (11, name)])


def test_resume_from_a_new_port(cloud, api, device):
    """Device OS: ping and two events of type 253 in datagrams of their own (2.5)."""
    device.subscribe("x")
    seen, stop = listening(cloud, device.id)
    device.resume()
    burst = [
        pack(CON, 0, device.next_mid()),
        event(device, b"particle/device/updates/enabled"),
        event(device, b"particle/device/updates/forced"),
    ]
    for message in burst:
        device.send(message)
    got = [device.recv().raw for _ in burst]
    assert got == [pack(ACK, 0, int.from_bytes(m[2:4], "big")) for m in burst]
    assert device.moved is None
    device.ping()
    stop()
    # offline for the old connection, online for the new one, once (rest-api 7.3)
    statuses = [e.data for e in seen if e.name == "spark/status"]
    assert statuses == [b"offline", b"online"]
    state = state_of(api, device.id)
    assert state["address"] == "%s:%d" % device.address and state["subscriptions"] == ["x"]
    assert cloud.services.sessions.ended(device.id).reason == "the device reconnected"
    assert api("GET", f"/local/v1/usage/{device.id}")[1]["resumes"] == 1


def test_the_first_record_may_carry_anything(cloud, device):
    seen, stop = listening(cloud, device.id)
    device.resume()
    device.send(event(device, b"first"))
    assert device.recv().type == ACK
    stop()
    assert "first" in [e.name for e in seen]


def test_several_records_in_the_first_datagram(device):
    device.resume()
    mids = [device.next_mid() for _ in range(3)]
    datagram = device.seal(pack(CON, 0, mids[0]), wire=253)
    datagram += b"".join(device.keys.seal(pack(CON, 0, mid)) for mid in mids[1:])
    device.send_raw(datagram)
    assert [device.recv().mid for _ in mids] == mids
    assert len(device.down[-1:]) == 1


def test_another_address_without_notice(cloud, api, device):
    """A NAT has forgotten: the session moves with the first valid record, and stays."""
    seen, stop = listening(cloud, device.id)
    for _ in range(3):
        device.rebind()
        device.ping()
        assert state_of(api, device.id)["address"] == "%s:%d" % device.address
    stop()
    assert [e for e in seen if e.name == "spark/status"] == []


def test_only_a_new_and_valid_record_moves_a_session(cloud, api, device):
    old = device.seal(pack(CON, 0, device.next_mid()))
    device.ping()
    where = state_of(api, device.id)["address"]
    with cloud.udp_device(None, device.id) as thief:
        valid = device.keys.seal(pack(CON, 0, 0x999), number=device.keys.number + 5)
        for datagram in (
            valid[:-1] + bytes([valid[-1] ^ 1]),  # bad MAC
            b"\xfd" + valid[1:-1] + bytes([valid[-1] ^ 1]),
            valid[:11] + bytes(8) + valid[19:],  # another CID
            valid[:-1],
        ):
            thief.send_raw(datagram)
        assert thief.recv_raw(0.1) is None
        # Overtaken, not seen before: it counts, but its address is an old one.
        thief.send_raw(old)
        assert thief.recv_raw(0.2) is None
        assert device.recv().type == ACK
        assert state_of(api, device.id)["address"] == where
        device.ping()


def test_a_replay_from_another_address_changes_nothing(cloud, api, device):
    record = device.seal(event(device, b"x"))
    device.send_raw(record)
    device.recv()
    seen, stop = listening(cloud, device.id)
    with cloud.udp_device(None, device.id) as thief:
        for first in (b"\x19", b"\xfd"):
            thief.send_raw(first + record[1:])
        assert thief.recv_raw(0.2) is None
    device.ping()
    stop()
    assert seen == []


# Before connection IDs.


@pytest.fixture
def old_device(cloud, ec_key, udp_id):
    """A connected device of the old form."""
    with cloud.udp_device(ec_key, udp_id, extensions=OLD_DEVICE_OS) as device:
        yield device.connect(flags=0x36, tail=False)


def test_resume_by_device_id(cloud, api, old_device):
    """Type 254, the id behind the record, until something is received; then type 23 (2.5)."""
    device = old_device
    for _ in range(2):
        device.resume(254)
        burst = [event(device, b"a"), event(device, b"b"), event(device, b"c")]
        for message in burst:
            device.send(message)
        assert [device.recv().type for _ in burst] == [ACK] * 3
        assert device.moved is None
        device.ping()
        assert state_of(api, device.id)["address"] == "%s:%d" % device.address
    assert api("GET", f"/local/v1/usage/{device.id}")[1]["resumes"] == 2


def test_records_of_type_254_that_are_wrong(cloud, old_device):
    device = old_device
    device.resume(254)
    good = device.seal(pack(CON, 0, device.next_mid()))
    for wrong in (
        good[:-13],
        good[:-1] + b"\x0b",
        good[:-13] + bytes(12) + b"\x0c",
        good[:20] + bytes([good[20] ^ 1]) + good[21:],
        b"\xfe" * len(good),
        b"\xfe",
        good[:13] + good[-13:],
    ):
        device.send_raw(wrong)
    assert device.recv(0.2) is None
    device.send_raw(good)
    assert device.recv().type == ACK


def test_without_connection_id_another_address_needs_the_device_id(old_device):
    device = old_device
    device.rebind()
    device.send(pack(CON, 0, device.next_mid()))
    assert device.recv(0.2) is None
    device.moved = 254
    device.ping()


def test_two_old_devices_one_after_the_other_on_one_port(cloud, api, ec_key, udp_id):
    """The second handshake comes from an address that still belongs to the first device."""
    other = provision_ec(api, ec_key)
    first = cloud.udp_device(ec_key, udp_id, extensions=OLD_DEVICE_OS)
    second = cloud.udp_device(ec_key, other, extensions=OLD_DEVICE_OS)
    first.connect()
    second.close()
    second.sock = first.sock
    second.connect()
    second.ping()
    with first:
        first.sock = None  # the second device has it now
        first.rebind()
        first.moved = 254
        first.ping()
        second.ping()
    second.close()


# After a restart.


FORMS = {"cid": {}, "old": {"extensions": OLD_DEVICE_OS}}


@pytest.mark.parametrize(
    ("form", "how"),
    [  # without connection ID only type 254 finds a session that has moved
        ("cid", "same port"),
        ("cid", "new port"),
        ("cid", "announced"),
        ("old", "same port"),
        ("old", "announced"),
    ],
)
def test_sessions_survive_a_restart(restarted, ec_key, form, how):
    api = restarted.api
    device_id = provision_ec(api, ec_key)
    with restarted.cloud.udp_device(ec_key, device_id, **FORMS[form]) as device:
        device.connect()
        device.describe(["f"], {"v": 2})
        device.subscribe("door")
        before = set(device.client.server_numbers)
        used = device.recv(0) or device.ping()
        assert used is None
        cloud, api = restarted.start(), restarted.api
        heard = state_of(api, device_id)["last_heard"]
        if how == "new port":
            device.rebind()
        elif how == "announced":
            device.resume(253 if form == "cid" else 254)
        device.client.server_numbers.clear()
        device.ping()
        assert not before & set(device.client.server_numbers)
        assert min(device.client.server_numbers) > max(before)
        state = state_of(api, device_id)
        assert state["online"] and state["subscriptions"] == ["door"] and state["flags"] == 0xB6
        assert state["last_heard"] > heard
        resumes = api("GET", f"/local/v1/usage/{device_id}")[1]["resumes"]
        assert resumes == (how == "announced")
        assert api("GET", f"/v1/devices/{device_id}")[1]["functions"] == ["f"]
        api("POST", "/v1/devices/events", {"name": "door", "data": "1"})
        got = device.recv()
        assert got.path == ["E", "door"]
        device.acknowledge(got)
        assert cloud.services.usage is not None


def test_message_ids_do_not_repeat_after_a_restart(restarted, ec_key):
    device_id = provision_ec(restarted.api, ec_key)
    mids = []
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        device.subscribe("e")
        for _ in range(4):
            for _ in range(5):
                restarted.api("POST", "/v1/devices/events", {"name": "e", "data": "1"})
                got = device.recv()
                device.acknowledge(got)
                mids.append(got.mid)
            device.ping()
            restarted.start()
            device.ping()
    assert len(set(mids)) == len(mids)


def test_what_was_heard_before_a_restart_is_not_heard_again(restarted, ec_key):
    """Every record of the device's life is played to each new process."""
    device_id = provision_ec(restarted.api, ec_key)
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        old = []
        send = device.send_raw

        def recorded(datagram):
            old.append(datagram)
            send(datagram)

        device.send_raw = recorded
        device.connect()
        for _ in range(3):
            assert device.publish("p").code == 0
            device.send(event(device, b"no/ack", NON))
            device.ping()
            cloud = restarted.start()
            state = state_of(restarted.api, device_id)
            seen, stop = listening(cloud, device_id)
            for datagram in list(old):
                send(datagram)
                if datagram[:1] == b"\x19":
                    send(b"\xfd" + datagram[1:])
            while (data := device.recv_raw(0.2)) is not None:
                assert data[0] == 22  # only the old hellos get an answer, a new cookie
            stop()
            assert seen == [] and state_of(restarted.api, device_id) == state


def test_persisted_numbers_survive(restarted, ec_key):
    device_id = provision_ec(restarted.api, ec_key)
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        device.publish("p", b"1", _65000=b"\x07")
        cloud = restarted.start()
        seen, stop = listening(cloud, device_id)
        device.publish("p", b"1", _65000=b"\x07")
        device.publish("p", b"2", _65000=b"\x08")
        with cloud.udp_device(ec_key, device_id) as again:  # and a full handshake
            again.connect()
            again.publish("p", b"2", _65000=b"\x08")
        stop()
        assert [e.data for e in seen if e.name == "p"] == [b"2"]


def test_expiry(restarted, ec_key):
    device_id = provision_ec(restarted.api, ec_key)
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        time.sleep(0.3)
        restarted.start(limits=Limits(session_days=1e-6))  # 0.09 s
        restarted.start(limits=Limits())
        device.send(pack(CON, 0, device.next_mid()))
        assert device.recv_raw(0.3) is None


def test_an_expired_session_in_memory(tmp_path, ec_key):
    found = Restarted(tmp_path / "d", held=True, limits=Limits(session_days=0.01))
    try:
        device_id = provision_ec(found.api, ec_key)
        with found.cloud.udp_device(ec_key, device_id) as device:
            device.connect()
            found.cloud.pass_time(7300, step=50)  # looked for once an hour
            device.send(pack(CON, 0, device.next_mid()))
            assert device.recv_raw(0.3) is None
    finally:
        found.cloud.stop()


def test_a_damaged_row_is_no_session(restarted, ec_key):
    device_id = provision_ec(restarted.api, ec_key)
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        cloud = restarted.cloud
        cloud.run(
            cloud.services.db.execute(
                "UPDATE udp_sessions SET key_block = x'00' WHERE device_id = ?", device_id
            )
        )
        restarted.start()
        device.send(pack(CON, 0, device.next_mid()))
        assert device.recv_raw(0.3) is None
    with restarted.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        wait_for(lambda: state_of(restarted.api, device_id)["online"])
