"""Every board folder: MicroPython's own file names and keys, and a complete profile."""

import ast
import json

import pytest

from particle_tools import ROOT

_BOARDS = sorted(p for p in (ROOT / "boards").iterdir() if p.is_dir())
_KEYS = {
    *("deploy", "docs", "features", "images", "mcu", "product", "thumbnail", "url", "vendor"),
}
_CHOICES = {
    "NET": ("wifi", "ppp", "at", "host"),
    "TRANSPORT": ("udp", "tcp"),
    "STORE": ("littlefs", "pair", "nvs"),
    "OTA": ("app-ab", "app-romfs", "esp32-ab", "mboot", "none"),
}
# DESIGN 5, "board"
_NAMES = (
    "NAME PLATFORM_ID NET TRANSPORT STORE STORE_ROOT BACKUP LED BUTTON UART MODEM OTA WDT_MS TIER"
).split()


@pytest.fixture(params=_BOARDS, ids=lambda p: p.name)
def board(request):
    """Give one board folder after the other."""
    return request.param


def test_name_is_micropythons_form(board):
    assert board.name == board.name.upper().replace("-", "_")


def test_board_json(board):
    text = (board / "board.json").read_text()
    record = json.loads(text)
    assert set(record) >= _KEYS
    assert list(record) == sorted(record)
    assert text.startswith('{\n    "')


def test_says_what_was_tried(board):
    assert "\n## Tried\n" in (board / "board.md").read_text()


def _constants(board):
    source = (board / "modules" / "particle_board.py").read_text()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                pass
    return found


def test_profile_is_complete(board):
    profile = _constants(board)
    assert [name for name in _NAMES if name not in profile] == []
    assert profile["NAME"] == board.name
    for name, allowed in _CHOICES.items():
        assert profile[name] in allowed
    assert profile["STORE_ROOT"].endswith("/pt")
    assert profile["BACKUP"] is None or profile["BACKUP"][0] in ("mem", "rtc")
    assert profile["LED"] is None or profile["LED"][0] in ("neopixel", "pwm3", "pin")
