"""kill -9 of the cloud: sessions go on, no number is used twice, no acknowledged event is lost."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import ports
from cloud.device import ACK, CON, pack
from cloud.missed import Reader
from cloud.nursery import Nursery
from cloud.running import Api, new_ec_key, provision_ec
from cloud.test_process import LOGIN, Process
from cloud.test_udp_session import state_of, wait_for
from cloud.udp_device import UdpDevice

_THREADS = 8
_KILLS = 200
_HALF = 0x8000


class Killable:
    """A cloud process that is killed and started again on the same data and ports."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = ports.options("udp", "tcp")
        self.process = None
        self.start()

    def start(self):
        self.process = Process(self.folder, "--user", LOGIN, *self.ports)
        self.api = self.process.api.login()

    def kill(self):
        os.kill(self.process.child.pid, signal.SIGKILL)
        self.process.child.communicate(timeout=10)

    def udp_device(self, key, device_id, **more):
        return self.process.udp_device(key, device_id, **more)


class Quick:
    """The same with processes that start so fast that hundreds can be killed."""

    def __init__(self, folder):
        self.nursery = Nursery()
        self.options = ("--data", str(folder), *ports.options("udp", "tcp", "http"))
        self.nursery.start(*self.options, "--user", LOGIN)
        ready = self.nursery.ready()
        self.api = Api(ready["http"]).login()  # its token outlives the cloud
        self.port = ready["udp_port"]
        self.spki = self.api("GET", "/local/v1/server-key?alg=ec&format=der")[1]

    def start(self):
        self.nursery.start(*self.options)
        self.nursery.ready()

    def stumble(self, seconds):
        """Start one that is killed before or soon after it serves."""
        self.nursery.start(*self.options)
        time.sleep(seconds)
        self.nursery.kill()

    def kill(self):
        self.nursery.kill()

    def udp_device(self, key, device_id, **more):
        return UdpDevice(self.port, self.spki, key, device_id, **more)


@pytest.fixture
def killable(tmp_path):
    found = Killable(tmp_path / "d")
    yield found
    found.kill()


@pytest.fixture
def quick(tmp_path):
    found = Quick(tmp_path / "d")
    yield found
    found.nursery.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sessions", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_all_sessions_go_on(killable, sessions):
    key = new_ec_key()

    def make(i):
        device_id = provision_ec(killable.api, key)
        # an address of its own: on one, ports are used again, and what was sent to their
        # last user arrives at the next
        host = f"127.1.{i // 250}.{i % 250 + 1}"
        device = killable.udp_device(key, device_id, timeout=20.0, host=host).connect()
        device.subscribe("door")
        device.close()  # only its keys are needed now
        return device

    def go_on(device):
        device.resume(253)
        used = max(device.client.server_numbers)
        device.client.server_numbers.clear()
        assert device.publish("back", b"1").raw == pack(ACK, 0, device.mid)
        assert device.moved is None and min(device.client.server_numbers) > used
        device.close()
        return True

    with ThreadPoolExecutor(_THREADS) as pool:
        devices = list(pool.map(make, range(sessions)))
        killable.kill()
        killable.start()
        began = time.monotonic()
        assert all(pool.map(go_on, devices))
        print(f"{sessions} sessions went on in {time.monotonic() - began:.1f} s")
    shown = killable.api("GET", "/local/v1/sessions")[1]
    assert sum(s["online"] for s in shown) == sessions
    assert all(s["subscriptions"] == ["door"] for s in shown)
    last = devices[-1]
    last.rebind()
    last.ping()
    killable.api("POST", "/v1/devices/events", {"name": "door", "data": "1"})
    event = last.recv()
    assert event.path == ["E", "door"]
    usage = killable.api("GET", f"/local/v1/usage/{last.id}")[1]
    assert usage["resumes"] == 1


class Busy:
    """A device that publishes persisted events as fast as it can and hears them all."""

    def __init__(self, killable, key):
        self.killable = killable
        self.id = provision_ec(killable.api, key)
        self.device = killable.udp_device(key, self.id, timeout=1.0).connect()
        self.device.subscribe("p")
        self.records = {}  # number of a record of the cloud -> the record
        self.heard = {}  # event -> message id it came under
        self.top = None  # the newest of these ids
        self.next = 1  # number of the next event
        self.waiting = {}  # message id -> event number
        self.acknowledged = set()
        recv_raw = self.device.recv_raw

        def watched(timeout=None):
            data = recv_raw(timeout)
            if data is not None:
                self._watch(data)
            return data

        self.device.recv_raw = watched

    def _watch(self, data):
        while data:
            n = 13 + int.from_bytes(data[11:13], "big")
            record, data = data[:n], data[n:]
            number = record[3:11]
            assert number not in self.records, f"the number {number.hex()} was used twice"
            self.records[number] = record

    def work(self, seconds, least=0):
        """Publish, acknowledge, repeat what got no answer, until `least` more records came."""
        end = time.monotonic() + seconds
        limit, least = end + 30, least + len(self.records)
        while time.monotonic() < end or len(self.records) < least:
            assert time.monotonic() < limit, "the cloud does not answer"
            while len(self.waiting) < 16:
                self._publish(self.next, self.device.next_mid())
                self.next += 1
            if not self._hear(0.05):
                for mid, number in list(self.waiting.items()):
                    self._publish(number, mid)

    def _publish(self, number, mid):
        options = [(11, b"E"), (11, b"p"), (65000, number.to_bytes(4, "big"))]
        self.waiting[mid] = number
        self._send(pack(CON, 2, mid, options=options, payload=b"%d" % number))

    def _send(self, message):
        try:
            self.device.send(message)
        except ConnectionError:
            pass  # nobody listens at the moment

    def _hear(self, seconds):
        got = self.device.recv(seconds)
        while got is not None:
            if got.type == ACK:
                number = self.waiting.pop(got.mid, None)
                self.acknowledged.add(number)
            else:
                self._hear_event(got)
                self._send(pack(ACK, 0, got.mid))
            got = self.device.recv(0)
            if got is None:
                return True
        return False

    def _hear_event(self, got):
        # A repetition has the same id; another id would be a second delivery. The ids only go
        # up: they may come round, but not to one that was used lately.
        if got.payload in self.heard:
            assert self.heard[got.payload] == got.mid
            return
        assert self.top is None or 0 < (got.mid - self.top) & 0xFFFF < _HALF
        self.heard[got.payload] = self.top = got.mid

    def finish(self):
        """Wait for the last answers."""
        end = time.monotonic() + 60
        while self.waiting and time.monotonic() < end:
            if not self._hear(0.2):
                for mid, number in list(self.waiting.items()):
                    self._publish(number, mid)
        assert not self.waiting


def _check(killable, busy, kills):
    busy.finish()
    published = set(range(1, busy.next))
    assert published <= busy.acknowledged
    kept = killable.api("GET", f"/local/v1/devices/{busy.id}/persisted-events")[1]
    numbers = [row["number"] for row in kept]
    assert len(numbers) == len(set(numbers)) == min(512, len(published))
    assert set(numbers) <= published
    assert state_of(killable.api, busy.id)["online"]
    lost = len(published) - len(busy.heard)  # committed, but not delivered before a kill
    print(f"{kills} kills, {len(busy.records)} records, {len(published)} events, {lost} unheard")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [20, pytest.param(_KILLS, marks=pytest.mark.soak)])
def test_no_number_is_used_twice_by_clouds_that_are_killed(quick, kills):
    """The kill test of DESIGN decision 3, another one each time it runs."""
    seed = time.time_ns()
    print("seed", seed)
    source = random.Random(seed)
    busy = Busy(quick, new_ec_key())
    reader = Reader(quick.api, "/v1/devices/events/p")
    for turn in range(kills):
        if source.random() < 0.5:
            busy.device.resume(253)
        busy.work(source.uniform(0.0, 0.1), least=1)
        quick.kill()
        if turn % 4 == 0:
            busy.work(0.01)  # it speaks to nobody, and again soon
            quick.stumble(source.uniform(0.0, 0.12))
        quick.start()
    _check(quick, busy, kills)
    assert len(busy.records) > kills
    published = busy.next - 1
    wait_for(lambda: len(reader.got) >= published, 60)
    reader.close()
    # Whoever asks for what it has missed gets every acknowledged event, once.
    numbers = [int(data) for _, _, data, _ in reader.got]
    assert len(numbers) == published and set(numbers) == set(range(1, busy.next))
    assert reader.streams > 10 or kills < _KILLS


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_no_number_is_used_twice_in_200_kills_of_busy_clouds(killable):
    source = random.Random(5)
    busy = Busy(killable, new_ec_key())
    for _ in range(_KILLS):
        if source.random() < 0.5:
            busy.device.resume(253)
        busy.work(source.uniform(0.0, 0.5))
        killable.kill()
        busy.work(0.02)
        killable.start()
    _check(killable, busy, _KILLS)
    assert len(busy.records) > 20 * _KILLS


@pytest.mark.timeout(300)
def test_records_heard_before_a_kill_are_not_heard_after_it(killable):
    """Whatever was acknowledged, and every record without an answer too."""
    key = new_ec_key()
    device_id = provision_ec(killable.api, key)
    device = killable.udp_device(key, device_id).connect()
    sent = []
    with device:
        for i in range(50):
            datagram = device.seal(
                pack(i % 2, 2, device.next_mid(), options=[(11, b"E"), (11, b"e%d" % i)])
            )
            sent.append(datagram)
            device.send_raw(datagram)
        acknowledged = set()
        while len(acknowledged) < 25:
            acknowledged.add(device.recv().mid)
        device.ping()  # the last of them needs no answer
        killable.kill()
        killable.start()
        state = state_of(killable.api, device_id)
        for datagram in sent:
            device.send_raw(datagram)
            device.send_raw(b"\xfd" + datagram[1:])
        while (data := device.recv_raw(0.3)) is not None:
            raise AssertionError(f"an answer to a replay: {data.hex()}")
        assert state_of(killable.api, device_id) == state
        device.ping()
        assert state_of(killable.api, device_id)["last_heard"] > state["last_heard"]
