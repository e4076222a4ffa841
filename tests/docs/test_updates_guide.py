"""The guide to updates: its commands run as they stand, and print what it shows."""

import json
import re
from pathlib import Path

import pytest

from e2e.desk import stored
from guides import blocks, shell
from particle_tools import ROOT
from particle_tools.cli import build_parser
from particle_tools.images import actions
from sim.boards import Bench

GUIDE = (ROOT / "docs/updates.md").read_text()


def shape(text):
    """Return lines without what is different each time: keys, sizes and digests."""
    return re.sub(r"\b[0-9a-f]{16,64}\b|\d+ bytes|(?<= )\d+(?= \w+/?\w*\.)", "N", text).split()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Run all commands in one folder; give what each block printed."""
    folder = tmp_path_factory.mktemp("guide")
    place = Bench(folder)
    board = place.board({"/pt/config.json": "{}"})
    port = place.start(board, None, "--pty").wait_for("serial ").split()[1]
    try:
        found = [shell(block, folder, PORT=port) for block in blocks(GUIDE, "sh")]
    finally:
        place.close()
    assert stored(folder / "board")["update.0.der"] == (folder / "update.0.der").read_bytes()
    return found


def test_commands_print_what_the_guide_shows(printed):
    keys, _, first, second, signed, _, whole = printed
    shown = blocks(GUIDE, "text")
    assert shape(keys) == shape(shown[0])
    assert shape(first) == shape(shown[1])
    assert shape(second.partition("\n")[2]) == shape(shown[2])
    assert shape(whole) == shape(shown[3])
    assert json.loads(signed.partition("\n")[2])["bundle"]["checked"]


def test_every_option_of_pack_has_a_row():
    parser = build_parser(["firmware"])
    assert parser.parse_args(["firmware", "inspect", "x"]).action == "inspect"
    source = Path(actions.__file__).read_text()
    pack = source[source.index('"pack"') : source.index('"sim"')]
    options = set(re.findall(r'"(--[a-z]+)"', pack)) - {"--output"}
    rows = set(re.findall(r"^\| `(--[a-z]+)", GUIDE, re.MULTILINE))
    assert options - rows == {"--key"} and rows <= options
