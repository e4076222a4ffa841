"""The table of partitions of an RP2350 and the choice of its boot ROM, as documented
(tests/fake_rp2350.py). A board whose profile asks for it is told that there is no such thing.
"""

import struct

import pytest

from fake_rp2350 import SECTOR, Bad, BootRom, Partition, image, partitions, table, version
from particle.errors import UpdateError
from particle.ota.targets import target

A = Partition("main", SECTOR, 8 * SECTOR)
B = Partition("", 9 * SECTOR, 8 * SECTOR, 0)
DATA = Partition("data", 17 * SECTOR, 47 * SECTOR)


def flash(a=None, b=None):
    """Return a flash with these images, (major, minor, to be bought)."""
    data = bytearray(b"\xff" * 64 * SECTOR)
    block = table([A, B, DATA])
    data[: len(block)] = block
    for partition, each in ((A, a), (B, b)):
        if each:
            found = image(*each)
            data[partition.first : partition.first + len(found)] = found
    return data


def test_the_table_word_by_word():
    found = struct.unpack("<16I", table([A, B, DATA]))
    name = struct.unpack("<2I", b"\x04main\0\0\0")
    data = struct.unpack("<2I", b"\x04data\0\0\0")
    location = [0xFC000000 | last << 13 | first for first, last in ((1, 8), (9, 16), (17, 63))]
    assert found == (
        *(0xFFFFDED3, 0x03000C0A, 0xFC000000),
        *(location[0], 0xFC001000, *name),
        *(location[1], 0xFC000002),
        *(location[2], 0xFC001000, *data),
        *(0x00000CFF, 0, 0xAB123579),
    )
    assert partitions(flash()) == [A, B, DATA]


def test_the_least_image_of_the_datasheet():
    words = (0xFFFFDED3, 0x10210142, 0x000001FF, 0, 0xAB123579)
    assert version(struct.pack("<5I", *words)) == ((0, 0), False)
    assert version(image(3, 7, True)) == ((3, 7), True)


@pytest.mark.parametrize("at", [0, 4, 52, 53, 56, 60, 63])
def test_a_damaged_table_is_none(at):
    data = flash()
    data[at] ^= 1
    with pytest.raises(Bad):
        partitions(data)
    assert BootRom(data).boot() is None


def test_what_does_not_fit():
    for first, size in ((1, SECTOR), (SECTOR, 0), (SECTOR, 100)):
        with pytest.raises(Bad):
            table([Partition("x", first, size)])
    with pytest.raises(Bad):
        table([Partition("x" * 100, SECTOR, SECTOR)] * 8)


def test_the_newer_one_starts():
    assert BootRom(flash((1, 0), (1, 1))).boot() == B
    assert BootRom(flash((2, 0), (1, 9))).boot() == A
    assert BootRom(flash(None, (1, 0))).boot() == B
    assert BootRom(flash()).boot() is None


def test_what_was_written_starts_although_it_is_older():
    data = flash((2, 0), (1, 0))
    rom = BootRom(data)
    assert rom.boot(updated=B.first) == B
    # the other one is gone
    assert rom.boot() == B and data[A.first : A.first + SECTOR] == b"\xff" * SECTOR


def test_a_trial():
    for seconds, kept in ((3, True), (17, False)):
        data = flash((1, 0), (2, 0, True))
        rom = BootRom(data)
        assert rom.boot() == A  # it is not tried before somebody asks for it
        assert rom.boot(updated=B.first) == B
        assert rom.buy(seconds) is kept
        assert rom.boot() == (B if kept else A)
    # the power fails while it is tried
    rom = BootRom(flash((1, 0), (2, 0, True)))
    assert rom.boot(updated=B.first) == B and rom.boot() == A


def test_a_profile_that_asks_for_it():
    class Board:
        OTA = "rp2350-ab"

    with pytest.raises(UpdateError) as error:
        target(None, Board, "", None, object())
    assert error.value.errno == -120 and "takes no updates (OTA = rp2350-ab)" in str(error.value)
