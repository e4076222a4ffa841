"""A board as the real esptool flashes it; the chip is PyPI's esp32-mock-bootloader."""

import fcntl

import pytest

from flash import flash_contents
from flash.mock_board import esptool
from particle_tools.progress import Progress

BOARD = "ESP32_GENERIC-OTA"
# what takes most of the time, and is not needed to be refused
BARE = ("--library", "none")


def test_written_read_back_and_kept(chip, flash, images, tmp_path):
    """From blank to complete; a second time its files are noticed, and can be kept."""
    board, image = chip(), images()
    arguments = (BOARD, "--port", board.port, "--firmware", image)
    status, report, err = flash(*arguments)
    assert (status, err) == (0, "")
    assert report["firmware"] == "1.27.0" and report["mac"] == "240ac4e29526"
    names = [region["name"] for region in report["regions"]]
    assert names == ["bootloader", "partition-table", "otadata", "ota_0", "vfs"]
    # files fill the first blocks; what the chip has behind them was compared by its hash
    regions = [region | {"read": min(region["bytes"], 0x24000)} for region in report["regions"]]
    found = flash_contents.read(board, "esp32", tmp_path, regions)
    flash_contents.check_firmware(found, BOARD, image.read_bytes())
    vfs = flash_contents.mounted(found["vfs"])
    assert "particle" in vfs.listdir("/lib") and "particle_variant.mpy" in vfs.listdir("/lib")

    status, report, err = flash(*arguments)
    assert (status, report) == (1, None)
    assert "files on the board" in err and "nothing was written" in err and "--erase" in err
    assert flash(*arguments, "--keep-files")[0] == 0
    again = flash_contents.read(board, "esp32", tmp_path, regions[-1:])
    assert again["vfs"] == found["vfs"]
    # another table would have them elsewhere
    status, _, err = flash("ESP32_GENERIC", *arguments[1:], "--keep-files")
    assert status == 1 and "files on the board" in err


def test_wrong_chip(chip, refused, images):
    board = chip("esp32c3")
    line = refused("ESP32_GENERIC", "--port", board.port, "--firmware", images(), *BARE)
    assert line.startswith(f"{board.port}: the chip is esp32c3, ESP32_GENERIC has esp32")
    assert "nothing was written" in line and "particle-mp boards" in line


def test_flash_too_small(chip, refused, images):
    board = chip("esp32", 2)
    line = refused("ESP32_GENERIC", "--port", board.port, "--firmware", images(), *BARE)
    assert line == f"{board.port}: 2 MB of flash, ESP32_GENERIC has 4 MB: nothing was written"


def test_port_is_busy(chip, refused, images):
    board = chip()
    with open(board.port, "rb+", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        line = refused("ESP32_GENERIC", "--port", board.port, "--firmware", images(), *BARE)
    assert line == f"{board.port} is busy: close the program that uses it (mpremote, a terminal)"


def test_port_is_not_there(refused, images, tmp_path):
    port = tmp_path / "ttyUSB0"
    line = refused("ESP32_GENERIC", "--port", port, "--firmware", images())
    assert line == f"{port} is not there: connect the board; `mpremote connect list` shows ports"


def test_unplugged_while_writing(chip, refused, images, monkeypatch):
    """Nothing is claimed for a board that is not complete, and the next step is named."""
    board = chip()
    shown = []

    def show(_self, text):
        shown.append(text)
        if text.startswith("writing ota_0"):
            board.kill()

    monkeypatch.setattr(Progress, "show", show)
    line = refused("ESP32_GENERIC-OTA", "--port", board.port, "--firmware", images(), *BARE)
    assert line.startswith(f"{board.port}: writing ended early, the board is not complete")
    assert "connect it again and repeat the command with --erase" in line
    assert not any(text.startswith("verifying") for text in shown)


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


@pytest.mark.parametrize("answer", [None, "not installed"])
def test_esptool_is_missing(refused, images, monkeypatch, answer):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    port = ("--port", "/dev/ttyUSB0") if answer else ("--out", "all.bin")
    line = refused("ESP32_GENERIC", *port, "--firmware", images(), *BARE)
    assert line == "esptool is missing: pip install esptool"
