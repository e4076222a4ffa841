"""Files of the board's flash that are missing, cut, damaged or newer: said at once, never lost."""

import json
import zlib

import pytest
from Crypto.PublicKey import ECC, RSA

from e2e.desk import store, stored
from particle_tools.local import wait_for
from particle_tools.sim import image

PROGRAM = """
import particle

try:
    particle.function("f", lambda text: 1)
    particle.connect(20)
    print("result connected")
    if particle.publish("whole", particle.device_id, ack=True):
        print("published")
except particle.Error as e:
    print("result", type(e).__name__, e.errno, e.stage, "|", e)
"""
CONFIG, DEVICE, SERVER, SESSION, CLAIM = (
    "config.json",
    "device.rsa.der",
    "server.rsa.der",
    "session",
    "claim",
)


def flipped(data):
    """Change one bit in the middle."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def container(kind, payload, version=1):
    """Return a binary file of the store (DESIGN 5)."""
    body = b"PT" + bytes([kind, version]) + len(payload).to_bytes(2, "little") + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def edited(**values):
    """Change settings of config.json; None removes one."""

    def change(data):
        record = json.loads(data) | values
        return json.dumps({k: v for k, v in record.items() if v is not None}).encode()

    return change


REFUSED = [
    # file, what happened to it, stage, a word of the text
    (CONFIG, lambda data: None, "address", "no server: particle.server(host)"),
    (CONFIG, lambda data: b"", "store", "damaged"),
    (CONFIG, lambda data: data[:40], "store", "damaged"),
    (CONFIG, lambda data: b"\xff" * 200, "store", "damaged"),
    (CONFIG, lambda data: bytes(200), "store", "damaged"),
    (CONFIG, lambda data: b"[]", "store", "damaged"),
    (CONFIG, lambda data: b"null", "store", "damaged"),
    (CONFIG, edited(v=None), "store", "damaged"),
    (CONFIG, edited(v="1"), "store", ""),
    (CONFIG, edited(v=2), "store", "newer"),
    (CONFIG, edited(server=None), "address", "no server"),
    (CONFIG, edited(transport="carrier pigeon"), None, ""),
    (CONFIG, edited(device_id="not hex"), "store", "device_id"),
    (CONFIG, edited(device_id="e" * 22), "store", "device_id"),
    (CONFIG, edited(device_id=7), "store", "device_id"),
    (CONFIG, edited(server=7), "store", "server"),
    (CONFIG, edited(port="5683"), "store", "port"),
    (CONFIG, edited(port=0), "store", "port"),
    (CONFIG, edited(keep_alive="soon"), "store", "keep_alive"),
    (CONFIG, edited(limits="many"), "store", "limits"),
    (CONFIG, edited(product_id="x"), "store", "product_id"),
    (DEVICE, lambda data: None, "device key", "missing"),
    (DEVICE, lambda data: b"", "device key", "missing or empty"),
    (DEVICE, lambda data: data[:-1], "device key", "provision the board"),
    (DEVICE, lambda data: data[:300], "device key", "provision the board"),
    (DEVICE, flipped, "device key", "provision the board"),
    (DEVICE, lambda data: data + b"\1", "device key", "not an RSA key"),
    (DEVICE, lambda data: b"\xff" * len(data), "device key", "provision the board"),
    (DEVICE, lambda data: RSA.generate(2048).export_key("DER"), "device key", "RSA-1024"),
    (DEVICE, lambda data: ECC.generate(curve="P-256").export_key(format="DER"), "device key", ""),
    (DEVICE, lambda data: RSA.generate(1024).export_key(), "device key", ""),  # PEM
    (SERVER, lambda data: None, "server key", "missing"),
    (SERVER, lambda data: b"", "server key", "missing or empty"),
    (SERVER, lambda data: data[:200], "server key", "provision the board"),
    (SERVER, lambda data: bytes(294), "server key", "provision the board"),
    (SERVER, lambda data: data + b"more", "server key", "not an RSA key"),
    (
        SERVER,
        lambda data: RSA.generate(1024).public_key().export_key("DER"),
        "server key",
        "RSA-2048",
    ),
]
TAKEN = [
    (SESSION, lambda data: b""),
    (SESSION, lambda data: b"garbage"),
    (SESSION, lambda data: container(1, b"x" * 200)),
    (SESSION, lambda data: container(1, b"x" * 200)[:-7]),
    (SESSION, lambda data: flipped(container(1, b"x" * 200))),
    (SESSION, lambda data: container(1, b"new", version=9)),
    (SESSION, lambda data: container(2, b"of another kind")),
    (CLAIM, lambda data: b""),
    (CLAIM, lambda data: flipped(container(4, b"CODE"))),
    (CLAIM, lambda data: container(4, b"CODE", version=9)),
    (DEVICE, lambda data: data + b"\xff" * 20),  # the padding of a slot
    (SERVER, lambda data: data + bytes(2)),
    (CONFIG, edited(a_setting_of_tomorrow={"x": [1]}, keep_alive=20)),
    (CONFIG + ".new", lambda data: b'{"v": 1, "serv'),  # a power cut left it
    (DEVICE + ".new", lambda data: b"\x30\x82"),
]


@pytest.fixture(scope="module")
def whole(cloud, tmp_path_factory):
    """Give the flash of a provisioned board, and what is in it."""
    from e2e.desk import Desk

    desk = Desk(tmp_path_factory.mktemp("whole"), cloud)
    folder = desk.made()
    desk.close()
    return folder, stored(folder)


def spoiled(desk, whole, name, change):
    """Return (folder, contents) of a copy of the board with one file changed."""
    folder, good = whole
    copy = desk.folder / "board"
    copy.mkdir()
    for part in ("flash.img", "board.json"):
        (copy / part).write_bytes((folder / part).read_bytes())
    data = change(good.get(name))
    if data is not None or name in good:
        store(copy, name, data)
    return copy, stored(copy)


@pytest.mark.parametrize(("name", "change", "stage", "word"), REFUSED)
def test_refused(desk, whole, name, change, stage, word):
    folder, kept = spoiled(desk, whole, name, change)
    board = desk.board(PROGRAM)
    line = board.said("result")
    assert board.ended() == 0
    kind, errno, rest = line.removeprefix("result ").split(" ", 2)
    found, _, text = rest.partition(" | ")
    assert kind == "ConfigError", line
    assert stage in (None, found) and word in text, line
    assert int(errno) < 0 and len(text) > 20
    # said before anything was sent, and nothing is repaired behind the user's back
    assert "cloud: " not in board.output()
    assert stored(folder) == kept


@pytest.mark.parametrize("name", [CONFIG, DEVICE, SERVER])
def test_the_file_put_back_is_all_it_takes(desk, whole, events, name):
    folder, _ = spoiled(desk, whole, name, lambda data: data[:30])
    desk.board(PROGRAM).said("result ConfigError")
    store(folder, name, whole[1][name])
    board = desk.board(PROGRAM)
    board.said("published")
    assert events.wait("whole")["data"] == board.device_id


@pytest.mark.parametrize(("name", "change"), TAKEN)
def test_taken(desk, whole, events, name, change):
    folder, kept = spoiled(desk, whole, name, change)
    board = desk.board(PROGRAM)
    board.said("published")
    assert board.ended() == 0
    assert events.wait("whole")["data"] == board.device_id
    assert stored(folder) == kept


def test_main_ends_with_the_error_when_nobody_catches_it(desk, whole):
    spoiled(desk, whole, SERVER, lambda data: data[:100])
    board = desk.board("import particle\nparticle.run()")
    assert board.ended() == 1
    assert "ConfigError" in board.output()
    assert "server.rsa.der" in board.output()


def test_settings_survive_a_power_cut_at_any_flash_operation(desk, whole):
    program = "import particle\nparticle.config(keep_alive=77, product_version=5)\nprint('done')"
    folder, good = whole
    old = json.loads(good[CONFIG])
    new = old | {"keep_alive": 77, "product_version": 5}
    seen = []
    for cut in range(1, 40):
        name = f"cut{cut}"
        (desk.folder / name).mkdir()
        for part in ("flash.img", "board.json"):
            (desk.folder / name / part).write_bytes((folder / part).read_bytes())
        board = desk.board(program, name, options=("--cut", str(cut)))
        status = board.ended()
        now = stored(desk.folder / name)
        config = json.loads(now[CONFIG])
        config = {key: config[key] for key in new if key in config}
        seen.append(config == new)
        assert config in (old, new), (cut, config)
        assert {k: v for k, v in now.items() if CONFIG not in k} == {
            k: v for k, v in good.items() if k != CONFIG
        }
        if status == 0:
            break
    assert status == 0 and "done" in board.output()
    assert seen[0] is False and seen[-1] is True and seen == sorted(seen)
    again = desk.board(PROGRAM, name)
    again.said("published")


def test_flash_that_cannot_be_mounted_is_left_alone(desk, whole):
    folder, _ = spoiled(desk, whole, SESSION, lambda data: b"")
    data = bytes(len((folder / "flash.img").read_bytes()))
    (folder / "flash.img").write_bytes(data)
    with pytest.raises(Exception, match="damaged|corrupted"):
        desk.board(PROGRAM).said("result")
    assert (folder / "flash.img").read_bytes() == data
    assert len(data) == image.BLOCK * image.BLOCKS


def test_no_flash_file_is_written_by_connecting(desk, whole, api):
    # wear: a day of connections over TCP writes nothing
    folder, kept = spoiled(desk, whole, SESSION, lambda data: b"x")
    before = (folder / "flash.img").read_bytes()
    board = desk.board("import particle\nparticle.run()")
    for turn in range(3):
        online = wait_for(lambda: api.device(board.device_id)["online"], 30)
        assert online, turn
        api.post(f"/local/v1/devices/{board.device_id}/drop-session")
        assert wait_for(lambda: not api.device(board.device_id)["online"], 25)
    board.kill()
    assert (folder / "flash.img").read_bytes() == before
    assert stored(folder) == kept
