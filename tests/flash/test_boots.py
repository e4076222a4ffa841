"""What was flashed is mounted by the unix port; the client boots from it and connects."""

import json

import pytest
from esp_idf_defs import PartitionTable

from flash import esp32_board, flash_contents
from flash.ram_chip import MAC, RamChip
from particle_tools.boards import catalogue, esp32
from particle_tools.cli import main
from particle_tools.errors import UserError
from particle_tools.flash import compose
from particle_tools.provisioning.registry import Registry

DEVICE = MAC.hex() + "0" * 12
PORT = ("--port", "/dev/ttyUSB0")
WIFI = {"ssid": "Home", "password": "correct horse"}
PROGRAM = """
import json, sys
import particle, particle_board
print(json.dumps([particle.__file__, particle_board.__file__, particle_board.NAME]))
print(json.dumps([particle_board.OTA, sys.path]))
particle.function("echo", len)
particle.connect(30)
particle.publish("up", ack=True).wait(30)
print(json.dumps([particle.connected(), repr(particle.wifi)]))
particle.disconnect()
"""


@pytest.fixture
def chip(monkeypatch):
    """Give a chip in memory with 4 MB of blank flash."""
    monkeypatch.setattr("particle_tools.flash.esp32.Esptool", RamChip)
    monkeypatch.setattr(RamChip, "flash", bytearray(b"\xff" * (4 << 20)))
    monkeypatch.setattr(RamChip, "name", "esp32")
    monkeypatch.setattr(RamChip, "fails", None)
    # a board of this machine's own: it can dial what others cannot
    monkeypatch.setattr("particle_tools.flash.identity.is_loopback", lambda _host: False)
    return RamChip


def partition(chip, title, name):
    """Return the content of a partition."""
    part = esp32.partitions(catalogue.find(title)).find_by_name(name)
    return bytes(chip.flash[part.offset : part.offset + part.size])


def test_boots_and_connects(chip, flash, images, cloud, tmp_path):
    """Firmware, files and identity in one command; the rest is the board's."""
    title = "ESP32_GENERIC-OTA"
    who = ("--cloud", cloud.url, "--user", cloud.user, "--name", "attic")
    wifi = ("--wifi", "Home:correct horse")
    status, report, err = flash(title, *PORT, "--firmware", images(), *who, *wifi)
    assert (status, err) == (0, "")
    assert report["device_id"] == DEVICE and report["transport"] == "udp"
    air = [WIFI | {"rssi": -50}]
    vfs = partition(chip, title, "vfs")
    where, profile, met = esp32_board.run(tmp_path, PROGRAM, mac=MAC, vfs=vfs, air=air)
    assert where[0].startswith("/lib/particle/") and where[1] == "/lib/particle_board.mpy"
    assert where[2] == "ESP32_GENERIC" and profile[0] == "esp32-ab"
    assert met == [True, "<Wifi b'Home' 192.168.4.2 -50 dBm>"]
    device = cloud.api().device(DEVICE)
    assert device["name"] == "attic" and device["last_handshake_at"]


def test_boots_from_romfs(chip, flash, images, cloud, tmp_path):
    """A firmware that mounts a ROMFS finds its library there, and its keys on littlefs."""
    title = "ESP32_GENERIC_S3"
    chip.name, chip.flash = "esp32s3", bytearray(b"\xff" * (8 << 20))  # until the fixture ends
    who = ("--cloud", cloud.url, "--user", cloud.user, "--transport", "tcp")
    image = images("esp32s3", flash="8MB", extra=b"rom_ioctl\0VfsRom\0")
    status, report, err = flash(
        title, *PORT, "--firmware", image, *who, "--wifi", "Home:correct horse"
    )
    assert (status, err, report["library"]) == (0, "", "romfs")
    vfs, romfs = partition(chip, title, "vfs"), partition(chip, title, "romfs")
    said = esp32_board.run(tmp_path, PROGRAM, mac=MAC, vfs=vfs, romfs=romfs, air=[WIFI])
    assert said[0][0].startswith("/rom/lib/particle/") and said[0][2] == title
    assert said[2][0] is True
    files = flash_contents.files(flash_contents.mounted(vfs))
    assert json.loads(files["/pt/config.json"])["transport"] == "tcp"
    names = {"device.rsa.der", "server.rsa.der", "config.json", "wifi"}
    assert set(files) == {f"/pt/{name}" for name in names}


def test_nothing_is_claimed_for_a_board_that_is_not_complete(
    chip, refused, images, cloud, monkeypatch
):
    """The cloud hears of a device when it has its key; what is then missing has a next step."""
    api = cloud.api()
    before = [device["id"] for device in api.get("/v1/devices")]
    who = ("--cloud", cloud.url, "--user", cloud.user, "--transport", "udp")
    arguments = ("ESP32_GENERIC-OTA", *PORT, "--firmware", images(), *who)
    blank = bytes(chip.flash)
    assert "404" in refused(*arguments, "--product", "4711")
    assert "does not accept the token" in refused(*arguments[:-4], "--token", "0123456789abcdef")
    chip.fails = "write"
    line = refused(*arguments, "--erase")
    assert line == "gone: connect it again and repeat the command with --erase"
    line = refused(*arguments[:-6], "--keep-files")
    assert line == "gone: connect it again and repeat the command"
    chip.fails = None
    assert chip.flash == blank

    def fail(*_arguments):
        raise UserError("no answer")

    monkeypatch.setattr(Registry, "register", fail)
    line = refused(*arguments)
    assert line.startswith("the board is complete, the cloud does not know it yet (no answer)")
    assert line.endswith("particle-mp provision --port /dev/ttyUSB0 goes on")
    assert [device["id"] for device in api.get("/v1/devices")] == before


@pytest.mark.parametrize(
    ("last", "says"),
    [
        # MicroPython without a partition for files has them behind the last one
        ("factory, app, factory, 0x10000, 0x1F0000,", "there are files on the board"),
        ("spiffs, data, spiffs, 0x290000, 0x170000,", None),
        ("vfs, data, fat, 0x300000, 0x100000,", None),
    ],
)
def test_table_of_another_firmware(chip, flash, images, last, says):
    """Files are looked for where the firmware on the board has them."""
    table = PartitionTable.from_csv(f"nvs, data, nvs, 0x9000, 0x6000,\n{last}\n").to_binary()
    chip.flash[0x8000 : 0x8000 + len(table)] = table
    files = compose.littlefs({"/main.py": b"print()"}, 0x10000)
    chip.flash[0x200000 : 0x200000 + len(files)] = files
    arguments = ("ESP32_GENERIC-OTA", *PORT, "--library", "none", "--firmware", images())
    status, _, err = flash(*arguments)
    assert status == (1 if says else 0) and (says or "") in err
    assert flash(*arguments, "--erase")[0] == 0


@pytest.mark.parametrize(("library", "install"), [("littlefs", ""), ("none", " --install")])
def test_what_is_next(chip, images, capsys, library, install):
    """A board without keys is provisioned where it is."""
    arguments = ["flash", "ESP32_GENERIC-OTA", *PORT, "--library", library]
    assert main([*arguments, "--firmware", str(images())]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    wanted = f"particle-mp provision --port /dev/ttyUSB0{install} --user NAME:PASSWORD"
    assert line == f"next       {wanted}"


def test_what_does_not_fit():
    assert compose.littlefs({"/a/b": b"x" * 5000}, 8 * 4096).count(b"littlefs") == 2
    with pytest.raises(Exception, match="1 files of 50000 bytes do not fit .* of 32 KiB"):
        compose.littlefs({"/a": b"x" * 50000}, 8 * 4096)
    with pytest.raises(Exception, match="a ROMFS of 5.* bytes does not fit into 4096"):
        compose.romfs({"a/b.txt": b"x" * 5000}, 4096)
