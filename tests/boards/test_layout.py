"""Where things lie in flash: ESP-IDF's rules, MicroPython's switches, and what both refuse."""

import shutil

import pytest
from esp_idf_defs import PartitionTable

from particle_tools.boards import catalogue, esp32, layout
from particle_tools.boards.layout import Region
from particle_tools.errors import UserError

_ALL = [board for board in catalogue.every() if layout.regions(board)]
_ESP32 = [board for board in _ALL if board.port == "esp32"]
_KIB = 1 << 10
_MIB = 1 << 20


@pytest.mark.parametrize("board", _ALL, ids=lambda board: board.title)
def test_parts_do_not_overlap(board):
    parts = layout.regions(board)
    for part, following in zip(parts, parts[1:], strict=False):
        assert part.offset + part.size <= following.offset
    assert all(part.offset % 4096 == part.size % 4096 == 0 and part.what for part in parts)
    assert any(part.what == "files" for part in parts)


@pytest.mark.parametrize("board", _ESP32, ids=lambda board: board.title)
def test_table_survives_its_binary_form(board):
    table = esp32.partitions(board)
    data = table.to_binary()
    assert len(data) == 0xC00
    assert [(p.name, p.offset, p.size) for p in PartitionTable.from_binary(data)] == [
        (p.name, p.offset, p.size) for p in table
    ]


@pytest.mark.parametrize("board", _ESP32, ids=lambda board: board.title)
def test_flash_is_full_and_files_have_a_name(board):
    """What has no name is placed behind the last partition: another table would move it."""
    table = esp32.partitions(board)
    assert table.flash_size() == esp32.flash_bytes(board)
    assert table["vfs"].offset + table["vfs"].size == table.flash_size()


@pytest.mark.parametrize("board", _ESP32, ids=lambda board: board.title)
def test_slots_go_with_what_the_profile_says(board):
    table = esp32.partitions(board)
    slots = [part for part in table if part.name.startswith("ota_")]
    if board.profile["OTA"] == "esp32-ab":
        assert len(slots) == 2 and slots[0].size == slots[1].size and table["otadata"]
    assert [part.name for part in table if part.name == "factory"] == [] or not slots


@pytest.mark.parametrize("board", _ALL, ids=lambda board: board.title)
def test_halves_for_applications_fill_their_region(board):
    found = [part for part in layout.regions(board) if part.name == "romfs"]
    assert (board.profile["OTA"] == "app-romfs") == ("ROMFS" in board.profile)
    if "ROMFS" in board.profile:
        module, at, size = board.profile["ROMFS"]
        assert (module, at, 2 * size) == ("vfs", 0, found[0].size)


def test_layouts_of_the_specification():
    def of(name):
        return [
            (part.name, part.offset, part.size) for part in layout.regions(catalogue.find(name))
        ]

    assert of("RPI_PICO_W") == [
        ("firmware", 0, 1200 * _KIB),
        ("romfs", 1200 * _KIB, 256 * _KIB),
        ("storage", 1456 * _KIB, 592 * _KIB),
    ]
    assert of("RPI_PICO2_W")[1:] == [
        ("romfs", 1536 * _KIB, _MIB),
        ("storage", 2560 * _KIB, 1536 * _KIB),
    ]
    assert ("firmware", 0x1000, 0xA3000) in of("PARTICLE_XENON")
    assert of("PARTICLE_XENON")[-1] == ("bootloader", 0xF4000, 0xC000)
    assert ("romfs", 0x4F0000, _MIB) in of("ESP32_GENERIC_S3")
    assert layout.regions(catalogue.find("UNIX_SIM")) == []


def test_sizes_in_words():
    assert [layout.size_text(n) for n in (4096, 0x1F0000, 2 * _MIB, 0x210000)] == [
        "4 KiB",
        "1984 KiB",
        "2 MiB",
        "2112 KiB",
    ]


@pytest.fixture
def own(tmp_path):
    """Copy a board; `change(file, old, new)` gives the board with one change in a file."""

    def copy(name):
        shutil.copytree(catalogue.FOLDER / name, tmp_path / name)

        def change(file, old, new):
            path = tmp_path / name / file
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new))
            return catalogue.find(f"{tmp_path}/{name}")

        return change

    return copy


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("0x10000,  0x1f0000", "0x10000,  0x1ff000", "Previous partition ends 0x20f000"),
        ("0x10000,  0x1f0000", "0x11000,  0x1ef000", "not aligned to 0x10000"),
        ("0x200000, 0x200000", "0x200000, 0x300000", "does not fit in available flash size 4MB"),
        ("0x6000", "lots", "line 3"),
        ("phy_init,", "nvs,     ", "Partition names must be unique"),
        ("0x9000", "0x8000", "0x9000"),
    ],
)
def test_tables_that_esp_idf_refuses(own, old, new, says):
    board = own("ESP32_GENERIC")("partitions-4MiB.csv", old, new)
    with pytest.raises(UserError) as caught:
        esp32.partitions(board)
    text = str(caught.value)
    assert text.startswith("ESP32_GENERIC: partitions-4MiB.csv: ") and says in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("sdkconfig.board", "partitions-4MiB.csv", "none.csv", "none.csv: No such file"),
        ("sdkconfig.board", "CUSTOM_FILENAME", "NAME", "CUSTOM_FILENAME is missing"),
        ("sdkconfig.board", "FLASHSIZE_4MB=y", "FLASHSIZE_4MB=n", "FLASHSIZE_ is missing"),
    ],
)
def test_settings_that_are_missing(own, file, old, new, says):
    board = own("ESP32_GENERIC")(file, old, new)
    with pytest.raises(UserError, match=says):
        layout.regions(board)


def test_offset_of_an_image(own):
    assert esp32.firmware_offset(catalogue.find("ESP32_GENERIC")) == 0x1000
    assert esp32.firmware_offset(catalogue.find("ESP32_GENERIC_C3")) == 0
    board = own("ESP32_GENERIC")("board.json", "flash_offset", "offset")
    with pytest.raises(UserError, match="deploy_options.flash_offset"):
        esp32.firmware_offset(board)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("mpconfigboard.cmake", "pico_w", "pico_9", "one of pico_w, pico2_w"),
        ("mpconfigboard.h", "(592 * 1024)", "(lots)", "STORAGE_BYTES is no number"),
        ("mpconfigboard.h", "(592 * 1024)", "(592 / 2)", "STORAGE_BYTES is no number"),
        ("mpconfigboard.h", "(592 * 1024)", "(2048 * 1024)", "no flash is left"),
    ],
)
def test_rp2_files_that_are_wrong(own, file, old, new, says):
    board = own("RPI_PICO_W")(file, old, new)
    with pytest.raises(UserError, match=says):
        layout.regions(board)


def test_rp2_without_romfs(own):
    board = own("RPI_PICO2_W")(
        "mpconfigboard.h", "#define MICROPY_HW_ROMFS_BYTES (1024 * 1024)", ""
    )
    own_size = "(PICO_FLASH_SIZE_BYTES - 1536 * 1024)"
    path = board.folder / "mpconfigboard.h"
    path.write_text(path.read_text().replace("(1536 * 1024)", own_size))
    assert layout.regions(board) == [
        Region("firmware", 0, 1536 * _KIB, "firmware"),
        Region("storage", 1536 * _KIB, 2560 * _KIB, "files"),
    ]
