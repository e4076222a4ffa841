"""What is believed of esptool, and of an image that esptool would write as it is."""

from pathlib import Path

import pytest
from esp_idf_defs import PartitionTable

from particle_tools.boards import catalogue, esp32
from particle_tools.errors import UserError
from particle_tools.flash import partitions
from particle_tools.flash.esp_image import EspImage
from particle_tools.flash.esptool import Esptool
from particle_tools.flash.partitions import Region

REGIONS = [Region("one", 0x1000, b"1"), Region("two", 0x2000, b"2")]
SAID = "Verification successful (digest matched).\n"


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_every_region_is_compared(monkeypatch, count):
    """A status of 0 is not enough: it must have said so of every region."""
    monkeypatch.setattr("particle_tools.flash.esptool._talk", lambda *_: SAID * count)
    tool = Esptool("X", "esp32", baud=115200, reset=True, show=lambda _text: None)
    if count == len(REGIONS):
        tool.verify(REGIONS, "repeat it")
    else:
        with pytest.raises(UserError, match="X: esptool has not compared everything: repeat it"):
            tool.verify(REGIONS, "repeat it")


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_bootloader_ends_before_the_table(more, fits):
    board = catalogue.find("ESP32_GENERIC")
    table, at = esp32.partitions(board), 0x1000
    size = partitions.TABLE_AT - at + more
    image = EspImage(b"\xe9" * size, PartitionTable.from_csv(""), b"app", 4 << 20)
    if fits:
        regions = partitions.fixed(board, Path("f.bin"), image, table, at)
        assert regions[0].offset + len(regions[0].data) == regions[1].offset
    else:
        with pytest.raises(UserError, match="f.bin: its bootloader reaches into the table of par"):
            partitions.fixed(board, Path("f.bin"), image, table, at)
