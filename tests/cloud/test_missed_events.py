"""Persisted events at the readers of streams: none is missed and none comes twice (decision 7)."""

import threading

import pytest

from cloud.missed import Reader
from cloud.running import Api, provision_ec
from cloud.test_udp_session import wait_for
from particle_tools.cloud.settings import Limits


@pytest.fixture(scope="module")
def limits():
    return Limits(stream_events=20)  # also the length of a page of missed events


@pytest.fixture
def device(cloud, ec_key, udp_id):
    """A connected device."""
    with cloud.udp_device(ec_key, udp_id) as device:
        device.number = 0
        yield device.connect()


@pytest.fixture
def reading(api):
    """Open readers; close them in the end."""
    readers = []

    def opened(*args, **more):
        readers.append(Reader(*args, **more))
        wait_for(lambda: readers[-1].streams)
        return readers[-1]

    yield opened
    for reader in readers:
        reader.close()


def persist(device, data, name="kept"):
    device.number += 1
    number = device.number.to_bytes(4, "big")
    assert device.publish(name, data, _65000=number).code == 0


def data_of(reader, device):
    return [data for _, _, data, core in list(reader.got) if core == device.id]


def test_only_who_asks_is_given_ids(api, device, reading):
    plain = reading(api, last=None)
    asking = reading(api)
    persist(device, b"1")
    device.publish("other", b"2")
    for reader in (plain, asking):
        wait_for(lambda r=reader: data_of(r, device) == ["1", "2"])
    assert [id_ for id_, _, _, core in plain.got if core == device.id] == [None, None]
    ids = [id_ for id_, _, _, core in asking.got if core == device.id]
    assert int(ids[0]) > 0 and ids[1] is None


def test_a_reader_of_other_data_is_given_everything(api, device, reading):
    persist(device, b"1")
    reader = reading(api, last="999999999")
    wait_for(lambda: data_of(reader, device) == ["1"])
    persist(device, b"2")
    wait_for(lambda: data_of(reader, device) == ["1", "2"])


def test_what_was_missed_comes_first_and_in_order(api, device, reading):
    texts = [str(n) for n in range(70)]  # several pages
    for text in texts:
        persist(device, text.encode())
    reader = reading(api)
    wait_for(lambda: len(data_of(reader, device)) == 70)
    persist(device, b"live")
    wait_for(lambda: data_of(reader, device) == [*texts, "live"])
    ids = [int(id_) for id_, *_ in reader.got if id_]
    assert ids == sorted(set(ids))
    later = reading(api, last=reader.last)
    persist(device, b"once more")
    wait_for(lambda: data_of(later, device) == ["once more"])


def test_selection(api, other_api, device, ec_key, cloud, reading):
    other = provision_ec(api, ec_key)
    persist(device, b"a", "door/front")
    persist(device, b"b", "window")
    with cloud.udp_device(ec_key, other).connect() as second:
        second.number = 0
        persist(second, b"c", "door/back")
        second_only = reading(api, f"/v1/devices/{other}/events/door")
        doors = reading(api, "/v1/devices/events/door")
        foreign = reading(other_api)
        wait_for(lambda: [d for *_, d, _ in second_only.got] == ["c"])
        wait_for(lambda: data_of(doors, device) == ["a"] and data_of(doors, second) == ["c"])
        assert foreign.got == []


@pytest.mark.parametrize("value", ["", "x", "-1", "1" * 19, "1.0", "٣"])
def test_what_is_no_id(cloud, api, value):
    headers = {"Last-Event-ID": value.encode("utf-8").decode("latin-1")}
    assert api("GET", "/v1/devices/events", headers=headers)[0] == 400


def test_readers_that_come_while_events_come(cloud, ec_key, device, reading):
    """Wherever the moment lies between what is read from storage and what is live."""
    api = Api(cloud.url).login()
    done = threading.Event()

    def publish():
        for n in range(300):
            persist(device, b"%d" % n)
        done.set()

    thread = threading.Thread(target=publish)
    thread.start()
    readers = []
    while not done.is_set() and len(readers) < 40:
        readers.append(reading(api))
    thread.join()
    texts = [str(n) for n in range(300)]
    for reader in readers:
        wait_for(lambda r=reader: len(data_of(r, device)) >= 300)
        assert data_of(reader, device) == texts
