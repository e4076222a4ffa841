"""Full handshakes in every form a client may take, and what the wrong ones are told."""

import itertools
import random

import pytest

from cloud.dtls_client import (
    COMPACT,
    DEVICE_OS,
    OLD_DEVICE_OS,
    handshake_message,
    plain_record,
)
from cloud.running import new_ec_key, provision_ec
from cloud.udp_device import HELLO_FLAGS, Alert, hello_payload
from particle_tools.cloud.settings import Limits


@pytest.fixture(scope="module")
def time_stands():
    return True


FORMS = {
    "device-os": {},
    "before 3.1": {"extensions": OLD_DEVICE_OS},
    "compact": {
        "extensions": COMPACT,
        "bodies": {13: b"\0\2\4\3"},
        "suites": (0xC0AE,),
        "merged": True,
        "pad": 0,
    },
    "only 0403": {"bodies": {13: b"\0\2\4\3"}, "pad": 0},
    "no SCSV": {"suites": (0xC0AE,)},
    "without 11 and 20": {"extensions": (13, 10, 254, 19)},
    "both CID extensions": {"extensions": (*DEVICE_OS, 54)},
    "more suites": {"suites": (0xC02B, 0xC0AE, 0xC0AC, 0xFF)},
    "fragments of 20": {"fragment": 20},
    "fragments of 1": {"fragment": 1},
    "own CID of 8": {"bodies": {254: b"\x08abcdefgh"}},
    "own CID of 3": {"bodies": {254: b"\x03abc"}},
}
# Sizes of whole datagrams from a client and to it, with a 16-byte cookie (2.2, 2.8).
SIZES = {
    "device-os": ((116, 132, 392), (44, 326, 67)),
    "before 3.1": ((111, 127, 378), (44, 313, 67)),
    "compact": ((96, 112, 360), (44, 310, 67)),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(cloud, ec_key, udp_id, form):
    with cloud.udp_device(ec_key, udp_id, **FORMS[form]) as device:
        if "own CID" in form:
            own = FORMS[form]["bodies"][254][1:]
            _own_cid(device, own)
        device.connect()
        device.ping()
        assert device.publish("x", b"1").code == 0
        assert set(device.client.server_extensions) <= {0xFF01, 19, 20, 11, 254}
        assert (0xFF01 in device.client.server_extensions) == (0xFF in device.client.suites)
        if form in SIZES:
            up, down = SIZES[form]
            assert device.down[:3] == pytest.approx(list(down), abs=3)
            assert device.up[:3] == pytest.approx(list(up), abs=3)


def _own_cid(device, own):
    # The server's records carry our CID then (2.8): the test client's reader learns that form.
    import cloud.dtls_client as module

    def cut(datagram):
        found = []
        while datagram:
            header = 13 + (len(own) if datagram[0] == 25 else 0)
            n = header + int.from_bytes(datagram[header - 2 : header], "big")
            found.append(datagram[:n])
            datagram = datagram[n:]
        return found

    def datagram(data):
        out, application = [], []
        for record in cut(data):
            if record[3:5] == b"\0\0":
                out += module.DtlsClient.datagram(device.client, record)[0]
                continue
            assert record[0] == 25 and record[11 : 11 + len(own)] == own
            keys, header = device.client.keys, 13 + len(own)
            counter, sealed = record[3:11], record[header + 8 :]
            n = len(sealed) - 8
            aad = counter + b"\x19\xfe\xfd" + own + bytes([len(own)]) + n.to_bytes(2, "big")
            inner = keys.down.decrypt(keys.down_iv + record[header : header + 8], sealed, aad)
            if inner[-1] == 22:
                assert inner[12:-1] == device.client.expected_finished()
                device.client.done = True
            else:
                application.append(inner[:-1])
        return out, application

    device.client.datagram = datagram


_ORDERS = list(itertools.permutations(DEVICE_OS[:5]))[::12]


@pytest.mark.parametrize("order", _ORDERS)
def test_any_order_of_the_extensions(cloud, ec_key, udp_id, order):
    with cloud.udp_device(ec_key, udp_id, extensions=(*order, 20)) as device:
        device.connect()


def test_a_hello_of_old_firmware(cloud, api, ec_key, udp_id):
    with cloud.udp_device(ec_key, udp_id, extensions=OLD_DEVICE_OS) as device:
        device.connect(flags=0x36, tail=False)
        assert device.keys.cid == b""
        state = {s["id"]: s for s in api("GET", "/local/v1/sessions")[1]}[udp_id]
        assert state["message_limit"] == 600 and state["connection_id"] is None


def test_application_data_behind_the_finished(cloud, ec_key, udp_id):
    """Compact profile: CCS, Finished, Hello, Describe in one datagram; the answer in one."""
    form = FORMS["compact"]
    with cloud.udp_device(ec_key, udp_id, **form) as device:
        waiting = device.client.start()
        for _ in range(2):
            device.send_raw(waiting[0])
            waiting, _ = device.client.datagram(device.recv_raw())
        describe = bytes.fromhex("4102000231b1644102ff") + b'{"f":["a"],"v":{}}'
        extra = [
            b"\x40\x02\x00\x01\xb1h\xff" + hello_payload(udp_id),
            describe,
            bytes.fromhex("4101000332b174"),
        ]
        device.send_raw(waiting[0] + b"".join(device.seal(m, pad=0) for m in extra))
        answer = device.recv_raw()
        _, application = device.client.datagram(answer)
        assert device.client.done
        assert [m[:4].hex() for m in application] == ["60000001", "61440002", "61450003"]
        assert device.recv_raw(0.3) is None
        assert len(device.up) == len(device.down) == 3


def test_data_that_overtakes_everything(cloud, ec_key, udp_id):
    """Hello and Finished arrive after the records that follow them: nothing is lost."""
    with cloud.udp_device(ec_key, udp_id) as device:
        waiting = device.client.start()
        for _ in range(2):
            device.send_raw(waiting[0])
            waiting, _ = device.client.datagram(device.recv_raw())
        hello = device.seal(b"\x40\x02\x00\x01\xb1h\xff" + hello_payload(udp_id))
        event = device.seal(bytes.fromhex("40020002b14501") + b"x")
        ping = device.seal(bytes.fromhex("40000003"))
        for datagram in (ping, event, hello, waiting[0]):
            device.send_raw(datagram)
        got = {device.recv().mid for _ in range(3)}
        assert got == {1, 2, 3} and device.client.done


@pytest.mark.parametrize("seed", range(12))
def test_a_network_that_loses_doubles_and_reorders(cloud, ec_key, udp_id, seed):
    """Every record of every flight in a datagram of its own, and the client repeats."""
    source = random.Random(seed)
    with cloud.udp_device(ec_key, udp_id, fragment=40 if seed % 2 else None) as device:
        client = device.client
        waiting = client.start()
        for _ in range(200):
            datagrams = [r for d in waiting for r in _own_records(d)] if seed % 3 else waiting
            datagrams = [d for d in datagrams if source.random() > 0.3] * source.choice((1, 1, 2))
            source.shuffle(datagrams)
            for datagram in datagrams:
                device.send_raw(datagram)
            waiting = []
            while not client.done and (data := device.recv_raw(0.1)) is not None:
                if source.random() > 0.3:
                    out, application = client.datagram(data)
                    waiting += out
            if client.done:
                break
            if not waiting:  # the timer
                if client.flight5 is not None:
                    waiting = [b"".join(client.flight())]
                elif client.cookie:
                    waiting = client.second_hello()
                else:
                    waiting = client.start()
        assert client.done
        device.inbox.clear()
        while device.recv_raw(0.05) is not None:  # repeated final flights
            pass
        device.hello()


def _own_records(datagram):
    found = []
    while datagram:
        header = 21 if datagram[0] == 25 else 13
        n = header + int.from_bytes(datagram[header - 2 : header], "big")
        found.append(datagram[:n])
        datagram = datagram[n:]
    return found


def test_each_datagram_of_the_server_lost_once(cloud, ec_key, udp_id):
    for lost in range(3):
        with cloud.udp_device(ec_key, udp_id) as device:
            client = device.client
            repeats = [client.start, client.second_hello, lambda c=client: [b"".join(c.flight())]]
            waiting = client.start()
            for step in range(3):
                device.send_raw(b"".join(waiting))
                answer = device.recv_raw()
                if step == lost:
                    device.send_raw(b"".join(repeats[step]()))
                    answer = device.recv_raw()
                waiting, _ = client.datagram(answer)
            assert client.done
            device.hello()


def test_the_last_flight_again_after_the_hello(cloud, ec_key, udp_id):
    """The client lost CCS and Finished, but its Hello came through."""
    with cloud.udp_device(ec_key, udp_id).connect() as device:
        device.send_raw(b"".join(device.client.flight()))
        device.client.done = False
        device.client.datagram(device.recv_raw())
        assert device.client.done
        device.ping()
        numbers = device.client.server_numbers
        assert len(set(numbers)) == len(numbers)


def test_a_few_bytes_never_trigger_a_flight(cloud, ec_key, udp_id):
    with cloud.udp_device(ec_key, udp_id) as device:
        device.half_open()
        for number in range(4):
            fragment = handshake_message(1, number, bytes(100), 0, 1)
            device.send_raw(plain_record(22, 10 + number, fragment))
        assert device.recv_raw(0.3) is None
        for _ in range(20):
            device.send_raw(device.client.second_hello()[0])
        assert device.recv_raw() is not None  # one for all that came at once
        for _ in range(100):
            device.send_raw(device.client.second_hello()[0])
            while device.recv_raw(0.01) is not None:
                pass
        assert len(device.down) <= 2 + 25


def test_a_new_hello_from_the_same_port(cloud, ec_key, udp_id):
    """A device that gave up in the middle begins again; the cookie is asked for again."""
    with cloud.udp_device(ec_key, udp_id) as first:
        first.half_open()
        cloud.pass_time(Limits().another_hello_s)
        second = cloud.udp_device(ec_key, udp_id)
        second.close()
        second.sock = first.sock
        second.connect()
        second.ping()


REFUSED = {
    "the suite C0AE is not offered": ({"suites": (0xC02B, 0xFF)}, 40),
    "the curve P-256 is not offered": ({"extensions": (13, 11, 254, 19, 20)}, 40),
    "ECDSA with SHA-256 is not offered": ({"extensions": (10, 11, 254, 19, 20)}, 40),
    "the client offers no raw key": ({"extensions": (13, 10, 11, 254, 20)}, 40),
    "the ClientHello: too short": ({"bodies": {254: b"\x05"}}, 50),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_an_offer_without_common_ground(cloud, ec_key, udp_id, reason):
    form, alert = REFUSED[reason]
    with cloud.udp_device(ec_key, udp_id, **form) as device:
        with pytest.raises(Alert) as caught:
            device.handshake()
        assert caught.value.args == (alert,)
        refusal = cloud.last_refusal(device.address)
        assert (refusal.stage, refusal.reason) == ("transport", reason)


def spoil(device, change):
    """Run a handshake with `change` applied to the list (kind, number, body) of flight 5."""
    make = device.client.make_flight5

    def changed():
        make()
        messages = [
            (p[0][0], int.from_bytes(p[0][4:6], "big"), b"".join(x[12:] for x in p))
            for p in device.client.flight5
        ]
        messages = change(messages)
        device.client.flight5 = [device.client.pieces(*m) for m in messages]

    device.client.make_flight5 = changed
    with pytest.raises(Alert) as caught:
        device.handshake()
    return caught.value.args[0]


def replaced(index, body):
    def change(messages):
        messages[index] = (*messages[index][:2], body(messages[index][2]))
        return messages

    return change


BAD = {
    "CertificateVerify": (replaced(2, lambda b: b[:-1] + bytes([b[-1] ^ 1])), 51, "device key"),
    "signature algorithm": (replaced(2, lambda b: b"\4\1" + b[2:]), 50, "transport"),
    "signature cut": (replaced(2, lambda b: b[:-1]), 50, "transport"),
    "signature empty": (replaced(2, lambda b: b"\4\3\0\0"), 51, "device key"),
    "point off the curve": (replaced(1, lambda b: b[:-1] + bytes([b[-1] ^ 1])), 50, "transport"),
    "point too long": (replaced(1, lambda b: b + b"\0"), 50, "transport"),
    "point at infinity": (replaced(1, lambda b: b"\1\0"), 50, "transport"),
    "no key": (replaced(0, lambda b: bytes(3)), 40, "device key"),
    "key that is none": (replaced(0, lambda b: b"\0\0\x5b" + bytes(91)), 42, "device key"),
    "key with a tail": (replaced(0, lambda b: b + b"\0"), 42, "device key"),
    "other order": (lambda m: [(m[1][0], 2, m[1][2]), *m[:1], *m[2:]], 10, "transport"),
    "unknown message": (replaced(0, lambda b: b), 10, "transport"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_client_flight(cloud, ec_key, udp_id, what):
    change, alert, stage = BAD[what]
    if what == "unknown message":
        change = lambda m: [(99, m[0][1], m[0][2]), *m[1:]]  # noqa: E731
    with cloud.udp_device(ec_key, udp_id) as device:
        assert spoil(device, change) == alert
        assert cloud.last_refusal(device.address).stage == stage


def test_a_wrong_finished(cloud, ec_key, udp_id):
    with cloud.udp_device(ec_key, udp_id) as device:
        make = device.client.make_flight5

        def changed():
            make()
            device.client.verify_data = bytes(12)

        device.client.make_flight5 = changed
        with pytest.raises(Alert) as caught:
            device.handshake()
        assert caught.value.args == (51,)
        assert cloud.last_refusal(device.address).reason == "the client's Finished is wrong"


def test_a_device_that_holds_another_servers_key(cloud, ec_key, udp_id):
    """Device OS says so with a plain alert 51 after the server's flight (2.2)."""
    with cloud.udp_device(ec_key, udp_id) as device:
        device.send_raw(device.client.start()[0])
        device.send_raw(device.client.datagram(device.recv_raw())[0][0])
        device.recv_raw()
        device.send_raw(plain_record(21, 2, b"\2\x33"))
        refusal = cloud.last_refusal(device.address)
        assert refusal.stage == "server key" and "alg=ec" in refusal.to_json()["remedy"]


def test_identity_is_checked_with_the_hello(cloud, api, ec_key, udp_id):
    other = new_ec_key()
    cases = [
        (other, udp_id, "device key", "the device's key is not the registered one"),
        (ec_key, "00" * 12, "id", "no device with this id is registered"),
    ]
    for key, device_id, stage, reason in cases:
        with cloud.udp_device(key, device_id).handshake() as device:
            with pytest.raises(Alert) as caught:
                device.hello()
            assert caught.value.args == (49,)
            refusal = cloud.last_refusal(device.address)
            assert (refusal.stage, refusal.reason) == (stage, reason)
            assert (refusal.device_id, refusal.transport) == (device_id, "udp")
            device.send(bytes.fromhex("40000007"))
            assert device.recv_raw(0.2) is None
    shown = api("GET", "/local/v1/refusals")[1]
    assert any(r["reason"] == cases[0][3] and r["remedy"] for r in shown)


def test_a_device_with_only_an_rsa_key(cloud, api, keys, ec_key, device_id):
    with cloud.udp_device(ec_key, device_id).handshake() as device:
        with pytest.raises(Alert):
            device.hello()
        refusal = cloud.last_refusal(device.address)
        assert refusal.reason == "no P-256 key is registered for this device"


HELLOS = {
    "a Hello of 7 bytes": bytes(7),
    "the Hello has no device id": hello_payload("00" * 12)[:9] + b"\0",
}


@pytest.mark.parametrize("reason", HELLOS)
def test_a_hello_that_says_too_little(cloud, ec_key, udp_id, reason):
    with cloud.udp_device(ec_key, udp_id).handshake() as device:
        with pytest.raises(Alert):
            device.request(2, [(11, b"h")], HELLOS[reason])
        assert cloud.last_refusal(device.address).reason == reason


def test_a_key_that_is_registered_anew_ends_the_session(cloud, api, ec_key, udp_id):
    other = new_ec_key()
    with cloud.udp_device(ec_key, udp_id).connect() as device:
        provision_ec(api, ec_key, udp_id)  # the same key: nothing happens
        device.ping()
        provision_ec(api, other, udp_id)
        assert "another key" in cloud.last_end(udp_id)
        assert device.recv(0.5) is None and device.client.closed
    with cloud.udp_device(other, udp_id) as device:
        device.connect(flags=HELLO_FLAGS)
