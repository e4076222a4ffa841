"""`particle-mp boards`: what it prints, and one line for each mistake."""

import json
import shutil

import pytest

from particle_tools import cli
from particle_tools.boards import catalogue


@pytest.fixture
def boards(capsys):
    """Run the verb; give (status, output, errors)."""

    def run(*arguments):
        try:
            status = cli.main(["boards", *arguments])
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_overview_names_all_by_tier(boards):
    status, out, err = boards()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    heads = [lines.index(line) for line in lines if line[:3] in ("A  ", "B  ", "C  ")]
    assert len(heads) == 3
    for board in catalogue.every():
        (at,) = [i for i, line in enumerate(lines) if line.split()[:1] == [board.title]]
        assert "ABC"[sum(at > head for head in heads) - 1] == board.profile["TIER"]


def test_machines_get_everything(boards):
    status, out, _ = boards("--json")
    known = {each["board"]: each for each in json.loads(out)}
    assert status == 0 and list(known) == [board.title for board in catalogue.every()]
    ota = known["ESP32_GENERIC-OTA"]
    assert (ota["chip"], ota["port"], ota["tier"]) == ("esp32", "esp32", "B")
    assert {"name": "ota_1", "offset": 0x190000, "size": 0x180000, "what": "firmware"} in (
        ota["flash"]
    )
    assert json.loads(boards("ESP32_GENERIC-OTA", "--json")[1]) == ota
    for each in known.values():
        assert each["tried"] and each["means"] and each["updates"]["text"]


def test_one_board(boards):
    status, out, _ = boards("RPI_PICO_W")
    assert status == 0
    assert "tier C: definition only, not tried" in out
    assert "  0x16c000    592 KiB  storage     files" in out
    assert "cannot replace what it runs from" in out
    assert "tried:\n  Not on hardware" in out


def test_why_a_board_takes_no_updates(boards):
    out = boards("PARTICLE_BORON")[1]
    assert "network: none that the library can use" in out
    assert "updates over the air (none):\n  None. There is no driver for the modem" in out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("TOASTER", "TOASTER: no such board; `particle-mp boards` lists those there are"),
        ("esp32_generic", "did you mean ESP32_GENERIC?"),
        ("RPI_PICO", "did you mean RPI_PICO_W?"),
        ("ESP32_GENERIC-SPIRAM", "no variant SPIRAM of ESP32_GENERIC, choose OTA"),
        ("RPI_PICO_W-OTA", "no variant OTA of RPI_PICO_W, it has none"),
        ("ESP32_GENERIC-", "a variant is named behind the -, choose OTA"),
        ("RPI_PICO_W-", "a variant is named behind the -, it has none"),
        ("./NOWHERE", "./NOWHERE: no board.json there; docs/boards.md"),
        ("", "no such board"),
    ],
)
def test_unknown(boards, name, says):
    status, out, err = boards(name)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


@pytest.fixture
def own(tmp_path):
    """Give a copy of a board in a folder of its own."""
    return shutil.copytree(catalogue.FOLDER / "ESP32_GENERIC", tmp_path / "MY_BOARD")


def test_a_folder_of_ones_own(boards, own):
    profile = own / "modules" / "particle_board.py"
    profile.write_text(profile.read_text().replace('"ESP32_GENERIC"', '"MY_BOARD"'))
    for name in (f"{own}", f"{own}/", f"{own}-OTA"):
        status, out, _ = boards(name)
        assert status == 0 and out.startswith("MY_BOARD")


def test_a_board_without_a_profile(boards, own):
    (own / "modules" / "particle_board.py").unlink()
    status, _, err = boards(str(own))
    assert (status, err.count("\n")) == (1, 1)
    assert "MY_BOARD: it has no profile, MY_BOARD/modules/particle_board.py; docs/boards.md" in err


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("board.json", "{", "board.json: Expecting"),
        ("board.json", "[]", "board.json: `mcu` is missing"),
        ("board.json", '{"mcu": "esp32", "product": 1}', "board.json: `product` is missing"),
        (
            "board.json",
            '{"mcu": "esp32", "product": "", "vendor": "", "variants": 3}',
            "`variants`",
        ),
        ("board.json", b"\xff", "board.json: it is no text in UTF-8"),
        (
            "modules/particle_board.py",
            b"NAME = '\xff'",
            "particle_board.py: it is no text in UTF-8",
        ),
        ("modules/particle_board.py", "NAME = \0", "particle_board.py: "),
        ("partitions-4MiB.csv", b"vfs\xff", "partitions-4MiB.csv: it is no text in UTF-8"),
        ("sdkconfig.board", b"\xff", "sdkconfig.board: it is no text in UTF-8"),
        ("board.md", b"\xff", "board.md: it is no text in UTF-8"),
        ("board.md", None, "board.md: No such file or directory"),
        ("modules/particle_board.py", "NAME = ", "line 1: invalid syntax"),
        ("modules/particle_board.py", 'NAME = "X"', "does not say PLATFORM_ID, NET, TRANSPORT"),
    ],
)
def test_files_that_are_wrong(boards, own, file, text, says):
    if text is None:
        (own / file).unlink()
    else:
        (own / file).write_bytes(text.encode() if isinstance(text, str) else text)
    for arguments in ((str(own),), (str(own), "--json")):
        status, out, err = boards(*arguments)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert says in err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('TIER = "D"', "TIER = 'D': one of 'A', 'B', 'C' is wanted"),
        ("TIER = []", "TIER = []: one of"),
        ('OTA = "magic"', "OTA = 'magic': one of 'app-ab', 'app-romfs', 'esp32-ab'"),
        ('NET = "lora"', "NET = 'lora': one of 'wifi', 'ppp', 'at', 'host', None"),
        ('TRANSPORT = "ip"', "TRANSPORT = 'ip': one of 'udp', 'tcp'"),
        ('STORE = "fat"', "STORE = 'fat': one of 'littlefs', 'pair', 'nvs'"),
        ("X = {[]: 1}\nTIER = 4", "TIER = 4: one of"),
    ],
)
def test_values_that_mean_nothing(boards, own, line, says):
    path = own / "modules" / "particle_board.py"
    path.write_text(path.read_text() + line + "\n")
    status, out, err = boards(str(own))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"MY_BOARD: modules/particle_board.py: {says}" in err


def test_unknown_chip(boards, own):
    path = own / "board.json"
    path.write_text(path.read_text().replace('"mcu": "esp32"', '"mcu": "z80"'))
    assert "no port of MicroPython is for z80" in boards(str(own))[2]


def test_table_is_of_all_boards(boards):
    assert boards("ESP32_GENERIC", "--markdown")[0] == 1
    assert boards("--json", "--markdown")[0] == 1
