"""Firmware modules: the golden files of the specification, whole and in pieces, and bad ones."""

import binascii
import hashlib
import struct

from particle.wire.module import Image, Refused, user_slots
from support import raises, rng, vectors

EXPECTED = vectors("modules/expected.json")
ARGON = user_slots(12)


def read(name):
    with open("tests/vectors/modules/" + name, "rb") as file:
        return file.read()


def image(data, step=0, **options):
    """Feed a whole file, in pieces of `step` bytes, and return the image and its payloads."""
    payload = []
    found = Image(len(data), sink=lambda view: payload.append(bytes(view)), **options)
    step = step or len(data)
    for at in range(0, len(data), step):
        found.feed(data[at : at + step])
    return found, b"".join(payload)


def hexed(data):
    return binascii.hexlify(data).decode()


def fields(m):
    """Return what expected.json has of a module, but for what is in a compressed one."""
    return {
        "prefix_offset": m.offset,
        "start": m.start,
        "end": m.end,
        "reserved_mcu": m.mcu,
        "flags": m.flags,
        "module_version": m.version,
        "platform_id": m.platform_id,
        "function": m.function,
        "index": m.index,
        "dep1": list(m.dep1),
        "dep2": list(m.dep2),
        "prefix_size": m.prefix_size,
        "suffix_size": m.suffix_size,
        "product_id": m.product_id,
        "product_version": m.product_version,
        "prefix_extensions": [[kind, hexed(body)] for kind, body in m.prefix_extensions],
        "suffix_extensions": [[kind, hexed(body)] for kind, body in m.suffix_extensions],
        "sha256": hexed(m.sha256),
        "sha256_ok": m.sha256_ok,
        "crc32": hexed(m.crc32),
        "crc32_ok": m.crc32_ok,
        "total_size": m.size,
    }


def inflate(data, bits):
    """Inflate raw deflate with what the interpreter has."""
    try:
        from deflate import RAW, DeflateIO
    except ImportError:
        import zlib

        return zlib.decompressobj(-bits).decompress(data)
    from io import BytesIO

    return DeflateIO(BytesIO(data), RAW, bits).read()


def check(name, step):
    data = read(name)
    expected = EXPECTED[name]
    if "error" in expected:
        error = raises(Refused, image, data, step)
        assert error.code == -1300, error
        return
    found, payload = image(data, step)
    assert len(data) == expected["size"]
    assert len(found.modules) == len(expected["modules"])
    for i, module in enumerate(found.modules):
        wanted = dict(expected["modules"][i])
        packed = wanted.pop("compressed")
        assert fields(module) == wanted, name
        assert (module.packed is None) == (packed is None)
        if packed:
            values = packed["header_size"], packed["method"], packed["window_bits"]
            assert module.packed == values + (packed["original_size"],)
            content = inflate(payload, module.packed[2] or 15)
            assert len(content) == module.packed[3]
            assert hexed(hashlib.sha256(content).digest()) == packed["sha256_of_inflated"]
    at = module.payload_at
    last = data[len(data) - module.size :][at : at + module.payload_size]
    assert payload.endswith(last) and len(last) == module.payload_size
    assert found.finish() == (-1330 if name.startswith("bad") else 0), name


def test_golden_files_at_once_and_in_pieces():
    assert len(EXPECTED) == 18 or len(EXPECTED) == 19, len(EXPECTED)
    for name in EXPECTED:
        for step in (0, 1, 7, 64):
            check(name, step)


def test_payload_goes_on_as_it_comes():
    data = with_payload(bytes(5000))
    came = []
    found = Image(len(data), sink=lambda view: came.append(len(view)))
    found.feed(data[:2024])
    assert sum(came) == 2000
    found.feed(data[2024:-1])
    assert 4000 - 40 <= sum(came) < 5000
    found.feed(data[-1:])
    assert sum(came) == 5000 and found.finish() == 0


def test_assets():
    names = [name for _, name in image(read("argon_user_assets.bin"))[0].modules[0].assets()]
    assert names == [b"cat.txt", b"water.bin"]
    needed = image(read("p2_user_assets.bin"))[0].modules[0].assets()
    assert [name for _, name in needed] == names
    assert image(read("asset_compressed.bin"))[0].modules[0].asset() == needed[0]
    assert image(read("asset_plain.bin"))[0].modules[0].asset() == needed[1]
    assert image(read("argon_user.bin"))[0].modules[0].asset() is None


def sealed(body, extra=b"", size=None):
    """Return a body with a suffix: extras, SHA-256, size and CRC-32."""
    data = body + extra + b"\x00\x00"
    data += hashlib.sha256(data).digest()
    data += struct.pack("<H", 36 + len(extra) if size is None else size)
    return data + struct.pack(">I", binascii.crc32(data) & 0xFFFFFFFF)


def with_payload(
    payload, flags=0, kind=5, index=2, platform=12, end=None, dep=(4, 1, 6200), **more
):
    size = 24 + len(payload) + len(more.get("extra", b"")) + 36
    end = 0xB4000 + size if end is None else end
    prefix = struct.pack("<IIBBHH", end - size, end, more.pop("mcu", 0), flags, 6, platform)
    prefix += struct.pack("<BBBBHBBH", kind, index, *(dep + (0, 0, 0)))
    return sealed(prefix + payload, **more)


def refused(data, **options):
    """Return the code of the refusal, or of the first check that failed."""
    try:
        return image(data, 13, **options)[0].finish()
    except Refused as error:
        return error.code


def test_checks_and_their_codes():
    board = {"platform_id": 12, "slots": ARGON, "installed": {(4, 1): 6200}}
    good = with_payload(b"x" * 99)
    assert refused(good, **board) == 0
    assert refused(good[:-1] + b"\x00", **board) == -1330
    assert refused(read("bad_sha_good_crc.bin"), **board) == -1330
    assert refused(read("argon_user.bin"), **board) == 0
    # places: unknown ones and addresses are no "address error" (1.9)
    assert refused(with_payload(b"", index=3), **board) == -1300
    assert refused(with_payload(b"", mcu=1), **board) == -1300
    assert refused(with_payload(b"", kind=4, index=1), **board) == -1300
    assert refused(with_payload(b"", end=0xF4001), **board) == -1300
    assert refused(with_payload(b"", end=0xF4000), **board) == 0
    assert refused(with_payload(b"", end=0xB3FFF), **board) == -1300
    assert refused(with_payload(b"", platform=13), **board) == -1360
    # the integrity comes first when both are known to be wrong
    assert refused(with_payload(b"", platform=13)[:-1] + b"\x00", **board) == -1330
    # an application passes whatever it needs, a system part does not
    assert refused(with_payload(b"", dep=(4, 1, 9999)), **board) == 0
    board["slots"] = {(4, 1, 0): (0, 0xFFFFFFFF)}
    part = with_payload(b"", kind=4, index=1, dep=(2, 0, 300))
    assert refused(part, **board) == -1340
    board["installed"][(2, 0)] = 299
    assert refused(part, **board) == -1340
    board["installed"][(2, 0)] = 300
    assert refused(part, **board) == 0
    # an asset is for any board
    assert refused(read("asset_plain.bin"), **board) == 0


def test_what_is_known_early_is_told_early():
    data = with_payload(bytes(3000), platform=13)
    found = Image(len(data), 12, ARGON, {})
    found.feed(data[:23])
    assert found.error() == 0
    found.feed(data[23:24])
    assert found.error() == -1360 and "platform" in found.text
    found = Image(len(data), 12, {}, {})
    assert raises(Refused, found.feed, data[:24]).code == -1300


def test_bad_modules():
    good = with_payload(b"x" * 99)
    assert refused(good[:-1]) == -1300  # less than it says
    assert refused(good + b"\x00") == -1300
    assert refused(b"") == -1351
    assert raises(Refused, Image, 1 << 31).code == -1351
    assert refused(b"x" * 600) == -1300
    assert refused(with_payload(b"", kind=0)) == refused(with_payload(b"", kind=10)) == -1300
    assert refused(with_payload(b"", flags=8)) == -1310
    assert refused(with_payload(b"", flags=2, kind=2)) == -1310
    assert refused(with_payload(b"", flags=4)) == -1300  # nothing behind it
    three = with_payload(b"", flags=4) * 2 + with_payload(b"")
    assert refused(three) == -1300
    assert refused(with_payload(b"", flags=4) + with_payload(b"")) == 0
    for size in (0, 35, 41, 0xFFFF):
        assert refused(with_payload(b"", size=size)) == -1370, size
    for extra in (
        b"12345678",
        b"\x01\x00\x09\x0012345",
        b"\x11\x00\xff\x00abcd",
        b"\x00\x00\x03\x00\0",
    ):
        assert refused(with_payload(b"", extra=extra)) == -1370, extra
    short = Image(len(good))
    short.feed(good[:50])
    assert raises(Refused, short.finish).code == -1351
    assert raises(Refused, Image(5).feed, b"123456").code == -1351


def test_bad_extensions_and_headers():
    for body in (
        b"\x12\x00\x03\x00",
        b"\x12\x00\xff\xff",
        b"\x12\x00\x08\x00abcd" * 200 + b"\x00\x00\x04\x00",
        b"\x12\x00\x08\x00abcd",  # no end
    ):
        assert refused(with_payload(body, flags=16)) == -1370, body
    for header in (b"", b"\x07\x00\x00\x0f\x01\x00\x00\x00", b"\x08\x00\x01\x0f\x01\x00\x00\x00"):
        assert refused(with_payload(header, flags=2)) == -1370, header
    for header in (b"\x08\x00\x00\x07\x01\x00\x00\x00", b"\xff\xff\x00\x0f\x01\x00\x00\x00"):
        assert refused(with_payload(header, flags=2)) == -1370, header
    longer = with_payload(b"\x0a\x00\x00\x0c\x01\x00\x00\x00??data", flags=2)
    assert image(longer, 3)[1] == b"data"


def test_a_bit_that_changed_anywhere_is_noticed():
    data = read("argon_user.bin")
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        assert refused(bad, platform_id=12, slots=ARGON) < 0, at


def fuzz(seed, rounds):
    """Change golden files at random; they are read, or refused with a number of Device OS."""
    random = rng(seed)
    names = sorted(EXPECTED)
    for _ in range(rounds):
        data = bytearray(read(names[random(1)[0] % len(names)]))
        for _ in range(random(1)[0] % 6):
            at = struct.unpack("<H", random(2))[0] % min(len(data), 700)
            data[at] = random(1)[0]
        if random(1)[0] < 40:
            at = random(1)[0] % len(data)
            data = data[:at] + random(random(1)[0]) + data[at:]
        size = 0
        found = Image(len(data))
        try:
            while data:
                n = random(1)[0] % 90 + 1
                found.feed(data[:n])
                size += n
                data = data[n:]
            assert found.finish() in (0, -1330)
        except Refused as error:
            assert -1370 <= error.code <= -1300


def test_nonsense():
    fuzz(1, 300)
