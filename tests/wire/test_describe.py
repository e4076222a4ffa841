"""What the system says of what is installed: the message of a real device, and both forms."""

import binascii
import json

from particle.wire.describe import installed, protobuf
from particle.wire.module import Image, recorded
from support import raises

# vector describe_system_post of the specification, behind its options
BODY = (
    b"0a17080218fe1128808003351e0000003d1e00000058b0e7020a200804100118b83028808029351e0000003d1e"
    b"0000004a05080218fe115890d6270a4208051001180628808010351e0000003d1e0000004220a172cedcae47474b"
    b"615c54d510a5d84a8dea3032e958587430b413538be3f3334a070804100118b83058e05d"
)


def module(name):
    with open("tests/vectors/modules/" + name, "rb") as file:
        data = file.read()
    image = Image(len(data))
    image.feed(data)
    return image.modules[0]


def test_as_a_device_of_particle():
    body = binascii.unhexlify(BODY)
    at = body.find(b"\x42\x20") + 2
    modules = (
        (2, 0, 2302, 49152, 30, None, [], [], 46000),
        (4, 1, 6200, 671744, 30, bytes(32), [(2, 0, 2302)], [], 650000),
        (5, 1, 6, 262144, 30, body[at : at + 32], [(4, 1, 6200)], [], 12000),
    )
    assert protobuf(modules) == body


def test_protobuf():
    m = module("argon_user_assets.bin")
    (first, name), (second, other) = m.assets()
    body, form = installed(m.record(), 6200, 0, False, [(first, name, 300)])
    assert form == 42
    system = b"\x08\x04\x10\x01\x18\xb8\x30\x35\x1e\0\0\0\x3d\x1e\0\0\0"
    needed = b"\x52\x2b\x0a\x20" + first + b"\x12\x07" + name
    needed += b"\x52\x2d\x0a\x20" + second + b"\x12\x09" + other
    app = b"\x08\x05\x10\x02\x18\x06\x28\x80\x80\x10\x35\x1e\0\0\0\x3d\x1e\0\0\0"
    app += b"\x42\x20" + m.sha256 + b"\x4a\x07\x08\x04\x10\x01\x18\xb8\x30" + needed
    app += b"\x58\xc4\x01"
    here = b"\x2a\x2e\x0a\x20" + first + b"\x12\x07" + name + b"\x18\xac\x02"
    assert m.size == 196
    assert body == b"\x0a\x11" + system + b"\x0a" + bytes((len(app) & 127 | 128, 1)) + app + here


def test_a_record_says_what_the_module_said():
    for name in ("argon_user.bin", "argon_user_assets.bin", "p2_user_assets.bin"):
        m = module(name)
        again = recorded(m.record())
        assert again.assets() == m.assets() and again.sha256 == m.sha256
        assert (again.function, again.index, again.size) == (m.function, m.index, m.size)
        for bad in (b"", m.record()[:23], m.record() + b"x" * 33 + b"\xff"):
            raises(ValueError, recorded, bad)


def test_json():
    m = module("argon_user.bin")
    body, form = installed(m.record(), 6200, 0, True)
    assert form is None
    assert json.loads(body) == {
        "p": 12,
        "m": [
            {"s": 0, "l": "m", "vc": 30, "vv": 30, "f": "s", "n": "1", "v": 6200, "d": []},
            {
                "s": 262144,
                "l": "m",
                "vc": 30,
                "vv": 30,
                "u": binascii.hexlify(m.sha256).decode(),
                "f": "u",
                "n": "2",
                "v": 6,
                "d": [{"f": "s", "n": "1", "v": 6200}],
            },
        ],
    }


def test_assets_in_json():
    m = module("argon_user_assets.bin")
    (first, _), (second, _) = m.assets()
    found = json.loads(installed(m.record(), 6200, 0, True, [(first, b"cat.txt", 300)])[0])
    first = binascii.hexlify(first).decode()
    second = binascii.hexlify(second).decode()
    assert found["assets"] == [{"hash": first, "name": "cat.txt", "size": 300}]
    assert found["m"][1]["asset_dependencies"] == [
        {"hash": first, "name": "cat.txt"},
        {"hash": second, "name": "water.bin"},
    ]


def test_firmware_that_can_be_replaced():
    m = module("argon_user.bin")
    # module 7, index 1, version 5: as a cloud looks for it
    firmware = {"s": 4096, "l": "m", "vc": 30, "vv": 30, "f": "c", "n": "1", "v": 5, "d": []}
    with_app = json.loads(installed(m.record(), 6200, 4096, True, (), (12, 5))[0])
    assert with_app["m"][1] == firmware and len(with_app["m"]) == 3
    alone = json.loads(installed(None, 6200, 4096, True, (), (12, 5))[0])
    assert alone["p"] == 12 and alone["m"] == with_app["m"][:2]
    body, form = installed(None, 6200, 4096, False, (), (12, 5))
    system = b"\x08\x04\x10\x01\x18\xb8\x30\x35\x1e\0\0\0\x3d\x1e\0\0\0"
    ours = b"\x08\x07\x10\x01\x18\x05\x28\x80\x20\x35\x1e\0\0\0\x3d\x1e\0\0\0"
    assert form == 42
    assert body == b"\x0a\x11" + system + b"\x0a" + bytes((len(ours),)) + ours
