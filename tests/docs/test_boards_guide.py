"""The guide to boards: its commands run as they stand; its table has every constant."""

import re

from guides import blocks, shell
from particle_tools import ROOT
from particle_tools.boards import catalogue
from sim.boards import Bench

GUIDE = (ROOT / "docs/boards.md").read_text()


def test_commands(tmp_path):
    (tmp_path / "boards").symlink_to(ROOT / "boards")
    place = Bench(tmp_path)
    try:
        port = place.start(place.board({}), None, "--pty").wait_for("serial ").split()[1]
        said = [shell(block, tmp_path, PORT=port) for block in blocks(GUIDE, "sh")]
    finally:
        place.close()
    assert "ESP32_GENERIC-OTA: ESP32 / WROOM" in said[0] and '"chip": "rp2040"' in said[0]
    assert said[1].startswith("MY_BOARD: ")
    profile = (tmp_path / "my_boards/MY_BOARD/modules/particle_board.py").read_text()
    assert 'NAME = "MY_BOARD"' in profile and 'LED = ("pin", (2,), False)' in profile


def test_table_of_constants():
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", GUIDE, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"[A-Z_]+", row)]
    assert named[: len(catalogue.CONSTANTS)] == catalogue.CONSTANTS
    known = {name for board in catalogue.every() for name in board.profile}
    assert known <= {*named, "DNS"}  # which the simulated board learns from its network


def test_tiers_of_the_boards():
    by_tier = {
        tier: {b.port for b in catalogue.every() if b.profile["TIER"] == tier} for tier in "ABC"
    }
    assert by_tier["A"] == {"unix", "qemu"} and by_tier["B"] == {"esp32"}
