"""Whole images as updates: what is taken, for which board, and what the result says of itself."""

import gzip
import json
import struct
import zlib
from pathlib import Path

import pytest

from particle_tools import cli
from particle_tools.errors import UserError
from particle_tools.images import esp_image, files, modules, whole
from particle_tools.sim import esp32


def dfu(payload=b"firmware"):
    """Return a DFU file with one element, as MicroPython's tools make it."""
    element = struct.pack("<II", 0x08020000, len(payload)) + payload
    target = struct.pack("<6sBI255sII", b"Target", 0, 1, b"ST", len(element), 1) + element
    data = struct.pack("<5sBIB", b"DfuSe", 1, 11 + len(target), 1) + target
    data += struct.pack("<4H3sB", 0, 0xDF11, 0x0483, 0x011A, b"UFD", 16)
    return data + struct.pack("<I", zlib.crc32(data) ^ 0xFFFFFFFF)


ROMFS = b"\xd2\xcd\x31\x04\x01\x02\x00\x00"
IMAGES = {
    "micropython.bin": (esp32.firmware(None, "1.2.3"), "firmware.bin", modules.NCP),
    "application.img": (ROMFS, "app.romfs", modules.USER),
    "firmware.dfu": (dfu(), "firmware.dfu.gz", modules.NCP),
    "firmware.dfu.gz": (gzip.compress(dfu()), "firmware.dfu.gz", modules.NCP),
    "firmware.pack.dfu": (dfu(), "firmware.pack.dfu", modules.NCP),
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Give what runs the tool in a folder: status, lines on stdout, lines on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = cli.main(["firmware", *words])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


@pytest.mark.parametrize("name", IMAGES)
def test_kinds(tmp_path, name):
    data, inside, function = IMAGES[name]
    path = tmp_path / name
    path.write_bytes(data)
    kind, content = whole.read(path)
    assert (kind.name, kind.function) == (inside, function)
    if name.endswith(".dfu") and inside.endswith(".gz"):
        assert gzip.decompress(content) == data
    else:
        assert content == data
    for cut in (0, 1, 4, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(UserError):
            whole.read(path)
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match="no image of an ESP32, no ROMFS and no DFU file"):
        whole.read(path)


def test_what_lies_behind_an_image(tmp_path):
    path = tmp_path / "image.bin"
    data = esp32.firmware(None, "1")
    path.write_bytes(data + b"\xff" * 999)
    assert whole.read(path)[1] == data
    path.write_bytes(data + b"\xff" * 999 + b"x")
    with pytest.raises(UserError, match="choose micropython.bin of the build"):
        whole.read(path)


def test_packed_signed_and_read_again(run):
    Path("fw.bin").write_bytes(esp32.firmware(None, "1.2.3"))
    words = "--image fw.bin --board UNIX_SIM --version 7 --floor 3 -o a.bin --json"
    status, out, err = run("pack", *words.split())
    assert status == 0, err
    found = json.loads(out)
    assert found["bundle"]["facts"]["floor"] == 3
    assert [each["path"] for each in found["bundle"]["files"]] == ["firmware.bin"]
    assert run("keys", "k.pem", "--new", "p256")[0] == 0
    assert run("sign", "a.bin", "--key", "k.pem")[0] == 0
    status, out, err = run("inspect", "a.bin", "--key", "k.pem", "--json")
    assert json.loads(out)["modules"][0]["function"] == "c", err
    update = files.read(Path("a.bin"))
    assert (update.module.prefix.index, update.module.prefix.mcu) == (1, 0xFF)
    assert esp_image.read(update.bundle.content).version == "1.2.3"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "name a folder, or an --image"),
        ("--image fw.bin .", "name a folder, or an --image"),
        ("--image none", "No such file"),
        ("--image fw.bin --deflate", "--deflate goes with a folder"),
        ("--image fw.bin --board ESP32_GENERIC", "ESP32_GENERIC takes none (OTA = app-ab)"),
        ("--image fw.bin --board ESP32_GENERIC-NONE", "no variant NONE of ESP32_GENERIC"),
        ("--image c3.bin --board ESP32_GENERIC-OTA", "c3.bin is for ESP32-C3"),
        ("--image fw.bin --version 0", "the firmware that a board came with"),
    ],
)
def test_bad_input_is_one_line(run, words, said):
    Path("fw.bin").write_bytes(esp32.firmware(None, "1"))
    Path("c3.bin").write_bytes(esp32.firmware(None, "1", chip=5))
    status, _, err = run("pack", "--board", "UNIX_SIM", "--version", "1", *words.split())
    assert status == 1
    assert len(err.splitlines()) == 1 and said in err


def test_a_variant_takes_what_its_board_does_not(run):
    Path("fw.bin").write_bytes(esp32.firmware(None, "1"))
    status, _, err = run(*"pack --image fw.bin --board ESP32_GENERIC-OTA --version 1".split())
    assert status == 0, err
    assert files.read(Path("ESP32_GENERIC-1.bin")).bundle.facts.board == "ESP32_GENERIC"
