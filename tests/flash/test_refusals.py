"""What cannot work is refused with one line before anything is written: file, board, options."""

from pathlib import Path

import pytest
from esp_idf_defs import PartitionTable

from flash import esp_images
from particle_tools.boards import catalogue
from particle_tools.errors import UserError
from particle_tools.flash import firmware_file

AT = esp_images.OFFSETS["esp32"]
NOWHERE = ("--port", "/dev/ttyUSB0", "--library", "none")


@pytest.fixture
def damaged(images, tmp_path):
    """Give `damaged(change)` -> file of an image whose bytes went through `change`."""

    def make(change):
        path = tmp_path / "firmware.bin"
        data = bytearray(images().read_bytes())
        path.write_bytes(bytes(change(data) or data))
        return path

    return make


def flip(at):
    """Return a change of one bit."""

    def change(data):
        data[at] ^= 1

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (flip(0), "no firmware for an ESP32, or a damaged one: get it again"),
        (flip(100), "its bootloader is damaged (Checksum mismatch"),
        (flip(0x8000 - AT + 40), "its table of partitions is damaged: get it again"),
        (flip(0x10000 - AT + 0x300), "its application is damaged"),
        (lambda data: data[:-1000], "its application is damaged"),
        (lambda data: data[: 0x10000 - AT], "ends before its application: it is not complete"),
        (lambda data: data[: 0x8000 - AT], "its table of partitions is damaged"),
        (lambda data: data[0x10000 - AT :], "an application alone, without bootloader"),
        (lambda data: data[:10], "its bootloader is damaged"),
        (lambda data: b"UF2\n" * 1000, "no firmware for an ESP32"),
    ],
)
def test_damaged_image(refused, damaged, change, says):
    assert says in refused("ESP32_GENERIC", *NOWHERE, "--firmware", damaged(change))


def test_every_part_of_an_image_is_looked_at(refused, damaged, images):
    """A flipped bit anywhere that belongs to a part is found."""
    size = images().stat().st_size
    parts = [*range(0, 4000, 397), *range(0x10000 - AT, size, 9973)]
    for at in parts:
        line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", damaged(flip(at)))
        assert "damaged" in line or "for esp32" in line or "ESP32, or" in line, at


def test_image_from_address_0_on(flash, damaged):
    """As `esptool merge-bin` makes them: the same, behind what is erased."""
    path = damaged(lambda data: b"\xff" * AT + data)
    status, report, _ = flash("ESP32_GENERIC", *NOWHERE, "--firmware", path, "--dry-run")
    assert (status, report["regions"][0]["offset"]) == (0, AT)


def test_image_of_another_chip(refused, images):
    line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", images("esp32c3"))
    assert line.endswith("its bootloader is for esp32c3, not esp32: take one for it")


def test_image_larger_than_its_partition(refused, images):
    """1.7 MB are well in the one partition of ESP32_GENERIC, and too much for a slot."""
    image = images(size=1_700_000)
    line = refused("ESP32_GENERIC-OTA", *NOWHERE, "--firmware", image)
    assert "partition ota_0 of ESP32_GENERIC-OTA 1572864: take one made for this board" in line


def test_bootloader_for_a_smaller_flash(refused, images):
    line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", images(flash="2MB"))
    assert line.endswith(
        "for 2 MB of flash, ESP32_GENERIC needs 4 MB: take one made for this board"
    )


def test_micropython_of_another_version(refused, images):
    line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", images(version=b"v1.24.1"))
    assert line.endswith(
        "it is MicroPython 1.24.1, the library is for 1.25 to 1.x: take an image of one of these"
    )


@pytest.mark.parametrize(
    ("banner", "found"),
    [
        (b"MicroPython v1.25.0 on 2025-04-15; ", "1.25.0"),
        (b"MicroPython v1.29.0-preview.12.g0123456789 on 2026-08-01; ", "1.29.0-preview"),
        (b"MicroPython 1.26.1+ds-1 on 2025-09-11; ", "1.26.1+ds-1"),
        (b"MicroPython v2.0.0 on 2027-01-01; ", None),
        (b"MicroPython of unknown version on 2025-01-01; ", None),
        (b"MicroPython v1.27.0; ", None),
        (b"", None),
    ],
)
def test_version_of_an_image(banner, found):
    """Previews count as what they become; what has no version is none."""
    image = bytes(100) + banner + bytes(100)
    if found:
        assert firmware_file.version(Path("a.bin"), image).startswith(found)
    else:
        with pytest.raises(UserError, match="2.0.0, the library is for 1.25|no version of Micro"):
            firmware_file.version(Path("a.bin"), image)


def test_library_in_the_firmware_is_not_installed_again(flash, refused, images):
    image = images(extra=b"particle/client.mpy\0")
    line = refused("ESP32_GENERIC", "--port", "X", "--firmware", image, "--with", "led")
    assert line == f"--with: the library is part of {image}: leave it out"
    arguments = ("ESP32_GENERIC", "--firmware", image, "--dry-run")
    status, report, _ = flash(*arguments)
    assert (status, report["library"], report["files"]) == (0, "none", 0)
    assert "vfs" not in [region["name"] for region in report["regions"]]
    # the files of whoever had the board before are gone then, too
    _, report, _ = flash(*arguments, "--erase")
    assert "vfs" in [region["name"] for region in report["regions"]] and report["files"] == 0


def test_romfs_needs_a_firmware_that_mounts_it(flash, refused, images):
    """MicroPython's own images do not: there the library is among the other files."""
    stock = ("ESP32_GENERIC_S3", "--firmware", images("esp32s3", flash="8MB"), "--dry-run")
    _, report, _ = flash(*stock)
    names = [region["name"] for region in report["regions"]]
    assert report["library"] == "littlefs" and "vfs" in names and "romfs" not in names
    line = refused(*stock, "--library", "romfs")
    assert "is built without MICROPY_VFS_ROM" in line and line.endswith("leave it out")
    own = images("esp32s3", flash="8MB", extra=b"rom_ioctl\0VfsRom\0")
    _, report, _ = flash("ESP32_GENERIC_S3", "--firmware", own, "--dry-run")
    assert report["library"] == "romfs"


def test_file_that_is_none(refused, tmp_path):
    empty = tmp_path / "empty.bin"
    empty.touch()
    assert refused("ESP32_GENERIC", *NOWHERE, "--firmware", empty).endswith(
        "is empty: get it again"
    )
    line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", tmp_path / "none.bin")
    assert line.endswith("none.bin: No such file or directory: --firmware FILE")
    for other in (tmp_path, "/dev/zero"):
        line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", other)
        assert line == f"{other} is no file: --firmware FILE"
    line = refused("ESP32_GENERIC", *NOWHERE)
    assert line.startswith("--firmware FILE is needed") and "micropython.org/download" in line


def test_board_that_is_none(refused, tmp_path, monkeypatch):
    line = refused("ESP32_GENERC", *NOWHERE)
    assert "no such board" in line and "particle-mp boards" in line
    line = refused("ESP32_GENERIC-UTA", *NOWHERE)
    assert "no variant UTA of ESP32_GENERIC" in line
    line = refused("UNIX_SIM", *NOWHERE)
    assert line == "UNIX_SIM has no flash to write (unix): see boards/UNIX_SIM/board.md"
    folder = tmp_path / "boards" / "MINE"
    folder.mkdir(parents=True)
    (folder / "board.json").write_text('{"mcu": "esp32"}')
    monkeypatch.setattr(catalogue, "FOLDER", folder.parent)
    line = refused("MINE", *NOWHERE)
    assert "no profile" in line and "docs/boards.md" in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ESP32_GENERIC",), "--port is needed; --dry-run prints the steps"),
        (("ESP32_GENERIC", *NOWHERE, "--baud", "0"), "--baud 0: expected 9600 or more"),
        (("ESP32_GENERIC", *NOWHERE, "--with", "wifi,no"), "--with no: no such component"),
        (("ESP32_GENERIC", "--port", "X", "--library", "romfs"), "has no partition romfs"),
        (
            ("ESP32_GENERIC", "--port", "X", "--keep-files", "--library", "littlefs"),
            "--keep-files leaves the file system as it is: --library none",
        ),
        (("ESP32_GENERIC", *NOWHERE, "--wifi", "A:B"), "--wifi needs --cloud URL and --user"),
        (("ESP32_GENERIC", *NOWHERE, "--cloud", "http://127.0.0.1:1"), "--user NAME:PASSWORD or"),
        (("ESP32_GENERIC", "--out", "x", "--cloud", "http://127.0.0.1:1"), "--out: an image for"),
        (
            ("RPI_PICO_W", "--port", "X", "--erase"),
            "--erase: RPI_PICO_W gets its firmware",
        ),
        (("RPI_PICO_W", "--out", "x", "--firmware", "y"), "y: No such file or directory"),
        (("RPI_PICO_W", "--out", "x", "--dry-run"), "--out: only for an ESP32"),
        (("RPI_PICO_W", "--port", "X", "--keep-files"), "--keep-files: RPI_PICO_W gets its firm"),
        (("RPI_PICO_W", "--port", "X", "--baud", "115200"), "--baud: RPI_PICO_W is not flashed"),
        (("PYBD_SF6", "--port", "X", "--no-reset"), "--no-reset: PYBD_SF6 is not flashed through"),
        (("ESP32_GENERIC", *NOWHERE, "--user", "a:b"), "--user needs --cloud URL"),
        (("ESP32_GENERIC", *NOWHERE, "--token", "a"), "--token needs --cloud URL"),
        (("ESP32_GENERIC", *NOWHERE, "--transport", "tcp"), "--transport needs --cloud URL and"),
        (
            ("ESP32_GENERIC", "--dry-run", "--cloud", "http://127.0.0.1:1", "--user", "ab"),
            "--user ab: expected NAME:PASSWORD",
        ),
        (("ESP32_GENERIC", *NOWHERE, "--with", "led"), "--with: nothing of the library is writ"),
        (("ESP32_GENERIC", "--out", "x", "--port", "X"), "to no board: leave --port out"),
        (("ESP32_GENERIC", "--out", "x", "--keep-files"), "to no board: leave --keep-files out"),
        (("ESP32_GENERIC", "--out", "x", "--baud", "115200"), "to no board: leave --baud out"),
        (("ESP32_GENERIC", "--out", "x", "--no-reset"), "to no board: leave --no-reset out"),
        (
            ("ESP32_GENERIC", "--out", "./f.bin", "--firmware", "f.bin"),
            "--out f.bin is the file of --firmware: give it another name",
        ),
    ],
)
def test_options_that_do_not_go_together(refused, arguments, says):
    assert says in refused(*arguments)


def test_partitions_that_are_not_there(refused, images, monkeypatch):
    """A board of somebody's own whose table lacks what is to be written."""
    table = PartitionTable.from_csv("nvs, data, nvs, 0x9000, 0x6000,\n")
    monkeypatch.setattr("particle_tools.boards.esp32.partitions", lambda _board: table)
    line = refused("ESP32_GENERIC", *NOWHERE, "--firmware", images())
    assert line == "ESP32_GENERIC: its table of partitions has no application"
    line = refused("ESP32_GENERIC", "--port", "X", "--dry-run")
    assert line == "ESP32_GENERIC: its table of partitions has none for files"


@pytest.mark.parametrize("option", [("--port", "/dev/ttyUSB0"), ("--out", "all.bin")])
def test_esptool_is_missing(refused, images, monkeypatch, option):
    image = images()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    line = refused("ESP32_GENERIC", *option, "--firmware", image, "--library", "none")
    assert line == "esptool is missing: pip install esptool"
