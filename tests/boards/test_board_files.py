"""Every board folder: MicroPython's own file names and keys, and a complete profile."""

import json
import re

import pytest

from particle.ota.targets import _KINDS
from particle_tools import ROOT
from particle_tools.boards import catalogue, layout, report

_KEYS = {
    *("deploy", "docs", "features", "images", "mcu", "product", "thumbnail", "url", "vendor"),
}
_CHOICES = {
    "NET": ("wifi", "ppp", "at", "host", None),
    "TRANSPORT": ("udp", "tcp"),
    "STORE": ("littlefs", "pair", "nvs"),
    "OTA": ("app-ab", "app-romfs", "esp32-ab", "mboot", "none"),
    "TIER": tuple(report.TIERS),
}
# What a folder of each port of MicroPython must have besides
_FILES = {
    "esp32": ("manifest.py", "mpconfigboard.cmake", "mpconfigboard.h", "sdkconfig.board"),
    "rp2": ("manifest.py", "mpconfigboard.cmake", "mpconfigboard.h", "pins.csv"),
    "stm32": ("manifest.py", "mpconfigboard.mk", "mpconfigboard.h"),
    "nrf": ("manifest.py", "mpconfigboard.mk", "mpconfigboard.h", "pins.csv"),
    "qemu": ("manifest.py", "mpconfigboard.mk", "mpconfigboard.h"),
    "unix": ("manifest.py",),
}
# Pins that a chip has and that its flash does not use, and those of them that are inputs only
# (datasheets of the ESP32, "SPI flash" and "IO MUX"; MicroPython's machine_pin.c)
_PINS = {
    "esp32": ({*range(6), *range(12, 20), 21, 22, 23, 25, 26, 27, 32, 33}, set(range(34, 40))),
    "esp32s3": ({*range(22), *range(33, 49)}, set()),
    "esp32c3": ({*range(11), *range(18, 22)}, set()),
}
_NO_DRIVE = ("unix", "qemu")  # nothing is written to them


@pytest.fixture(params=catalogue.every(), ids=lambda board: board.title)
def board(request):
    """Give one board, or variant of one, after the other."""
    return request.param


def test_every_folder_is_a_board():
    folders = [path.name for path in catalogue.FOLDER.iterdir() if path.is_dir()]
    assert sorted(folders) == catalogue.names()


def test_name_is_micropythons_form(board):
    assert re.fullmatch(r"[A-Z0-9_]+(-[A-Z0-9_]+)?", board.title)


def test_board_json(board):
    text = (board.folder / "board.json").read_text()
    record = json.loads(text)
    assert set(record) - {"deploy_options", "variants"} == _KEYS
    assert list(record) == sorted(record)
    assert text.startswith('{\n    "') and text.endswith("\n}\n")


def test_files_of_its_port(board):
    wanted = list(_FILES[board.port])
    if board.variant:
        ending = "cmake" if board.port in ("esp32", "rp2") else "mk"
        wanted.append(f"mpconfigvariant_{board.variant}.{ending}")
    assert [name for name in wanted if not (board.folder / name).exists()] == []


def test_says_how_it_is_flashed(board):
    assert bool(board.record["deploy"]) == (board.port not in _NO_DRIVE)
    for name in board.record["deploy"]:
        # as MicroPython's download page does it
        text = (board.folder / name).read_text().format(**board.record, id=board.name)
        assert f"particle-mp flash {board.name}" in text


def test_says_what_was_tried_and_how_it_is_updated(board):
    assert report.section(board, "Tried") and report.section(board, "Updates")
    if board.profile["TIER"] != "A":
        assert report.section(board, "Tried").startswith("Not on hardware")
    none = report.section(board, "Updates").startswith("None.")
    assert none == (board.profile["OTA"] == "none")


def test_profile_is_complete(board):
    profile = board.profile
    assert [name for name in catalogue.CONSTANTS if name not in profile] == []
    assert profile["NAME"] == board.name
    for name, allowed in _CHOICES.items():
        assert profile[name] in allowed
    assert profile["STORE_ROOT"].endswith("/pt")
    assert profile["BACKUP"] is None or profile["BACKUP"][0] in ("mem", "rtc")
    assert profile["LED"] is None or profile["LED"][0] in ("neopixel", "pwm3", "pin")


def test_updates_are_what_the_library_can_do(board):
    assert board.profile["OTA"] in (*_KINDS, "none")


def test_names_of_pins_exist(board):
    profile = board.profile
    pins = [profile["BUTTON"][0]] if profile["BUTTON"] else []
    pins += profile["LED"][1] if profile["LED"] else []
    named = [pin for pin in pins if isinstance(pin, str)]
    path = board.folder / "pins.csv"
    if named and path.exists():  # else the board's are MicroPython's
        assert set(named) <= {line.split(",")[0] for line in path.read_text().splitlines()}


def test_numbers_of_pins_exist(board):
    profile = board.profile
    drives, reads = _PINS.get(board.chip, (set(), set()))
    button, level = profile["BUTTON"] or ("", 0)
    leds = profile["LED"][1] if profile["LED"] else ()
    if board.port == "esp32":
        numbers = {pin for pin in leds if isinstance(pin, int)}
        assert numbers <= drives
        assert not isinstance(button, int) or button in drives | reads
    elif board.port != "unix":
        assert not any(isinstance(pin, int) for pin in (button, *leds)), "names, as in pins.csv"
    assert level in (0, 1)


def test_button_is_that_of_its_document(board):
    named = re.search(r"button is BOOT \(GPIO(\d+)\)", (board.folder / "board.md").read_text())
    if named:
        assert board.profile["BUTTON"][0] == int(named[1])


def test_tables_of_its_document_are_the_layout(board):
    text = (board.folder / "board.md").read_text()
    rows = re.findall(r"^\| (0|0x[0-9a-f]+) \| ([\d.]+ [KM]iB) \|", text, re.MULTILINE)
    if "| offset | size | what |" in text:
        parts = layout.regions(board)
        wanted = [(hex(p.offset) if p.offset else "0", layout.size_text(p.size)) for p in parts]
        assert rows == wanted


def test_readme_has_the_table():
    table = report.markdown(catalogue.every())
    assert table in (ROOT / "README.md").read_text(), "particle-mp boards --markdown"


def test_what_boards_share_is_there(board):
    shared = []
    for path in board.folder.glob("*.[ch]"):
        includes = re.findall(r'^#include "(\.\./.+)"$', path.read_text(), re.MULTILINE)
        shared += [path.parent / name for name in includes]
    for path in board.folder.glob("mpconfigboard.mk"):
        names = re.findall(r"\$\(BOARD_DIR\)/(\S+\.ld)\b", path.read_text())
        shared += [path.parent / name for name in names]
    assert all(path.is_file() for path in shared), shared
    assert len(shared) == 2 or board.port != "nrf"  # board.c and the linker script
