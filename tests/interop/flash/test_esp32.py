"""A board as the real esptool flashes it; the chip is PyPI's esp32-mock-bootloader."""

import fcntl
import re
import sys

import pexpect
import pytest

from flash import esp32_board, flash_contents
from flash.mock_board import esptool
from particle_tools.boards import catalogue, esp32
from particle_tools.flash import compose
from particle_tools.progress import Progress

BOARD = "ESP32_GENERIC-OTA"
# what takes most of the time, and is not needed to be refused
BARE = ("--library", "none")


def boards():
    """List the ESP32 boards, and of their variants those with another table of partitions."""
    found = {}
    for board in catalogue.every():
        if board.port == "esp32":
            key = board.name, esp32.partitions(board).to_csv()
            found.setdefault(key, board.title)
    return list(found.values())


@pytest.mark.parametrize("title", boards())
def test_written_read_back_and_booted(chip, flash, images, tmp_path, title):
    """What the real esptool wrote and reads again is what was reported; the library starts."""
    found = catalogue.find(title)
    megabytes = esp32.flash_bytes(found) >> 20
    board = chip(found.chip, megabytes)
    image, merged = images(found.chip, flash=f"{megabytes}MB"), tmp_path / "merged.bin"
    arguments = (title, "--firmware", image)
    status, report, err = flash(*arguments, "--port", board.port)
    assert (status, err) == (0, "")
    assert (
        report["verified"]
        and report["firmware"] == "1.27.0"
        and report["mac"].startswith("240ac4")
    )
    read = flash_contents.read(board, found.chip, tmp_path, report["regions"])
    flash_contents.check_firmware(read, title, image.read_bytes())
    flash_contents.check_library(read, title, report["library"])

    # the same as one file
    assert flash(*arguments, "--out", merged)[0] == 0
    data = merged.read_bytes()
    assert board.contents()[: len(data)] == data

    romfs = read.get("romfs")
    blank = compose.littlefs({}, 64 * 4096)
    vfs = read.get("vfs", blank)
    program = "import json, particle, particle_board as b; print(json.dumps([b.NAME, b.OTA]))"
    mac = bytes.fromhex(report["mac"])
    said = esp32_board.run(tmp_path, program, mac=mac, vfs=vfs, romfs=romfs)
    assert said == [[found.profile["NAME"], found.profile["OTA"]]]


def test_files_are_kept(chip, flash, images, refused):
    """A second time the files are noticed; they can be kept, where they stay where they are."""
    board = chip()
    arguments = (BOARD, "--port", board.port, "--firmware", images())
    assert flash(*arguments)[0] == 0
    before = board.contents()
    line = refused(*arguments)
    assert "files on the board" in line and "nothing was written" in line and "--erase" in line
    assert flash(*arguments, "--keep-files")[0] == 0
    # another table would have them elsewhere
    line = refused("ESP32_GENERIC", *arguments[1:], "--keep-files")
    assert "files on the board" in line
    assert board.contents() == before


def test_wrong_chip(chip, refused, images):
    board = chip("esp32c3")
    line = refused("ESP32_GENERIC", "--port", board.port, "--firmware", images(), *BARE)
    assert line.startswith(f"{board.port}: the chip is esp32c3, ESP32_GENERIC has esp32")
    assert "nothing was written" in line and "particle-mp boards" in line


def test_flash_too_small(chip, refused, images):
    board = chip("esp32", 2)
    line = refused("ESP32_GENERIC", "--port", board.port, "--firmware", images(), *BARE)
    assert line == (
        f"{board.port}: 2 MB of flash, ESP32_GENERIC has 4 MB: nothing was written;"
        " `particle-mp boards` lists what there is"
    )


def test_port_is_busy(chip, refused, images):
    board = chip()
    with open(board.port, "rb+", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        line = refused("ESP32_GENERIC", "--port", board.port, "--firmware", images(), *BARE)
    assert line == f"{board.port} is busy: close the program that uses it (mpremote, a terminal)"


def test_port_is_not_there(refused, images, tmp_path):
    port = tmp_path / "ttyUSB0"
    line = refused("ESP32_GENERIC", "--port", port, "--firmware", images())
    assert line == f"{port} is not there: connect the board; `mpremote devs` shows ports"


@pytest.mark.parametrize(
    ("port", "what"),
    [
        ("{folder}", "a folder"),
        ("foo://x", "invalid URL, protocol 'foo' not known"),
        (__file__, "Inappropriate ioctl for device"),
    ],
)
def test_port_that_is_none(refused, images, tmp_path, port, what):
    port = port.format(folder=tmp_path)
    line = refused("ESP32_GENERIC", "--port", port, "--firmware", images(), *BARE)
    assert line == f"{port} is no serial port ({what}): `mpremote devs` shows ports"


def test_unplugged_while_writing(chip, refused, images, monkeypatch):
    """Nothing is claimed for a board that is not complete, and the next step is named."""
    # one block each for bootloader, table and otadata: the fifth is of the application
    board = chip("esp32", 4, 5)
    shown = []
    monkeypatch.setattr(Progress, "show", lambda _self, text: shown.append(text))
    line = refused("ESP32_GENERIC-OTA", "--port", board.port, "--firmware", images(), *BARE)
    assert line.startswith(f"{board.port}: writing ended early, the board is not complete")
    assert "connect it again and repeat the command with --erase" in line
    assert any(re.fullmatch(r"writing [\w-]+: \[#*-+\] +\d+%", text) for text in shown)
    assert not any(text.startswith("verifying") for text in shown)


def test_progress_on_a_terminal(chip, images):
    board = chip()
    command = ["-m", "particle_tools", "flash", "ESP32_GENERIC", "--port", board.port]
    command += ["--firmware", str(images()), *BARE]
    child = pexpect.spawn(sys.executable, command, timeout=60, encoding="utf-8")
    child.expect(r"writing factory: \[#+-+\] +\d+%")
    child.expect("firmware   MicroPython 1.27.0")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_flash_that_does_not_keep_what_is_written(chip, refused, images, monkeypatch, tmp_path):
    """Between writing and verifying a byte changes: the board is not called complete."""
    board = chip()
    other = tmp_path / "other.bin"
    other.write_bytes(b"\x55" * 16)

    def show(_self, text):
        if text.startswith("verifying"):
            esptool(board.port, "esp32", "write-flash", "0x20000", other)

    monkeypatch.setattr(Progress, "show", show)
    line = refused("ESP32_GENERIC-OTA", "--port", board.port, "--firmware", images(), *BARE)
    assert line.startswith(f"{board.port}: what was written does not read back")
