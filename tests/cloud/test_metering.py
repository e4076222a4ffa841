"""What the cloud meters is what an independent witness on the device's side has counted.

Source: rest-api 15. The witness sees each CoAP message in clear, and knows the rules by itself.
"""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.device import ACK, CON, NON, pack, unpack
from cloud.running import Api, new_ec_key, provision, provision_ec
from particle_tools.cloud.metering import Rules
from particle_tools.cloud.settings import Limits, Metering

KINDS = {
    (2, "E"): "event",
    (2, "f"): "call",
    (1, "v"): "read",
    (2, "h"): "hello",
    (1, "e"): "subscribe",
    (1, "d"): "describe",
    (2, "d"): "describe",
    (1, "t"): "time",
    (2, "x"): "goodbye",
    (2, "L"): "ledger",
}


@pytest.fixture(scope="module")
def time_stands():
    return True


class Witness:
    """Notes every message of a device, in both directions."""

    def __init__(self, device):
        self.messages = []  # (from the device, message)
        send, recv = device.send, device.recv

        def noting_send(raw, **how):
            self.messages.append((True, unpack(raw)))
            return send(raw, **how)

        def noting_recv(*args):
            message = recv(*args)
            if message is not None:
                self.messages.append((False, message))
            return message

        device.send, device.recv = noting_send, noting_recv

    def kinds(self):
        """Return kind: [messages up, bytes up, messages down, bytes down]."""
        table = {}
        asked = {}  # (who asked, token or message ID): kind
        for up, m in self.messages:
            if m.code == 0:
                kind = "ping" if m.type == CON else "ack"
            elif m.code < 0x20:
                kind = KINDS[m.code, m.path[0]]
                if kind == "describe" and m.all(15) == [b"\x04"]:
                    kind = "vitals"
                asked[up, m.mid] = asked[up, m.token] = kind
            elif m.type == ACK:
                kind = asked[not up, m.mid]
            else:
                kind = asked[not up, m.token]
            row = table.setdefault(kind, [0, 0, 0, 0])
            at = 0 if up else 2
            row[at] += 1
            row[at + 1] += len(m.raw)
        return table

    def operations(self):
        """Return what the device began, and what came to it."""
        count = Counter()
        for up, m in self.messages:
            if not 0 < m.code < 0x20:
                continue
            name = "/".join(m.path[1:])
            if m.path[0] == "E":
                free = name.startswith(("spark", "particle"))
                size = -(-len(m.payload) // 1024) if up else 1
                count[up] += name == "particle/device/name" if free else max(1, size)
            elif not up and m.path[0] in "fv":
                count[up] += 1
        return count[True], count[False]


@pytest.fixture(scope="module")
def limits():
    return Limits(data=16384)


def all_of(body):
    return {
        kind: [row["messages_up"], row["bytes_up"], row["messages_down"], row["bytes_down"]]
        for kind, row in body["kinds"].items()
    }


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_every_kind_of_operation(cloud, api, keys, transport):
    if transport == "tcp":
        device_id = provision(api, keys[0])
        device = cloud.device(keys[0], device_id)
    else:
        key = new_ec_key()
        device_id = provision_ec(api, key)
        device = cloud.udp_device(key, device_id)
    before = api("GET", "/local/v1/usage")[1]["account"]
    witness = Witness(device)

    def answered(code, payload=b""):
        message = device.recv()
        device.acknowledge(message)
        if transport == "tcp":
            device.answer(message, code, payload)
        else:
            mid = device.next_mid()
            device.send(pack(CON, code, mid, message.token, payload=payload))
            assert device.recv().mid == mid

    with ThreadPoolExecutor(1) as pool, device:
        device.connect()
        device.describe(["f"], {"v": 2})
        device.subscribe("order")
        device.ping()
        for name, data in (
            (b"tick", b""),
            (b"tick", b"x" * 1024),
            (b"tick", b"x" * 1500),
            (b"spark/mine", b"x"),
            (b"particles", b"x"),
        ):
            options = [(11, b"E"), (11, name)]
            assert device.request(2, options, data).code == 0
        device.send(pack(NON, 2, device.next_mid(), options=[(11, b"E"), (11, b"quiet")]))
        options = [(11, b"E"), (11, b"particle/device/name")]
        device.send(pack(CON, 2, device.next_mid(), options=options))
        for _ in range(2):  # the answer and the ACK
            message = device.recv()
            if transport == "udp" and message.type == CON:
                device.acknowledge(message)
        device.request(1, [(11, b"t")], token=b"\x11")
        device.request(2, [(11, b"d"), (15, b"\x04")], b"not vitals", token=b"\x12")
        device.request(2, [(11, b"L")], b"\x08\x01", token=b"\x13")
        call = pool.submit(api, "POST", f"/v1/devices/{device_id}/f", {"arg": "on"})
        answered(0x44, b"\0\0\0\x07")
        assert call.result()[1]["return_value"] == 7
        read = pool.submit(api, "GET", f"/v1/devices/{device_id}/v")
        answered(0x45, b"\0\0\0\x08")
        assert read.result()[1]["result"] == 8
        unknown = pool.submit(api, "GET", f"/v1/devices/{device_id}/nothing")
        assert unknown.result()[0] == 404
        for name in ("order/1", "another", "spark/order"):
            assert api("POST", "/v1/devices/events", {"name": name, "data": "x" * 700})[0] == 200
        message = device.recv()
        if message.type == CON:
            device.acknowledge(message)
        device.request(2, [(11, b"x")])
        cloud.last_end(device_id)
    body = api("GET", f"/local/v1/usage/{device_id}")[1]
    assert all_of(body) == witness.kinds()
    out, in_ = witness.operations()
    assert (body["ops_out"], body["ops_in"], body["operations"]) == (out, in_, out + in_)
    assert (out, in_) == (1 + 1 + 2 + 0 + 0 + 1 + 1, 1 + 1 + 1 + 1)
    for way in ("up", "down"):
        assert body[f"coap_{way}"] == sum(row[f"bytes_{way}"] for row in body["kinds"].values())
        count = sum(row[f"messages_{way}"] for row in body["kinds"].values())
        assert body[f"messages_{way}"] == count
    if transport == "tcp":
        assert (body["segment_up"], body["segment_down"]) == (device.bytes_up, device.bytes_down)
    else:
        assert (body["datagram_up"], body["datagram_down"]) == (sum(device.up), sum(device.down))
        network = sum(device.up + device.down) + 28 * len(device.up + device.down)
        assert body["network_estimate"] == network
    account = api("GET", "/local/v1/usage")[1]["account"]
    assert account["ops_out"] - before["ops_out"] == out
    assert account["ops_in"] - before["ops_in"] == in_


def test_a_small_publish_costs_what_the_documents_say(cloud, api, keys):
    # rest-api 15.2: 10 bytes of CoAP are 98 on TCP, with the acknowledgement of TCP
    device_id = provision(api, keys[0])
    with cloud.device(keys[0], device_id).connect() as device:
        device.ping()
        before = api("GET", f"/local/v1/usage/{device_id}")[1]["network_estimate"]
        device.publish("x", b"1")
        device.ping()
        after = api("GET", f"/local/v1/usage/{device_id}")[1]["network_estimate"]
    assert after - before == 98 + 98 + 98  # and a ping with its ACK


@pytest.fixture(scope="module")
def held(held_cloud):
    return held_cloud(metering=Metering(repeated_publish=1))


def test_attempts_and_repetitions(held, ec_key):
    api = Api(held.url).login()
    device_id = provision_ec(api, ec_key)

    def operations():
        return api("GET", f"/local/v1/usage/{device_id}")[1]["operations"]

    with held.udp_device(ec_key, device_id) as device:
        device.connect()
        device.subscribe("order")
        api("POST", "/v1/devices/events", {"name": "order", "data": "1"})
        assert device.recv().type == CON
        counted = [operations()]
        for _ in range(3):  # not acknowledged: three more are sent, of which two count
            before = len(device.down)
            while not device.inbox and len(device.down) == before:
                held.pass_time(1)
                message = device.recv(0.01)
            assert message is None or message.path == ["E", "order"]
            counted.append(operations())
        assert counted == [1, 2, 3, 3]
        device.acknowledge(message)
        # the cloud has received it, and the ACK was lost
        options = [(11, b"E"), (11, b"tick")]
        again = pack(CON, 2, device.next_mid(), options=options, payload=b"x")
        for total in (4, 5):
            device.send(again)
            assert device.recv().type == ACK
            assert operations() == total
        kinds = api("GET", f"/local/v1/usage/{device_id}")[1]["kinds"]
        assert kinds["event"]["messages_up"] == 2 and kinds["event"]["messages_down"] == 4
        events = api("GET", f"/local/v1/usage/{device_id}")[1]["events_up"]
        assert events == 1


@pytest.mark.parametrize(
    ("metering", "name", "size", "publish", "delivery"),
    [
        (Metering(), "x", 0, 1, 1),
        (Metering(), "x", 1024, 1, 1),
        (Metering(), "x", 1025, 2, 1),
        (Metering(), "x", 16384, 16, 1),
        (Metering(large_publish="one"), "x", 16384, 1, 1),
        (Metering(), "sparkle", 9, 0, 0),
        (Metering(), "particle/device/updates/pending", 4, 0, 0),
        (Metering(), "particle/device/random", 0, 1, 1),
        (Metering(), "spark/device/ip", 0, 1, 1),
        (Metering(asked=0), "particle/device/name", 0, 0, 0),
        (Metering(), "loc", 100, 1, 1),
        (Metering(), "hook-response/x/0", 512, 1, 1),
    ],
)
def test_rules(metering, name, size, publish, delivery):
    rules = Rules(metering)
    assert rules.publish(name, size) == publish
    assert rules.delivery(name) == delivery


def test_counts_of_an_earlier_version_are_kept(held):
    services = held.services
    old = {
        **dict.fromkeys(("segment_up", "segment_down", "segments_up", "segments_down"), 0),
        "coap_up": 60,
        "coap_down": 30,
        "messages_up": 5,
        "messages_down": 4,
        "pings": 2,
        "datagram_up": 200,
        "handshakes": 1,
        "events_up": 3,
    }
    row = ("00" * 12, "2026-01", json.dumps(old))
    held.run(services.db.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", *row))
    body = held.call(services.usage.earlier, *row[:2]).to_json()
    assert {name: body[name] for name in old} == old
    assert body["operations"] == 0
