"""The older update protocol as the cloud speaks it over TCP: a device written by hand."""

import struct
import zlib

import pytest

from cloud.device import ACK, CON, NON, pack
from cloud.ota_device import digest, ended, image, queue, reaches, upload
from cloud.running import provision
from particle_tools.local import wait_for

OLD, NEW = image(600, 17), image(3000, 18)
CHUNK, COUNT = 512, 6
POST, PUT = 2, 3


@pytest.fixture
def device_id(rest, keys):
    return provision(rest, keys[0])


@pytest.fixture
def device(held, keys, device_id):
    """A device that runs OLD."""
    with connected(held, keys, device_id, OLD) as found:
        yield found


def connected(cloud, keys, device_id, runs):
    device = cloud.device(keys[0], device_id).connect()
    module = {"s": 1, "l": "m", "vc": 30, "vv": 30, "u": digest(runs).hex()}
    body = str({"p": 3, "m": [{**module, "f": "u", "n": "2", "v": 6, "d": []}]})
    token = b"\x77"
    device.mid = (device.mid + 1) & 0xFFFF
    options = [(11, b"d"), (15, b"\x01")]
    payload = body.replace("'", '"').encode()
    device.send(pack(CON, POST, device.mid, token, options=options, payload=payload))
    device.early = []
    while (answer := device.recv()).type != ACK:
        device.early.append(answer)  # an update that goes on
    assert answer.code == 0x44
    return device


def take(device, code, path):
    while True:
        message = device.early.pop(0) if device.early else device.recv()
        if (message.code, message.path[:1]) == (code, [path]):
            return message


def begin(api, device, *, fast, data=NEW):
    """Take UpdateBegin and say that we are ready."""
    upload(api, device.id, data)
    start = take(device, POST, "u")
    assert start.raw[7] == 0xFF and len(start.payload) == 12
    flags, chunk, size, store, address = struct.unpack(">BHIBI", start.payload)
    assert (flags, chunk, size, store, address) == (1, CHUNK, len(data), 0, 0)
    device.acknowledge(start)
    device.answer(start, 0x44, bytes([fast]))


def fast_chunks(device, count=COUNT):
    """Take chunks that nobody answers; return them by their index."""
    found = {}
    while len(found) < count:
        chunk = take(device, POST, "c")
        crc, index = chunk.all(15)
        assert chunk.type == NON and len(chunk.token) == 1
        assert zlib.crc32(chunk.payload) == int.from_bytes(crc, "big")
        found[int.from_bytes(index, "big")] = chunk.payload
    return found


def done(device, code=0x44, payload=b'{"r":0}'):
    """Answer UpdateDone in its acknowledgement."""
    request = take(device, PUT, "u")
    device.send(pack(ACK, code, request.mid, request.token, payload=payload))


def missed(device, *indices):
    payload = b"".join(index.to_bytes(2, "big") for index in indices)
    device.send(pack(NON, 1, device.next_mid(), options=[(11, b"c")], payload=payload))


def test_fast(held, rest, device, keys):
    begin(rest, device, fast=True)
    found = fast_chunks(device)
    assert b"".join(found[index] for index in range(COUNT)) == NEW
    done(device)
    reaches(rest, device.id, phase="applied")
    with connected(held, keys, device.id, NEW):
        assert ended(rest, device.id) == ("success", None)
    assert rest("GET", f"/local/v1/usage/{device.id}")[1]["ota_bytes"] > 3000


def test_fast_with_chunks_that_are_missing(held, rest, device):
    begin(rest, device, fast=True)
    fast_chunks(device)
    done(device, 0x80, b"")
    missed(device, 1, 4)
    again = fast_chunks(device, 2)
    assert again == {1: NEW[512:1024], 4: NEW[2048:2560]}
    done(device)
    reaches(rest, device.id, phase="applied")


def test_slow(held, rest, device):
    begin(rest, device, fast=False)
    got = b""
    for index in range(COUNT):
        chunk = take(device, POST, "c")
        assert chunk.type == CON and chunk.all(15) == [
            zlib.crc32(chunk.payload).to_bytes(4, "big")
        ]
        device.acknowledge(chunk)
        if index == 2:
            device.answer(chunk, 0x80)  # it came damaged
            chunk = take(device, POST, "c")
            device.acknowledge(chunk)
        got += chunk.payload
        device.answer(chunk, 0x44)
    assert got == NEW
    done(device)
    reaches(rest, device.id, phase="applied")


def test_a_device_that_comes_back_without_it(held, rest, device, keys):
    begin(rest, device, fast=True)
    fast_chunks(device)
    done(device)
    reaches(rest, device.id, phase="applied")
    with connected(held, keys, device.id, OLD) as fresh:
        fresh.publish("spark/device/last_reset", b"power_down")
        held.pass_time(1)
        state, error = ended(rest, device.id)
    assert state == "failed" and "came back without" in error and "power_down" in error


def test_a_device_that_is_there_again_before_it_restarts(held, rest, device, keys):
    begin(rest, device, fast=True)
    fast_chunks(device)
    done(device)
    reaches(rest, device.id, phase="applied")
    id_ = device.id
    # as often as it likes: without a restart, nothing is said of one
    for number in (2, *(9 * (1,))):
        device.close()
        device = connected(held, keys, device.id, OLD)
        reaches(rest, device.id, state="started", phase="applied", attempts=number)
        # the wait for a reason begins when the file was read again
        assert wait_for(lambda: held.pass_time(1) or not queue(rest, id_)[0]["attempts"], 30)
        reaches(rest, id_, state="started", phase="applied", attempts=0)
    device.close()
    with connected(held, keys, device.id, NEW) as fresh:
        fresh.publish("spark/device/last_reset", b"update")
        assert ended(rest, device.id) == ("success", None)


def test_a_device_that_never_restarts(held, rest, device, keys):
    begin(rest, device, fast=True)
    fast_chunks(device)
    done(device)
    reaches(rest, device.id, phase="applied")
    device.close()
    with connected(held, keys, device.id, OLD):
        held.pass_time(2 * 86400, 3600)
        state, error = ended(rest, device.id)
    assert state == "failed" and "did not come back" in error


def test_a_lost_connection_begins_anew(held, rest, device, keys):
    begin(rest, device, fast=False)
    take(device, POST, "c")
    device.close()
    with connected(held, keys, device.id, OLD) as fresh:
        start = take(fresh, POST, "u")
        assert len(start.payload) == 12


def test_a_refusal(rest, device):
    upload(rest, device.id, NEW)
    start = take(device, POST, "u")
    device.send(pack(ACK, 0xA3, start.mid, start.token, payload=b'{"code":-1351}'))
    state, error = ended(rest, device.id)
    assert state == "failed" and "size" in error


def test_a_result_that_is_an_error(rest, device):
    begin(rest, device, fast=True)
    fast_chunks(device)
    done(device, payload=b'{"r":-1330}')
    assert ended(rest, device.id) == ("failed", "the module is damaged, error -1330")


def test_the_same_chunk_missing_for_ever(rest, device):
    begin(rest, device, fast=True)
    fast_chunks(device)
    for _ in range(4):
        done(device, 0x80, b"")
        missed(device, 2)
        fast_chunks(device, 1)
    done(device, 0x80, b"")
    missed(device, 2)
    error = "the device asks for the same chunks again and again"
    reaches(rest, device.id, error=error, state="started")


@pytest.mark.parametrize("indices", [(), (6,), (65535, 7)])
def test_lists_of_what_was_never_sent(rest, device, indices):
    begin(rest, device, fast=True)
    fast_chunks(device)
    done(device, 0x80, b"")
    missed(device, *indices)
    error = "the device asks for the same chunks again and again"
    reaches(rest, device.id, error=error, state="started")


def test_a_chunk_that_is_always_damaged(rest, device):
    begin(rest, device, fast=False)
    for _ in range(4):
        chunk = take(device, POST, "c")
        device.acknowledge(chunk)
        device.answer(chunk, 0x80)
    reaches(rest, device.id, error="the device finds chunk 0 damaged again and again")


def test_a_large_file_does_not_pile_up(rest, device):
    data = image(400_000, 19)
    begin(rest, device, fast=True, data=data)
    found = fast_chunks(device, -(-len(data) // CHUNK))
    assert b"".join(found[index] for index in sorted(found)) == data
