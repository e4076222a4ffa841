"""The device's side of an update, written from the protocol text; and images for it."""

import contextlib
import hashlib
import random
import struct
import zlib

from cloud.device import ACK, CON, NON, RST, pack
from cloud.test_uploads import put, queue
from particle_tools.local import wait_for

PLATFORM = 3
CHUNK_INDEX, WINDOW_SIZE, FILE_SIZE, FILE_SHA = 2049, 2053, 2057, 2061
CHUNK_SIZE, DISCARD, CANCEL, FUNCTION = 2065, 2069, 2073, 2077
STATISTICS = b'{"recv_chunks":4,"dup_chunks":0}'


def image(size=2000, seed=1, *, function=5, index=2, version=6):
    """Make a module of this many bytes."""
    end = size - 4
    head = (0, end, 0, 0, version, PLATFORM, function, index, 0, 0, 0)
    data = struct.pack("<IIBBHHBBIHH", *head)
    data += random.Random(seed).randbytes(size - len(data) - 40) + b"\0\0"
    data += hashlib.sha256(data).digest() + struct.pack("<H", 36)
    return data + zlib.crc32(data).to_bytes(4, "big")


def digest(data):
    """Return the hash in the suffix of a module: what a device describes."""
    return data[-38:-6]


def field(number, value):
    """Encode a field of a protobuf message: an integer below 128, or bytes."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def description(*applications, assets=(), needs=()):
    """Return a system Describe with user parts of these hashes."""
    out = b""
    for hash_ in applications:
        module = field(1, 5) + field(2, 2) + field(3, 6) + field(8, hash_)
        out += field(1, module + b"".join(field(10, field(1, n)) for n in needs))
    return out + b"".join(field(5, field(1, hash_)) for hash_ in assets)


@contextlib.contextmanager
def running(cloud, key, device_id, module):
    """Give a device over UDP that is connected and has described the module that it runs."""
    with cloud.udp_device(key, device_id) as found:
        found.connect()
        describe(found, description(digest(module)))
        yield found


def value(message, number):
    """Return an option as a number; None without it."""
    found = message.all(number)
    return int.from_bytes(found[0], "big") if found else None


def describe(device, body):
    """Post a system Describe."""
    token = device.next_token()
    options = [(11, b"d"), (12, b"\x2a"), (15, b"\x01")]
    assert device.request(2, options, body, token).code == 0x44


def take(device, path):
    """Return the next message that the cloud sends to this path."""
    while True:
        message = device.recv()
        assert message is not None, f"nothing came for {path}"
        if message.path[:1] == [path]:
            return message


def accept(device, start, offset=0, window=16):
    """Answer UpdateStart."""
    device.acknowledge(start)
    options = [(WINDOW_SIZE, bytes([window])), (FILE_SIZE, _uint(offset))]
    separate(device, 0x41, start.token, options)


def refuse(device, request, code, message="Unknown error"):
    """Answer with an error of the system."""
    body = f'{{"code":{code},"message":"{message}"}}'.encode()
    device.acknowledge(request)
    separate(device, 0xA3, request.token, (), body)


def finish(device, request=None):
    """Answer UpdateFinish: everything is right."""
    request = request or take(device, "F")
    device.acknowledge(request)
    separate(device, 0x44, request.token, (), STATISTICS)


def separate(device, code, token, options, payload=b""):
    """Send an answer and take its acknowledgement."""
    mid = device.next_mid()
    device.send(pack(CON, code, mid, token, options=options, payload=payload))
    early = []  # it may send more before it acknowledges
    while (answer := device.recv()).mid != mid or answer.type != ACK:
        early += [answer] if answer.path else []
    device.inbox[:0] = early


def acknowledge(device, cumulative, bitmap=b""):
    """Send UpdateAck."""
    options = [(11, b"A"), (CHUNK_INDEX, _uint(cumulative))]
    device.send(pack(NON, 2, device.next_mid(), options=options, payload=bitmap))


def reset(device, message):
    """Answer a chunk with RST."""
    device.send(pack(RST, 0, message.mid))


def chunks(device, count, size, *, known=0):
    """Take chunks, two for each acknowledgement, until there are `count`; return the bytes."""
    parts = {}
    while len(parts) < count:
        chunk = take(device, "C")
        index = value(chunk, CHUNK_INDEX)
        assert len(chunk.payload) == size or index == count, index
        parts[index] = chunk.payload
        contiguous = known
        while contiguous + 1 in parts:
            contiguous += 1
        if index % 2 == 0 or index == count:
            acknowledge(device, contiguous)
    return b"".join(parts[index] for index in sorted(parts))


def _uint(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def upload(api, device_id, *files):
    """Have files sent to a device."""
    parts = [(f"file{n}", f"f{n}.bin", data) for n, data in enumerate(files)]
    status, body = put(api, device_id, *parts)
    assert status == 200, body
    return body["status"]


def ended(api, device_id):
    """Wait until the last update is over; return (state, error)."""
    last = wait_for(lambda: [u for u in queue(api, device_id)[:1] if u["ended_at"]], 30)
    assert last, queue(api, device_id)
    return last[0]["state"], last[0]["error"]


def reaches(api, device_id, **expected):
    """Wait until the last update has these fields."""
    found = wait_for(
        lambda: [u for u in queue(api, device_id)[:1] if expected.items() <= u.items()], 30
    )
    assert found, queue(api, device_id)
